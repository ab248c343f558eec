"""What molecules do to each other: gradients, images, where it ends, and that it is found again."""

import numpy as np
import pytest
import torch

from mdaug.augmentation.force_matching.fit import match_forces, minimized, set_plateaus
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.augmentation.force_matching.intermolecular import IntermolecularTerms
from mdaug.units import COULOMB_EV_A, KCAL_MOL_PER_EV

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def boxed(boxed_waters):
    torch.set_num_threads(1)
    return match_forces(boxed_waters)


def between(reach):
    pairs, table = np.array([[0, 1]]), np.array([1e-9])
    return IntermolecularTerms(
        pairs=pairs,
        kind=np.array([0]),
        strength=table,
        steepness=np.array([3.6]),
        contact=np.array([3.0]),
        reach=reach,
    )


def energy_of(one, d, soft, charges):
    parameters = torch.tensor([soft, charges], dtype=torch.float64)
    walls = torch.tensor([np.log(1e-9)], dtype=torch.float64)
    return one.energy(torch.tensor(d, dtype=torch.float64).reshape(-1, 1), parameters, walls).numpy()


def test_charges_and_soft_repulsion_have_their_energies():
    d = np.array([2.0, 3.0, 7.0])
    np.testing.assert_allclose(energy_of(between(None), d, 0.0, -0.4), -0.4 * COULOMB_EV_A / d, rtol=1e-6)
    np.testing.assert_allclose(energy_of(between(None), d, 0.5, 0.0), 0.5 * np.exp(-2 * (d - 3)), rtol=1e-5)


def test_in_a_cell_it_ends_smoothly_at_the_reach():
    d = np.linspace(2.5, 5.2, 271)
    energy = energy_of(between(5.0), d, 0.0, 1.0)
    np.testing.assert_allclose(energy[d < 3.0], COULOMB_EV_A / d[d < 3.0], rtol=1e-6)
    np.testing.assert_allclose(energy[d >= 5.0], 0, atol=1e-12)
    assert np.abs(np.diff(energy, n=2)).max() < 2e-3


def test_what_molecules_do_to_each_other_is_found_again(water_frames):
    field = match_forces(water_frames)
    residual = water_frames.forces - field.evaluate(water_frames.positions)[1]
    alone = water_frames.forces - field.without_intermolecular().evaluate(water_frames.positions)[1]
    assert residual.std() * KCAL_MOL_PER_EV < 0.5
    assert alone.std() > 5 * residual.std()


def test_forces_in_a_cell_are_the_gradient(boxed, boxed_waters):
    positions, cells, h = boxed_waters.positions[:3], boxed_waters.cells[:3], 1e-5
    forces = boxed.evaluate(positions, cells)[1]
    for atom in range(6):
        for axis in range(3):
            shift = np.zeros_like(positions)
            shift[:, atom, axis] = h
            up, down = (boxed.evaluate(positions + sign * shift, cells)[0] for sign in (1, -1))
            np.testing.assert_allclose(forces[:, atom, axis], (down - up) / (2 * h), atol=1e-6)


def test_whole_cells_make_no_difference(boxed, boxed_waters):
    """The field matched to molecules cut by faces does with them what it does with whole ones."""
    moves = np.random.default_rng(0).integers(-2, 3, size=boxed_waters.positions.shape)
    energies, forces = boxed.evaluate(boxed_waters.positions, boxed_waters.cells)
    moved = boxed.evaluate(boxed_waters.positions + moves @ boxed_waters.cells, boxed_waters.cells)
    np.testing.assert_allclose(moved[0], energies, atol=1e-9)
    np.testing.assert_allclose(moved[1], forces, atol=1e-9)
    residual = boxed_waters.forces - forces
    assert residual.std() * KCAL_MOL_PER_EV < 0.5


def test_small_blocks_are_as_good_as_one(boxed, boxed_waters, monkeypatch):
    expected = boxed.evaluate(boxed_waters.positions, boxed_waters.cells)
    monkeypatch.setattr("mdaug.augmentation.force_matching.force_field.PAIRS_AT_ONCE", 40)
    for value, same in zip(boxed.evaluate(boxed_waters.positions, boxed_waters.cells), expected, strict=True):
        np.testing.assert_allclose(value, same, atol=1e-12)


def test_plateaus_are_those_of_molecules_by_themselves(water_frames):
    """Whatever a hydrogen bond does to the bond that is stretched along it."""
    field = initial_force_field(water_frames)
    charged = field.parameters.copy()
    charged[field.terms.n_coefficients + 1 : field.n_linear : 2] = [0.69, -0.34, 0.17]
    start = water_frames.positions[0].copy()
    start[3:] = np.array([[2.85, 0, 0], [3.2, 0.6, 0.7], [3.2, 0.2, -0.9]])
    plain, close = (set_plateaus(field.with_parameters(p), start) for p in (field.parameters, charged))
    assert np.linalg.norm(minimized(field.with_parameters(charged), start)[3] - start[0]) < 3.5
    np.testing.assert_allclose(close.plateaus, plain.plateaus, atol=1e-3)
