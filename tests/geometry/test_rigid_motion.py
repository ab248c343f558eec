import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule

from mdaug.geometry.rigid_motion import degrees_of_freedom, n_rigid_motions, temperature_K, thermal_momenta
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
