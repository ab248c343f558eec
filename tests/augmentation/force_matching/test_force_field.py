"""Forces are the gradient of the energy; symmetry; what a broken bond leaves."""

import numpy as np
import pytest
import torch

from mdaug.augmentation.force_matching.fit import minimized
from mdaug.augmentation.force_matching.force_field import expanded_morse
from mdaug.augmentation.stretches import stretched
from mdaug.geometry.bonds import moving_side
from mdaug.geometry.valence_constants import REACH
from mdaug.units import KCAL_MOL_PER_EV


def shaken(frames, size, seed=0):
    return frames.positions[:3] + size * np.random.default_rng(seed).standard_normal((3, frames.n_atoms, 3))


def test_forces_are_the_gradient(matched, ethanol_frames):
    positions, h = shaken(ethanol_frames, 0.15), 1e-5
    forces = matched.evaluate(positions)[1]
    for atom in range(ethanol_frames.n_atoms):
        for axis in range(3):
            shift = np.zeros_like(positions)
            shift[:, atom, axis] = h
            up, down = matched.evaluate(positions + shift)[0], matched.evaluate(positions - shift)[0]
            np.testing.assert_allclose(forces[:, atom, axis], (down - up) / (2 * h), atol=1e-6)


def test_turning_and_moving_the_molecule_changes_nothing(matched, ethanol_frames):
    positions = shaken(ethanol_frames, 0.1)
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))[0]
    energies, forces = matched.evaluate(positions)
    moved, turned = matched.evaluate(positions @ turn.T + np.array([1.0, -2.0, 0.5]))
    np.testing.assert_allclose(moved, energies, atol=1e-10)
    np.testing.assert_allclose(turned, forces @ turn.T, atol=1e-9)
    np.testing.assert_allclose(forces.sum(axis=1), 0, atol=1e-10)


def test_equivalent_atoms_may_be_exchanged(matched, ethanol_frames):
    positions = shaken(ethanol_frames, 0.1)
    exchanged = positions[:, [0, 1, 2, 4, 3, 7, 5, 6, 8]]
    np.testing.assert_allclose(matched.evaluate(exchanged)[0], matched.evaluate(positions)[0], atol=1e-10)


def test_many_blocks_are_as_good_as_one(matched, ethanol_frames, monkeypatch):
    expected = matched.evaluate(ethanol_frames.positions)
    monkeypatch.setattr("mdaug.augmentation.force_matching.force_field.BLOCK", 7)
    for value, same in zip(matched.evaluate(ethanol_frames.positions), expected, strict=True):
        np.testing.assert_allclose(value, same, atol=1e-12)


def test_expanded_morse_has_its_minimum_its_plateau_and_the_tabulated_shape_far_out():
    shapes, bent = torch.tensor([2.0, 0.5, 3.0]), torch.tensor([1.4, 0.2, -0.5, 1.0])
    r = torch.tensor([1.4, 3.5, 30.0], dtype=torch.float64)
    value = expanded_morse(r, torch.tensor(5.0), shapes, bent)
    assert value[0] == pytest.approx(0, abs=1e-12)
    assert value[2] == pytest.approx(5.0)
    without = expanded_morse(r, torch.tensor(5.0), shapes, torch.tensor([1.4, 0.0, 0.0, 0.0]))
    assert value[1] == pytest.approx(float(without[1]), rel=1e-4)
    near = torch.tensor([1.4 * (1 + REACH) / (1 - REACH)])
    assert expanded_morse(near, torch.tensor(5.0), shapes, bent) != pytest.approx(
        float(expanded_morse(near, torch.tensor(5.0), shapes, torch.tensor([1.4, 0.0, 0.0, 0.0]))), rel=1e-3
    )


@pytest.fixture(scope="module")
def scans(matched, ethanol_frames):
    """Energies (kcal/mol) of all bonds from 0.6 to 2.5 lengths."""
    minimum = minimized(matched, ethanol_frames.positions[ethanol_frames.energies.argmin()])
    topology = matched.topology
    factors = np.arange(0.6, 2.505, 0.01)
    found = []
    for bond in topology.bonds.tolist():
        moving = moving_side(topology.atomic_numbers, topology.bonds, tuple(bond))
        positions = np.array([stretched(minimum, tuple(bond), moving, factor) for factor in factors])
        found.append((matched.evaluate(positions)[0] - matched.evaluate(minimum[None])[0]) * KCAL_MOL_PER_EV)
    return factors, np.array(found)


def test_every_bond_has_one_minimum_and_monotonic_walls(scans):
    factors, energies = scans
    for energy in energies:
        lowest = energy.argmin()
        assert factors[lowest] == pytest.approx(1.0, abs=0.011)
        assert np.all(np.diff(energy[: lowest + 1]) < 0)
        assert np.all(np.diff(energy[lowest:]) > -0.02)


def test_broken_bonds_end_on_the_tabulated_plateau(matched, scans):
    expected = matched.tabulated[matched.bond_kind] * KCAL_MOL_PER_EV
    np.testing.assert_allclose(scans[1][:, -1], expected, atol=2.5)


def test_nothing_pulls_a_broken_bond_aside(matched, ethanol_frames):
    """With the O-H bond 3 lengths long, bending it costs nothing and moves nothing."""
    minimum = minimized(matched, ethanol_frames.positions[0])
    far = stretched(minimum, (2, 8), np.array([8]), 3.5)
    aside = far.copy()
    aside[8] += np.array([0.3, -0.2, 0.1])
    energies, forces = matched.evaluate(np.stack([far, aside]))
    assert abs(energies[1] - energies[0]) * KCAL_MOL_PER_EV < 0.3
    assert np.abs(forces[:, 8]).max() * KCAL_MOL_PER_EV < 1.0
