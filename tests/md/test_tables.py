"""The shadow energy is conserved where the total energy is not; its table survives kills."""

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.morse import MorsePotential

from mdaug.analysis.drift import energy_drift
from mdaug.analysis.thermo_log import read_thermo
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.md.tables import ShadowTable, shadow_correction
from mdaug.units import FS


def test_correction_by_hand():
    """Two atoms: Δt²/24 (|F₁|²/m₁ + |F₂|²/m₂)."""
    forces = np.array([[3.0, 0.0, 4.0], [0.0, -2.0, 0.0]])
    expected = (0.7 * FS) ** 2 / 24 * (25.0 / 2.0 + 4.0 / 8.0)
    assert shadow_correction(forces, np.array([2.0, 8.0]), 0.7) == pytest.approx(expected, rel=1e-14)


def test_means_of_a_harmonic_oscillator_follow_its_shadow():
    """Verlet of one mode from its turning point: the mean of E + correction is the same for every energy
    up to the fraction (ωΔt)² that E itself is off, to higher order."""
    masses, k, timestep_fs = np.array([1.0]), 30.0, 1.0
    dt = timestep_fs * FS
    offsets = []
    for corrected in (False, True):
        x, p, total = 0.3, 0.0, []
        for _ in range(20000):
            p -= 0.5 * dt * k * x
            x += dt * p
            p -= 0.5 * dt * k * x
            forces = np.array([[-k * x, 0.0, 0.0]])
            energy = 0.5 * p**2 + 0.5 * k * x**2
            total.append(energy + (shadow_correction(forces, masses, timestep_fs) if corrected else 0.0))
        # the exact shadow energy of a harmonic mode started at rest: E - (dt^2/24) F^2/m
        exact = 0.5 * k * 0.3**2 - dt**2 / 24 * (k * 0.3) ** 2
        offsets.append(abs(np.mean(total) - exact) / exact)
    assert offsets[1] < 0.1 * offsets[0]


def test_rows_after_the_restart_are_cut(tmp_path):
    path, masses = tmp_path / "shadow.csv", np.ones(1)
    with ShadowTable(path, masses, 1.0, None) as table:
        for step in (0, 10, 20):
            table.write(step, float(step), -1.0, np.zeros((1, 3)))
    whole = path.read_bytes()
    path.write_bytes(whole + b"30,30.0,-1.0\n40,4")
    with ShadowTable(path, masses, 1.0, 20):
        pass
    assert path.read_bytes() == whole


def test_drift_is_fitted_to_the_shadow_energy(tmp_path):
    atoms = Atoms("N2", [[0, 0, 0], [0, 0, 1.1]])
    options = DynamicsOptions(steps=2000, timestep=1.0, equilibration=0.2, thermo_every=5)
    calculator = MorsePotential(epsilon=5.0, r0=1.1, rho0=3.0)
    run_dynamics(atoms, calculator, options, tmp_path)
    result = energy_drift(read_thermo(tmp_path))
    assert result.fitted == "shadow energy"
    (tmp_path / "shadow.csv").unlink()
    assert energy_drift(read_thermo(tmp_path)).fitted == "total energy"
