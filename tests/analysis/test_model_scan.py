import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.analysis.model_scan import (
    bond_to_hydrogen,
    calculated_reference,
    minimum_with_same_bonds,
    reference_end,
    reference_from_csv,
    scan_grid,
    scan_model,
    scan_reach,
)
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.errors import DataError
from mdaug.units import KCAL_MOL_PER_EV


@pytest.fixture
def scan(morse, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    return bond_scan(pair_potential(morse.energy, morse.slope), start, (0, 1), scan_distances(0.8, 1.6, 0.02))


def test_calculated_reference_is_zero_at_the_same_geometry(scan, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    harmonic = pair_potential(lambda d: 7.0 + (d - 0.9) ** 2, lambda d: 2 * (d - 0.9))
    with_curve = calculated_reference(scan, harmonic, start, "harmonic")
    expected = ((scan.distances_A - 0.9) ** 2 - 0.01) * KCAL_MOL_PER_EV
    np.testing.assert_allclose(with_curve.reference_kcal_mol, expected, atol=1e-9)
    assert with_curve.reference_label == "harmonic"


def test_a_reference_ends_where_it_is_of_no_use(scan, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    harmonic = pair_potential(lambda d: (d - 1) ** 2, lambda d: 2 * (d - 1))
    cut = calculated_reference(scan, harmonic, start, "harmonic", to_A=1.2)
    np.testing.assert_array_equal(np.isfinite(cut.reference_kcal_mol), scan.distances_A <= 1.2)


def test_scans_of_one_molecule_go_past_the_cutoff():
    water = molecule("H2O")
    manifest = {"cutoff_A": 5.0}
    assert scan_grid(water, (0, 1), reach_A=scan_reach(manifest, water))[-1] == pytest.approx(5.5)
    assert reference_end(water, (0, 1)) == pytest.approx(2.5 * water.get_distance(0, 1), abs=1e-4)
    far = water.copy()
    far.translate([4.0, 0, 0])
    assert scan_reach(manifest, water + far) == 0.0  # fragments would meet the other molecule
    in_cell = water.copy()
    in_cell.set_cell([9.0, 9.0, 9.0])
    in_cell.pbc = True
    assert scan_reach(manifest, in_cell) == 0.0


def test_csv_is_interpolated_and_not_shifted(scan, tmp_path):
    path = tmp_path / "ccsdt.csv"
    coarse = np.arange(0.9, 1.5, 0.05)
    rows = [f"{d},{100 * (d - 1) ** 2 + 5}" for d in coarse]
    path.write_text("distance_A,energy_kcal_mol\n" + "\n".join(rows) + "\n")
    with_curve = reference_from_csv(scan, path)
    inside = (scan.distances_A >= 0.9) & (scan.distances_A <= coarse[-1])
    expected = 100 * (scan.distances_A[inside] - 1) ** 2 + 5
    np.testing.assert_allclose(with_curve.reference_kcal_mol[inside], expected, atol=1e-9)
    assert np.isnan(with_curve.reference_kcal_mol[~inside]).all()
    assert with_curve.reference_label == "ccsdt"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("d,e\n1,2\n", "expected columns"),
        ("distance_A,energy_kcal_mol\n1,x\n", "expected columns"),
        ("distance_A,energy_kcal_mol\n1,2\n2,3\n", "at least 4"),
        ("distance_A,energy_kcal_mol\n1,2\n1,3\n2,3\n3,3\n", "twice"),
    ],
)
def test_bad_files_are_named(scan, tmp_path, text, message):
    path = tmp_path / "bad.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=rf"bad\.csv.*{message}"):
        reference_from_csv(scan, path)


def test_missing_file(scan, tmp_path):
    with pytest.raises(DataError, match="No such file"):
        reference_from_csv(scan, tmp_path / "none.csv")


def test_a_model_scan_has_training_range_and_reference(morse, pair_potential, tmp_path):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    model = pair_potential(morse.energy, morse.slope)
    trained = {"atomic_numbers": [7, 1], "positions": [[0, 0, 0], [0, 0, 1.0]]}
    bonds = [{"atoms": [0, 1], "mean_A": 1.0, "range_A": [0.9, 1.2]}]
    manifest = {"training": {"bonds": bonds, "reference_structure": trained}}
    distances = scan_grid(start, (0, 1), range_A=(0.8, 1.6))
    calls = []
    result = scan_model(
        model,
        manifest,
        start,
        (0, 1),
        distances,
        label="mine",
        reference=pair_potential(lambda d: (d - 0.9) ** 2, lambda d: 2 * (d - 0.9)),
        reference_label="harmonic",
        progress=lambda *call: calls.append(call),
    )
    assert (result.label, result.training_range_A) == ("mine", (0.9, 1.2))
    assert result.reference_label == "harmonic"
    assert scan_metrics(result)["unlike_training"] == list(result.unlike_training)
    assert result.unlike_training[0].startswith("trained on HN; this is HO:")
    np.testing.assert_allclose(
        result.reference_kcal_mol, ((distances - 0.9) ** 2 - 0.01) * KCAL_MOL_PER_EV, atol=1e-9
    )
    n = len(distances)
    assert (calls[n - 1], calls[-1], len(calls)) == (("scan", n, n), ("reference", n, n), 2 * n)
    path = tmp_path / "curve.csv"
    path.write_text("distance_A,energy_kcal_mol\n" + "".join(f"{d},{d}\n" for d in (0.8, 1.0, 1.2, 1.6)))
    from_file = scan_model(model, {}, start, (0, 1), distances, label="mine", reference=path)
    assert from_file.training_range_A is None
    np.testing.assert_allclose(from_file.reference_kcal_mol, distances, atol=1e-9)


def test_the_grid_is_relative_to_the_bond_or_absolute():
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    assert scan_grid(start, (0, 1))[[0, -1]] == pytest.approx([0.6, 2.5])
    assert scan_grid(start, (0, 1), range_A=(0.5, 1.5), step_A=0.5) == pytest.approx([0.5, 1.0, 1.5])
    assert scan_grid(start, (1, 0), relative_range=(0.5, 2), n_points=4) == pytest.approx([0.5, 1, 1.5, 2])
    for bond in ((0, 2), (-1, 0)):
        with pytest.raises(DataError, match="expected atoms from 0 to 1"):
            scan_grid(start, bond)


def test_the_minimum_is_taken_only_with_the_bonds_of_the_start(ethanol, morse, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.1]])
    minimum = minimum_with_same_bonds(pair_potential(morse.energy, morse.slope), start)
    assert minimum.get_distance(0, 1) == pytest.approx(morse.length, abs=1e-3)
    repulsive = pair_potential(lambda d: 5.0 * np.exp(-d), lambda d: -5.0 * np.exp(-d))
    assert minimum_with_same_bonds(repulsive, start) is start
    assert bond_to_hydrogen({"bonds": [{"atoms": [0, 6]}, {"atoms": [3, 2]}]}, ethanol) == (2, 3)
