"""Internal coordinates against their definitions."""

import numpy as np
import pytest
import torch

from mdaug.geometry.internal_coordinates import bends, cosines, torsion_terms


def test_twists_are_cosines_of_multiples_of_the_torsion():
    phi, theta, other = np.radians([50.0, 70.0, 110.0])
    chain = np.array(
        [
            [np.sin(theta), 0, np.cos(theta)],
            [0, 0, 0],
            [0, 0, 1.5],
            [np.sin(other) * np.cos(phi), np.sin(other) * np.sin(phi), 1.5 - np.cos(other)],
        ]
    )
    found = torsion_terms(torch.as_tensor(chain[None]), np.array([[0, 1, 2, 3]]))
    fold = np.array([1, 2, 3])
    expected = (np.sin(theta) * np.sin(other)) ** fold * np.cos(fold * phi)
    np.testing.assert_allclose(found[0], expected, atol=1e-12)
    cosine = cosines(torch.as_tensor(chain[None]), np.array([[0, 1, 2]]))
    assert float(cosine[0, 0]) == pytest.approx(np.cos(theta))


def test_twists_stay_smooth_where_three_atoms_are_in_line():
    chain = torch.tensor([[[0.0, 0, -1], [0, 0, 0], [0, 0, 1.5], [1, 0, 1.5]]], dtype=torch.float64)
    chain.requires_grad_()
    (slope,) = torch.autograd.grad(torsion_terms(chain, np.array([[0, 1, 2, 3]])).sum(), chain)
    assert torch.isfinite(slope).all()


def test_bends_are_quadratic_in_the_angle_of_bent_and_linear_centers():
    degrees = np.arange(60.0, 181.0, 5.0)
    cosine = torch.as_tensor(np.cos(np.radians(degrees)))
    bent = bends(cosine, np.cos(np.radians(np.full(len(degrees), 108.0))))
    np.testing.assert_allclose(bent[:-4], np.radians(108.0 - degrees[:-4]), atol=0.02)
    assert float(bent[-1]) == pytest.approx(np.radians(108 - 174), abs=0.01)  # rounded near 180°
    linear = bends(cosine, np.full(len(degrees), -1.0))
    np.testing.assert_allclose(linear[-7:], np.radians(180 - degrees[-7:]) ** 2 / 2, rtol=0.03)


def test_bends_have_a_slope_where_three_atoms_are_in_line():
    chain = torch.tensor([[[0.0, 0, -1], [0, 0, 0], [0, 0, 1.5]]], dtype=torch.float64, requires_grad=True)
    u = bends(cosines(chain, np.array([[0, 1, 2]])), np.array([-0.3]))
    (slope,) = torch.autograd.grad(u.sum(), chain)
    assert torch.isfinite(slope).all()
