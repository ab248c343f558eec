"""What is fitted: forces of other frames, with parameters that were known."""

from dataclasses import replace

import numpy as np

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.tabulated_parameters import bond_shape
from mdaug.data import load_frames
from mdaug.frames import FrameSet
from mdaug.units import KCAL_MOL_PER_EV


def test_forces_of_other_frames_are_matched(matched, unmatched):
    others = load_frames("ethanol").select(slice(3, 300, 10))
    error, before = (
        np.sqrt(np.mean((field.evaluate(others.positions)[1] - others.forces) ** 2)) * KCAL_MOL_PER_EV
        for field in (matched, unmatched)
    )
    assert before > 10
    assert error < 3


def test_forces_of_a_known_field_are_found_again(matched, ethanol_frames):
    known = replace(ethanol_frames, forces=matched.evaluate(ethanol_frames.positions)[1])
    again = match_forces(known)
    error = again.evaluate(known.positions)[1] - known.forces
    assert np.sqrt(np.mean(error**2)) * KCAL_MOL_PER_EV < 0.2


def test_a_diatomic_has_its_bond_alone():
    """Frames of a Morse molecule near its minimum, the plateau from the table: the curve is found again."""
    beta, r0 = 1.94, 0.74
    plateau = bond_shape(1, 1, r0).plateau_eV / (1 - np.exp(-beta * 1.5 * r0)) ** 2

    def frames(r):
        falling = np.exp(-beta * (r - r0))
        slope = 2 * plateau * beta * (1 - falling) * falling
        positions, forces = np.zeros((len(r), 2, 3)), np.zeros((len(r), 2, 3))
        positions[:, 1, 2], forces[:, 1, 2], forces[:, 0, 2] = r, -slope, slope
        return FrameSet(np.array([1, 1]), positions, plateau * (1 - falling) ** 2, forces)

    field = match_forces(frames(np.linspace(0.68, 0.82, 15)))
    assert field.terms.n_coefficients == 0
    far = frames(np.array([0.74, 0.55, 0.9, 1.2, 1.85]))
    energies = field.evaluate(far.positions)[0]
    difference = (energies - energies[0] - far.energies) * KCAL_MOL_PER_EV
    np.testing.assert_allclose(difference[:3], 0, atol=1.0)
    np.testing.assert_allclose(difference[3:], 0, atol=10.0)  # where the table's shape takes over
