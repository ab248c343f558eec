import numpy as np
import pytest
from ase.units import Hartree

from mdaug.analysis.model_scan import reference_from_csv
from mdaug.analysis.scan import ScanResult
from mdaug.errors import DataError
from mdaug.quantum.scans import parse_scan, scan_energies, scan_jobs
from mdaug.quantum.single_point_jobs import SinglePointResult


def test_names_columns_and_values(ethanol):
    one = parse_scan("torsion:0-1-2-3=-90:90:30", ethanol)
    assert (one.name, one.columns) == ("torsion-C0-C1-O2-H3", ["torsion_deg"])
    assert one.values[:, 0].tolist() == [-90, -60, -30, 0, 30, 60, 90]
    assert one.points[5].get_dihedral(0, 1, 2, 3) == pytest.approx(60)
    two = parse_scan("bond:2-3=1:2:0.5+angle:0-1-2=100:110:10", ethanol)
    assert two.columns == ["O2-H3_distance_A", "C0-C1-O2_angle_deg"]
    assert two.values.tolist() == [[1, 100], [1, 110], [1.5, 100], [1.5, 110], [2, 100], [2, 110]]
    assert two.points[4].get_distance(2, 3) == pytest.approx(2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bond", "scan bond: expected kind:i-j"),
        ("bond:2", "scan of bond 2: expected 2 different atoms"),
        ("bond:2-3=1:2", "scan bond:2-3=1:2: expected kind:i-j"),
        ("bond:a-b", "scan bond:a-b: expected kind:i-j"),
        ("bond:2-3=1:2:x", "scan bond:2-3=1:2:x: expected kind:i-j"),
        ("bond:2-3=2:1:0.1", "scan range 2:1:0.1: expected first < last"),
        ("2-3", "scan 2-3: expected kind:i-j"),
        ("bond:2-3=1:2:1+bond:1-2=1:2:1+bond:0-1=1:2:1", "expected one coordinate, or two joined by"),
    ],
)
def test_other_texts_are_refused(ethanol, text, message):
    with pytest.raises(DataError, match=message):
        parse_scan(text, ethanol)


def test_breaking_points_follow_the_next_further_out(ethanol):
    scans = [parse_scan("angle:0-1-2=100:110:10", ethanol), parse_scan("bond:2-3=1:2:0.25", ethanol)]
    sites = scan_jobs(scans, ethanol)
    assert [site.scan for site in sites] == [0, 0, 0, 1, 1, 1, 1, 1]
    assert [site.follows for site in sites] == [None, None, None, None, None, 6, 7, None]
    assert [bool(site.breaking) for site in sites] == [False] * 5 + [True] * 3
    assert sites[6].atoms.get_distance(2, 3) == pytest.approx(1.75)


def test_points_of_a_grid_follow_only_where_the_same_bonds_break(ethanol):
    sites = scan_jobs([parse_scan("bond:2-3=1:2:0.5+bond:1-2=1.3:2.3:0.5", ethanol)], ethanol)[1:]
    # rows: O-H 1, 1.5, 2; columns: C-O 1.3, 1.8, 2.3 (breaking beyond 1.26 and 1.85)
    assert [len(site.breaking) for site in sites] == [0, 0, 1, 1, 1, 2, 1, 1, 2]
    assert [site.follows for site in sites] == [None, None, None, 7, 8, 9, 8, None, None]


def record(energy, **more):
    return {"energy_Eh": energy, **more}


@pytest.fixture
def computed(ethanol):
    scan = parse_scan("bond:2-3=1:2:0.25", ethanol)
    unknown, paired = SinglePointResult(record(None)), record(None, spin_square=0.0)
    half, broken = record(-0.82, spin_square=0.5), record(-0.82, spin_square=1.01)
    energies = [
        SinglePointResult(record(-1.0)),
        unknown,
        SinglePointResult(record(-0.9), paired, breaking=True),
        SinglePointResult(record(-0.84), half, breaking=True),
        SinglePointResult(record(-0.84), broken, breaking=True),
        SinglePointResult(None, broken, breaking=True),
    ]
    return scan_energies([scan], energies)[0]


def test_energies_go_over_to_the_unrestricted_ones_and_are_zero_at_the_start(computed):
    hartree = 627.5095
    expected = np.array([np.nan, 0.1, 0.16 + 0.02 / 16, 0.18, 0.18]) * hartree
    assert computed.energy_kcal_mol == pytest.approx(expected, abs=1e-3, nan_ok=True)
    assert computed.gap_kcal_mol[2:4] == pytest.approx(np.full(2, -0.02 * hartree), abs=1e-3)
    assert np.isnan(computed.gap_kcal_mol[[0, 1, 4]]).all()
    assert computed.spin_square[2] == 0.5


def test_the_core_is_added_and_without_it_the_energy_is_unknown():
    assert SinglePointResult(record(-1.0), core=record(-0.1)).energy_eV / Hartree == pytest.approx(-1.1)
    assert np.isnan(SinglePointResult(record(-1.0), core=record(None)).energy_eV)


def test_csv_is_what_mdaug_scan_reads(computed, tmp_path):
    path = tmp_path / "bond-O2-H3.csv"
    path.write_text(computed.to_csv())
    header, first, known, *_ = path.read_text().splitlines()
    assert header.startswith(
        "distance_A,energy_kcal_mol,restricted_kcal_mol,unrestricted_kcal_mol,gap_kcal_mol"
    )
    assert first == "1.000000,,,,," and known.startswith("1.250000,62.75")
    points = np.array([1.25, 1.5, 2.0, 2.5])
    blank = ScanResult("model", (2, 3), "O2-H3", (3,), 0.97, points, points * 0, points * 0)
    read = reference_from_csv(blank, path).reference_kcal_mol
    assert read[:3] == pytest.approx(computed.energy_kcal_mol[[1, 2, 4]], abs=1e-5)
    assert np.isnan(read[3])


def test_without_a_zero_there_is_no_scan(ethanol):
    scan = parse_scan("bond:2-3=1:2:0.5", ethanol)
    unknown = SinglePointResult(record(None))
    with pytest.raises(DataError, match="the zero of the scans, did not converge"):
        scan_energies([scan], [unknown] * 4)
