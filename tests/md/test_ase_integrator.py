import numpy as np
import pytest

from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K
from mdaug.md.ase_integrator import RigidFreeLangevin
from mdaug.units import FS

pytestmark = pytest.mark.slow


def test_thermostat_keeps_the_temperature_and_adds_no_rigid_motion(ethanol, springs) -> None:
    atoms = ethanol
    atoms.calc = springs(atoms)
    dynamics = RigidFreeLangevin(atoms, 0.5 * FS, 300.0, 0.1 / FS, np.random.default_rng(3))
    start = atoms.get_center_of_mass()
    forces, temperatures = atoms.get_forces(), []
    for _ in range(2500):
        forces = dynamics.step(forces)
        temperatures.append(temperature_K(atoms.get_kinetic_energy(), degrees_of_freedom(atoms)))
    # correlation time of the kinetic energy ~ 1/(2 friction) = 5 fs = 10 steps
    error = 300.0 * np.sqrt(2 / 21) / np.sqrt(2000 / 20)
    assert abs(np.mean(temperatures[500:]) - 300.0) < 4 * error
    assert np.abs(atoms.get_momenta().sum(axis=0)).max() < 1e-10
    assert np.abs(atoms.get_angular_momentum()).max() < 1e-9
    assert np.abs(atoms.get_center_of_mass() - start).max() < 1e-10


def test_harmonic_bond_has_the_exact_spread(springs) -> None:
    """BAOAB samples ⟨(d − d⁰)²⟩ of a harmonic spring without time-step error; L = 0 shifts it by O(kT)."""
    from ase import Atoms

    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 1.1]])
    k = 100.0
    atoms.calc = springs(atoms, k)
    dynamics = RigidFreeLangevin(atoms, 2.0 * FS, 300.0, 0.1 / FS, np.random.default_rng(0))
    forces, lengths = atoms.get_forces(), []
    for _ in range(3000):
        forces = dynamics.step(forces)
        lengths.append(atoms.get_distance(0, 1))
    expected = 8.617333262e-5 * 300.0 / k
    assert abs(np.var(lengths) / expected - 1.0) < 0.15
