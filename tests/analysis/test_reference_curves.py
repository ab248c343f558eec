import numpy as np
import pytest
from ase import Atoms

from mdaug.analysis.reference_curves import calculated_reference, reference_from_csv
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.errors import DataError
from mdaug.units import KCAL_MOL_PER_EV


@pytest.fixture
def scan(morse, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    return bond_scan(pair_potential(morse.energy, morse.slope), start, (0, 1), scan_distances(0.8, 1.6, 0.02))


def test_calculated_reference_is_zero_at_the_same_geometry(scan, pair_potential):
    start = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    harmonic = pair_potential(lambda d: 7.0 + (d - 0.9) ** 2, lambda d: 2 * (d - 0.9))
    found = calculated_reference(scan, harmonic, start, "harmonic")
    expected = ((scan.distances_A - 0.9) ** 2 - 0.01) * KCAL_MOL_PER_EV
    np.testing.assert_allclose(found.reference_kcal_mol, expected, atol=1e-9)
    assert found.reference_label == "harmonic"


def test_csv_is_interpolated_and_not_shifted(scan, tmp_path):
    path = tmp_path / "ccsdt.csv"
    coarse = np.arange(0.9, 1.5, 0.05)
    rows = [f"{d},{100 * (d - 1) ** 2 + 5}" for d in coarse]
    path.write_text("distance_A,energy_kcal_mol\n" + "\n".join(rows) + "\n")
    found = reference_from_csv(scan, path)
    inside = (scan.distances_A >= 0.9) & (scan.distances_A <= coarse[-1])
    expected = 100 * (scan.distances_A[inside] - 1) ** 2 + 5
    np.testing.assert_allclose(found.reference_kcal_mol[inside], expected, atol=1e-9)
    assert np.isnan(found.reference_kcal_mol[~inside]).all()
    assert found.reference_label == "ccsdt"


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
