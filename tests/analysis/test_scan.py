import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import CalculationFailed

from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.errors import DataError
from mdaug.units import KCAL_MOL_PER_EV


@pytest.mark.parametrize("bond", [(0, 1), (1, 0)])
def test_scan_of_a_morse_diatomic_is_the_closed_form(morse, pair_potential, bond):
    start = Atoms("OH", [[0.1, 0.2, 0.3], [0.1 + 0.6, 0.2 + 0.8, 0.3]])  # 1 Å, not the minimum
    distances = scan_distances(0.6, 2.5, 0.02)
    scan = bond_scan(pair_potential(morse.energy, morse.slope), start, bond, distances)
    energy = (morse.energy(distances) - morse.energy(np.array(1.0))) * KCAL_MOL_PER_EV
    np.testing.assert_allclose(scan.energy_kcal_mol, energy, atol=1e-9)
    np.testing.assert_allclose(
        scan.force_along_bond_kcal_mol_A, -morse.slope(distances) * KCAL_MOL_PER_EV, atol=1e-9
    )
    assert scan.zero_distance_A == pytest.approx(1.0)
    assert scan.force_along_bond_kcal_mol_A[0] > 0 > scan.force_along_bond_kcal_mol_A[-1]


def test_force_is_the_slope_when_a_whole_fragment_moves(ethanol, morse, pair_potential):
    calculator = pair_potential(morse.energy, morse.slope)
    h = 1e-4
    scan = bond_scan(calculator, ethanol, (1, 2), np.array([1.3 - h, 1.3, 1.3 + h]))
    slope = (scan.energy_kcal_mol[2] - scan.energy_kcal_mol[0]) / (2 * h)
    assert scan.moving == (2, 3)
    assert scan.force_along_bond_kcal_mol_A[1] == pytest.approx(-slope, rel=1e-6)


def test_fragment_moves_rigidly_and_the_start_is_untouched(ethanol, morse, pair_potential):
    seen = []

    class Watching(pair_potential):
        def calculate(self, atoms=None, *arguments):
            seen.append(atoms.copy())
            super().calculate(atoms, *arguments)

    before = ethanol.positions.copy()
    bond_scan(Watching(morse.energy, morse.slope), ethanol, (0, 1), np.array([1.2, 2.0]))
    far = seen[-1]
    assert far.get_distance(0, 1) == pytest.approx(2.0)
    assert np.ptp((far.positions - before)[[0, 6, 7, 8]], axis=0) == pytest.approx([0, 0, 0], abs=1e-12)
    assert (far.positions == before)[[1, 2, 3, 4, 5]].all()
    assert (ethanol.positions == before).all()
    assert ethanol.calc is None


def test_csv_has_the_columns_of_the_contract(morse, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])
    scan = bond_scan(pair_potential(morse.energy, morse.slope), start, (0, 1), np.array([0.9, 0.97]))
    lines = scan.to_csv().splitlines()
    assert lines[0] == "distance_A,energy_kcal_mol,force_along_bond_kcal_mol_A"
    assert lines[2].startswith("0.970000,0.000000,")
    lines = scan.with_reference(np.array([1.0, np.nan]), "true").to_csv().splitlines()
    assert lines[0].endswith(",reference_kcal_mol")
    assert lines[1].endswith(",1.000000")
    assert lines[2].endswith(",")


def test_a_failing_calculator_is_passed_on_or_becomes_a_gap(pair_potential):
    def energy(d):
        if d[0] > 1.5:
            raise CalculationFailed("SCF")
        return d

    calculator = pair_potential(energy, np.ones_like)
    start, distances = Atoms("OH", [[0, 0, 0], [0, 0, 0.97]]), np.array([1.0, 2.0])
    with pytest.raises(CalculationFailed):
        bond_scan(calculator, start, (0, 1), distances)
    scan = bond_scan(calculator, start, (0, 1), distances, allow_failures=True)
    assert np.isfinite(scan.energy_kcal_mol).tolist() == [True, False]


@pytest.mark.parametrize(("energy", "slope"), [(np.inf, 1.0), (1.0, np.nan)])
def test_energies_and_forces_that_are_not_finite_are_an_error(pair_potential, energy, slope):
    calculator = pair_potential(lambda d: d * energy, lambda d: d * slope)
    with pytest.raises(DataError, match="finite"):
        bond_scan(calculator, Atoms("OH", [[0, 0, 0], [0, 0, 0.97]]), (0, 1), np.array([1.0, 2.0]))


def test_distances_include_both_ends():
    np.testing.assert_allclose(scan_distances(0.6, 0.9, 0.1), [0.6, 0.7, 0.8, 0.9])
    np.testing.assert_allclose(scan_distances(0.6, 0.85, 0.1), [0.6, 0.7, 0.8, 0.85])
    assert len(scan_distances(0.6, 2.5, 0.02)) == 96


@pytest.mark.parametrize("arguments", [(0.0, 1.0, 0.1), (1.0, 0.9, 0.1), (1.0, 2.0, 0.0)])
def test_impossible_ranges_are_refused(arguments):
    with pytest.raises(DataError, match="scan range"):
        scan_distances(*arguments)
