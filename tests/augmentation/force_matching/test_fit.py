"""What is fitted: forces of other frames, with parameters that were known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.augmentation.force_matching.redundant_angles import redundant_products
from mdaug.augmentation.force_matching.tabulated_parameters import bond_shape
from mdaug.augmentation.force_matching.terms import make_terms
from mdaug.augmentation.force_matching.topology import find_topology
from mdaug.data import load_frames
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames, charged_calculator
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


def test_a_bend_is_quadratic_in_the_angle_far_beyond_the_frames():
    """Water with harmonic bonds and angle, from 60 to 170°; frames have 90 to 120°."""
    k_bond, k_angle, theta0 = 30.0, 4.0, np.radians(104.5)

    def energies_and_forces(positions):
        x = torch.tensor(positions, requires_grad=True)
        first, second = x[:, 1] - x[:, 0], x[:, 2] - x[:, 0]
        a, b = first.norm(dim=1), second.norm(dim=1)
        theta = torch.acos((first * second).sum(1) / (a * b))
        stretch = (a - 0.96) ** 2 + (b - 0.96) ** 2
        energies = k_bond / 2 * stretch + k_angle / 2 * (theta - theta0) ** 2
        (slope,) = torch.autograd.grad(energies.sum(), x)
        return energies.detach().numpy(), -slope.numpy()

    def bent(theta, length):
        positions = np.zeros((len(theta), 3, 3))
        positions[:, 1, 0] = length
        positions[:, 2, 0], positions[:, 2, 1] = length * np.cos(theta), length * np.sin(theta)
        return positions

    rng = np.random.default_rng(0)
    positions = bent(rng.normal(theta0, 0.12, 60), rng.normal(0.96, 0.03, 60))
    positions += rng.normal(scale=0.02, size=positions.shape)
    field = match_forces(FrameSet(np.array([8, 1, 1]), positions, *energies_and_forces(positions)))
    scan = bent(np.radians([104.5, 60.0, 75.0, 135.0, 150.0, 160.0, 170.0]), np.full(7, 0.96))
    energies, expected = field.evaluate(scan)[0], energies_and_forces(scan)[0]
    np.testing.assert_allclose((energies - energies[0])[1:], expected[1:], rtol=0.15)


def test_a_torsion_of_which_frames_show_a_part_is_not_extrapolated_far():
    """Of frames with a trans O-H, M has 26 kcal/mol at cis (39 with priors of 1 eV); GFN2-xTB has 0.5."""
    frames = load_frames("ethanol")
    torsions = [
        Atoms(frames.atomic_numbers, positions).get_dihedral(1, 0, 2, 8) for positions in frames.positions
    ]
    field = match_forces(frames.select(np.flatnonzero(np.abs(np.array(torsions) - 180.0) < 50.0)))
    lowest = frames.positions[frames.energies.argmin()]
    trans, cis = (Atoms(frames.atomic_numbers, lowest) for _ in range(2))
    for atoms, degrees in ((trans, 180.0), (cis, 0.0)):
        atoms.set_dihedral(1, 0, 2, 8, degrees, indices=[8])
    energies, _ = field.evaluate(np.stack([trans.positions, cis.positions]))
    assert 0.0 < (energies[1] - energies[0]) * KCAL_MOL_PER_EV < 30.0


def test_torsions_in_rings_have_wide_priors(ethanol_frames):
    furan = molecule("C4H4O")  # furan: all torsions of its ring are about bonds of the ring
    frames = FrameSet(furan.numbers, furan.positions[None], np.zeros(1), np.zeros((1, len(furan), 3)))
    for given, width in ((ethanol_frames, 0.05), (frames, 1.0)):
        assert (0.05 in make_terms(find_topology(given)).widths) == (width == 0.05)


def bent_to_one_side(positions: np.ndarray, group: tuple[int, ...], end: int, share: float) -> np.ndarray:
    """Turn the bonds from group[0] to the other atoms of the group toward the bond to `end`."""
    center, *atoms = group
    arms = positions[[*atoms, end]] - positions[center]
    lengths = np.linalg.norm(arms, axis=1, keepdims=True)
    units = arms / lengths
    turned = (1 - share) * units[:-1] + share * units[-1]
    bent = positions.copy()
    bent[atoms] = positions[center] + lengths[:-1] * turned / np.linalg.norm(turned, axis=1, keepdims=True)
    return bent


@pytest.mark.parametrize("group", [(1, 5, 6, 7), (0, 3, 4)], ids=["methyl", "methylene"])
def test_hydrogens_that_all_bend_to_one_side_do_not_fall(group):
    """The angles at an atom cannot all shrink near equilibrium, so that frames say nothing of it."""
    frames = load_frames("ethanol", every=5)
    field = match_forces(frames)
    start = frames.positions[frames.energies.argmin()]
    end = 1 - group[0]
    geometries = np.array([start, *(bent_to_one_side(start, group, end, share) for share in (0.3, 0.4, 0.5))])
    made = FrameSet(frames.atomic_numbers, geometries, np.zeros(4), np.zeros_like(geometries))
    reference, _ = calculate_frames(charged_calculator("GFN2-xTB", 0, 1), made)
    energies = field.evaluate(geometries)[0]
    ratio = (energies[1:] - energies[0]) / (reference[1:] - reference[0])
    assert np.all((ratio > 0.7) & (ratio < 1.6)), ratio


def test_equal_molecules_keep_redundant_products_as_small_as_one():
    one = load_frames("tests/data/methanol.npz").select(slice(0, 20))
    other = one.positions + np.array([4.0, 0.0, 0.0])
    two = FrameSet(
        np.tile(one.atomic_numbers, 2),
        np.concatenate([one.positions, other], axis=1),
        2 * one.energies,
        np.concatenate([one.forces, one.forces], axis=1),
    )
    forms = []
    for frames in (one, two):
        field = initial_force_field(frames)
        sums = redundant_products(field, frames.positions[0], None)[:, : field.terms.n_coefficients]
        forms.append(sums.T @ sums)
    assert np.abs(forms[0]).max() > 0
    np.testing.assert_allclose(forms[1], forms[0], atol=1e-6)
