"""Closed forms of pair energies: values, and two derivatives everywhere."""

import math
from functools import partial

import numpy as np
import pytest

from mdaug.models.pair_functions import ZBL_CORE_A, switch_off, wall, well, zbl, zbl_range

FORMS = {
    "zbl": (partial(zbl, first=6, second=8), [ZBL_CORE_A, *zbl_range(6, 8)]),
    "zbl, short cutoff": (partial(zbl, first=6, second=8, cutoff=0.8), [ZBL_CORE_A, 0.4, 0.8]),
    "well": (partial(well, r0=1.1, a=1.9, start=1.3, end=2.1), [1.3, 2.1]),
    "wall": (partial(wall, height=0.3, at=1.5, cutoff=5.0), [2.5, 5.0]),
}
"""Name: the function, and where its pieces meet."""


def by_hand(d, z1, z2):
    """The formula of Ziegler, Biersack and Littmark, term by term, in eV."""
    x = d * (z1**0.23 + z2**0.23) / 0.46850
    screening = 0.18175 * math.exp(-3.1998 * x) + 0.50986 * math.exp(-0.94229 * x)
    screening += 0.28022 * math.exp(-0.4029 * x) + 0.02817 * math.exp(-0.20162 * x)
    return 14.399645 * z1 * z2 / d * screening


@pytest.mark.parametrize(
    ("z1", "z2", "d"), [(1, 8, 0.12), (1, 8, 0.3), (6, 6, 0.5), (6, 8, 0.4), (14, 14, 0.8)]
)
def test_zbl_at_short_range(z1, z2, d):
    assert float(zbl(np.array(d), z1, z2)) == pytest.approx(by_hand(d, z1, z2), rel=1e-6)


def test_zbl_is_nothing_at_the_distances_of_bonds():
    """Of ethanol in the reference set, where O-H is 0.88 Å at the shortest, C-H 0.97, C-C 1.40, C-O 1.31."""
    for pair, shortest in (((1, 8), 0.88), ((1, 6), 0.97), ((6, 6), 1.40), ((6, 8), 1.31)):
        d = np.linspace(0.85 * shortest, 5.0, 50)
        assert np.abs(zbl(d, *pair)).max() == 0.0


def test_a_well_is_a_morse_bond():
    d = np.array([1.1, 1.05, 1.25, 2.1, 3.0])
    e = np.exp(-1.9 * (d - 1.1))
    depth = 110 / 23.0605
    expected = depth * ((1 - e) ** 2 - 1)
    expected[3:] = 0.0
    np.testing.assert_allclose(well(d, 1.1, 1.9, 1.3, 2.1), expected, rtol=1e-4)


def test_a_well_rises_all_the_way():
    d = np.linspace(1.11, 2.09, 200)
    assert (np.diff(well(d, 1.1, 1.9, 1.3, 2.1)) > 0).all()


@pytest.mark.parametrize("name", FORMS)
def test_short_distances_repel_and_have_an_end(name):
    d = np.linspace(-0.02, 0.35, 100)
    energies = FORMS[name][0](d)
    assert np.isfinite(energies).all()
    assert (np.diff(energies) < 0).all()


@pytest.mark.parametrize("name", FORMS)
def test_two_derivatives_where_pieces_meet(name):
    function, joints = FORMS[name]
    h = 1e-4
    for joint in joints:
        below, above = (
            np.polynomial.Polynomial.fit(x, function(joint + x), 5, domain=[-1, 1])
            for x in (np.linspace(-60 * h, 0, 30), np.linspace(0, 60 * h, 30))
        )
        for order in range(3):
            one, other = (float(p.deriv(order)(0.0)) if order else float(p(0.0)) for p in (below, above))
            assert one == pytest.approx(other, rel=2e-3, abs=2e-2), (joint, order)


def test_switching_off():
    d = np.array([0.0, 1.0, 1.5, 2.0, 9.0])
    np.testing.assert_allclose(switch_off(d, 1.0, 2.0), [1.0, 1.0, 0.5, 0.0, 0.0], atol=1e-15)
