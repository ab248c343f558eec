import ase.units
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.calculators.emt import EMT
from ase.vibrations import Vibrations as AseVibrations

from mdaug.analysis.relax import numerical_hessian, relax, relax_summary, vibrations
from mdaug.errors import DataError
from mdaug.quantum.calculators import calculator_factory


def test_a_morse_diatomic_vibrates_with_the_closed_form(morse, pair_potential):
    calculator = pair_potential(morse.energy, morse.slope)
    relaxed = relax(calculator, Atoms("OH", [[0.3, -0.2, 0.1], [0.5, 0.5, 0.9]]), fmax_eV_A=1e-6)
    assert relaxed.converged
    assert relaxed.atoms.get_distance(0, 1) == pytest.approx(morse.length, abs=1e-6)
    assert relaxed.energy_eV == pytest.approx(0.0, abs=1e-9)
    vibration = vibrations(calculator, relaxed.atoms, step_A=0.001)
    mass_O, mass_H = relaxed.atoms.get_masses() * ase.units._amu
    k = 2 * morse.depth * morse.stiffness**2 * ase.units._e * 1e20  # N/m
    expected = np.sqrt(k * (1 / mass_O + 1 / mass_H)) / (2 * np.pi * ase.units._c * 100)
    assert vibration.frequencies_cm1 == pytest.approx([expected], rel=1e-4)  # linear: 3N − 5 = 1
    assert vibration.zero_point_energy_eV == pytest.approx(0.5 * expected * 1.239841984e-4, rel=1e-4)


@pytest.mark.tblite
def test_water_agrees_with_ase_and_has_no_trace_of_rigid_motion(tmp_path):
    calculator = calculator_factory("GFN2-xTB")()
    relaxed = relax(calculator, molecule("H2O"))
    assert relaxed.max_force_eV_A < 1e-4
    vibration = vibrations(calculator, relaxed.atoms)
    watched = relaxed.atoms.copy()
    watched.calc = calculator
    by_ase = AseVibrations(watched, name=str(tmp_path / "vibrations"), delta=0.005)
    by_ase.run()
    assert vibration.frequencies_cm1 == pytest.approx(by_ase.get_frequencies()[-3:].real, abs=0.5)
    assert vibration.n_imaginary == 0
    # no mode moves the center of mass or turns the molecule
    masses, centred = relaxed.atoms.get_masses(), relaxed.atoms.positions - relaxed.atoms.get_center_of_mass()
    assert np.abs(np.einsum("a,max->mx", masses, vibration.modes)).max() < 1e-10
    assert np.abs(np.einsum("a,max->mx", masses, np.cross(centred, vibration.modes))).max() < 1e-10


def test_the_mode_of_the_diatomic_is_along_the_bond(morse, pair_potential):
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, morse.length]])
    mode = vibrations(pair_potential(morse.energy, morse.slope), atoms).modes[0]
    masses = atoms.get_masses()
    expected = np.array([[0, 0, -masses[1]], [0, 0, masses[0]]]) / np.hypot(*masses)
    assert np.abs((mode * expected).sum()) == pytest.approx(1.0)


def test_an_imaginary_frequency_is_negative(pair_potential):
    top = pair_potential(lambda d: -((d - 1.0) ** 2), lambda d: -2 * (d - 1.0))
    vibration = vibrations(top, Atoms("OH", [[0, 0, 0], [0, 0, 1.0]]))
    assert vibration.n_imaginary == 1
    assert vibration.frequencies_cm1[0] < -100
    assert vibration.zero_point_energy_eV == 0.0


def test_a_cell_keeps_its_rotations_and_loses_translations():
    vibration = vibrations(EMT(), bulk("Cu", cubic=True))
    assert len(vibration.frequencies_cm1) == 3 * 4 - 3
    assert vibration.n_imaginary == 0
    assert vibration.frequencies_cm1[0] > 50


def test_hessian_is_that_of_the_pair(morse, pair_potential):
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, morse.length]])
    hessian = numerical_hessian(pair_potential(morse.energy, morse.slope), atoms, step_A=1e-3)
    k = 2 * morse.depth * morse.stiffness**2
    assert hessian[2, 5] == pytest.approx(-k, rel=1e-4)
    assert hessian[5, 5] == pytest.approx(k, rel=1e-4)
    assert np.abs(hessian[np.ix_([0, 1, 3, 4], [0, 1, 3, 4])]).max() < 1e-3 * k


def test_start_is_untouched_and_giving_up_is_told(ethanol, morse, pair_potential):
    before = ethanol.positions.copy()
    result = relax(pair_potential(morse.energy, morse.slope), ethanol, max_steps=4)
    assert not result.converged
    assert result.n_steps == 4
    assert (ethanol.positions == before).all()


@pytest.mark.parametrize(("energy", "slope"), [(1.0, np.nan), (np.nan, 1.0)])
def test_broken_energies_and_forces_stop_the_relaxation(pair_potential, energy, slope):
    broken = pair_potential(lambda d: d * energy, lambda d: d * slope)
    with pytest.raises(DataError, match="finite"):
        relax(broken, Atoms("OH", [[0, 0, 0], [0, 0, 1.0]]))


def test_frequencies_are_not_computed_from_broken_forces(pair_potential):
    broken = pair_potential(lambda d: d, lambda d: d * np.nan)
    with pytest.raises(DataError, match=r"not finite where atom 0 is displaced by 0.005"):
        vibrations(broken, Atoms("OH", [[0, 0, 0], [0, 0, 1.0]]))


def test_summary_is_plain(morse, pair_potential):
    calculator = pair_potential(morse.energy, morse.slope)
    relaxed = relax(calculator, Atoms("OH", [[0, 0, 0], [0, 0, 1.0]]))
    summary = relax_summary(relaxed, vibrations(calculator, relaxed.atoms))
    assert summary["bond_lengths_A"] == {"O0-H1": pytest.approx(morse.length, abs=1e-4)}
    assert summary["n_imaginary"] == 0
    assert len(summary["frequencies_cm1"]) == 1
