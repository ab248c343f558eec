"""Rigid motions are counted, drawn without and removed, of one structure and of many."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.geometry.rigid_motion import (
    degrees_of_freedom,
    internal_basis,
    n_rigid_motions,
    rigid_basis,
    temperature_K,
    thermal_momenta,
    without_rigid_motion,
)
from mdaug.units import BOLTZMANN_EV_K


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        (molecule("CH3CH2OH"), 3 * 9 - 6),
        (molecule("H2O"), 3),
        (molecule("CO2"), 3 * 3 - 5),
        (molecule("N2"), 1),
        (bulk("Si", cubic=True), 3 * 8 - 3),
        (Atoms("Ar"), 0),
    ],
)
def test_degrees_of_freedom(atoms: Atoms, expected: int) -> None:
    assert degrees_of_freedom(atoms) == expected


@pytest.mark.parametrize("name", ["CH3CH2OH", "CO2", "N2"])
def test_thermal_momenta_have_the_temperature_and_no_rigid_motion(name: str) -> None:
    atoms = molecule(name)
    atoms.rotate(35, (1, 2, 3))
    atoms.translate((10.0, -4.0, 2.0))
    rng = np.random.default_rng(1)
    kinetic = []
    for _ in range(3000):
        momenta = thermal_momenta(atoms.positions, atoms.get_masses(), 300.0, n_rigid_motions(atoms), rng)
        atoms.set_momenta(momenta)
        kinetic.append(atoms.get_kinetic_energy())
    assert np.abs(momenta.sum(axis=0)).max() < 1e-12
    assert np.abs(np.cross(atoms.positions, momenta).sum(axis=0)).max() < 1e-11
    temperatures = [temperature_K(k, degrees_of_freedom(atoms)) for k in kinetic]
    error = 300.0 * np.sqrt(2.0 / degrees_of_freedom(atoms) / len(kinetic))
    assert abs(np.mean(temperatures) - 300.0) < 4 * error


def test_momenta_of_a_cell_may_turn_but_not_move() -> None:
    atoms = bulk("Si", cubic=True)
    momenta = thermal_momenta(atoms.positions, atoms.get_masses(), 300.0, 3, np.random.default_rng(0))
    assert np.abs(momenta.sum(axis=0)).max() < 1e-12
    assert np.abs(np.cross(atoms.positions, momenta).sum(axis=0)).max() > 1.0


def test_temperature_is_that_of_equipartition() -> None:
    assert temperature_K(21 * BOLTZMANN_EV_K * 300.0 / 2, 21) == pytest.approx(300.0)


@pytest.mark.parametrize(("name", "n_rigid"), [("CH3CH2OH", 6), ("CO2", 5), ("N2", 5)])
def test_many_structures_lose_translation_and_rotation_and_nothing_else(name: str, n_rigid: int) -> None:
    rng, atoms = np.random.default_rng(0), molecule(name)
    masses, positions = atoms.get_masses(), np.empty((20, len(atoms), 3))
    for frame in range(20):
        turned = atoms.copy()
        turned.rotate(rng.uniform(0, 180), rng.normal(size=3))
        positions[frame] = turned.positions + rng.normal(0, 5, 3)
    drawn = rng.normal(size=positions.shape)
    basis = rigid_basis(positions, masses)
    assert basis.any(axis=(2, 3)).sum(axis=1).tolist() == [n_rigid] * 20
    momenta = without_rigid_motion(drawn, masses, basis)
    assert np.abs(momenta.sum(axis=1)).max() < 1e-12
    assert np.abs(np.cross(positions, momenta).sum(axis=1)).max() < 1e-11
    removed = ((drawn - momenta) / np.sqrt(masses)[:, None]).reshape(20, -1)
    kept = (momenta / np.sqrt(masses)[:, None]).reshape(20, -1)
    assert np.abs(np.sum(removed * kept, axis=1)).max() < 1e-11
    one = without_rigid_motion(drawn[3], masses, rigid_basis(positions[3], masses, n_rigid))
    np.testing.assert_allclose(momenta[3], one, atol=1e-12)


@pytest.mark.parametrize(("name", "n_internal"), [("CH3CH2OH", 21), ("CO2", 4), ("H", 0)])
def test_internal_motions_are_all_others(name: str, n_internal: int) -> None:
    atoms = molecule(name) if len(name) > 1 else Atoms("H", [[3.3, -1.7, 0.9]])
    masses = atoms.get_masses()
    internal = internal_basis(atoms.positions, masses).reshape(n_internal, 3 * len(atoms))
    np.testing.assert_allclose(internal @ internal.T, np.eye(n_internal), atol=1e-12)
    rigid = rigid_basis(atoms.positions, masses).reshape(6, -1)
    np.testing.assert_allclose(internal @ rigid.T, 0.0, atol=1e-12)
