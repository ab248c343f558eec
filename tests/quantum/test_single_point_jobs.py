"""Keys of geometries and the store of finished points."""

import numpy as np
import pytest

from mdaug.errors import MDAugError
from mdaug.geometry.bonds import find_bonds
from mdaug.jobs import Where
from mdaug.quantum import Level, PointStore, SinglePointJob, compute
from mdaug.quantum.scans import parse_scan, scan_energies, scan_jobs
from mdaug.quantum.single_point import single_point

pytestmark = pytest.mark.pyscf

LEVEL = Level(method="hf", basis="sto-3g")


@pytest.fixture
def counted(monkeypatch):
    """Count the single points that are computed."""
    seen = []

    def count(atoms, level, **options):
        seen.append(options["unrestricted"])
        return single_point(atoms, level, **options)

    monkeypatch.setattr("mdaug.quantum.single_point_jobs.single_point", count)
    return seen


@pytest.fixture
def scanned(water):
    scans = [parse_scan(text, water) for text in ("bond:0-1=0.9:1.95:0.35", "bond:0-2=0.9:1.95:0.35")]
    return scans, scan_jobs(scans, water), find_bonds(water)


def test_mirror_bonds_are_computed_once_and_breaking_points_twice(scanned, counted, tmp_path):
    scans, sites, bonds = scanned
    told = []
    store = PointStore(tmp_path / "points.jsonl")
    energies = compute(sites, bonds, LEVEL, store, progress=lambda *counts: told.append(counts))
    # start, four restricted points, of which 1.6 and 1.95 Å break
    assert sorted(counted) == [False] * 5 + [True] * 2
    assert told[0] == (0, 7) and told[-1] == (7, 7)
    one, other = scan_energies(scans, energies)
    assert one.energy_kcal_mol == pytest.approx(other.energy_kcal_mol, abs=1e-9)
    assert np.isfinite(one.gap_kcal_mol).tolist() == [False, False, True, True]
    assert (one.gap_kcal_mol[2:] > 10).all()  # Hartree-Fock: the restricted one lies far above


def test_a_second_run_computes_what_the_first_did_not(scanned, counted, tmp_path):
    _, sites, bonds = scanned
    path = tmp_path / "points.jsonl"

    def stop_after_three(done, _total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compute(sites, bonds, LEVEL, PointStore(path), progress=stop_after_three)
    assert len(PointStore(path)) == len(counted) == 3
    compute(sites, bonds, LEVEL, PointStore(path))
    assert len(counted) == len(PointStore(path)) == 7
    compute(sites, bonds, LEVEL, PointStore(path))
    assert len(counted) == 7


def test_points_that_another_run_added_meanwhile_are_not_computed_again(scanned, counted, tmp_path):
    _, sites, bonds = scanned
    early = PointStore(tmp_path / "points.jsonl")
    found = compute(sites, bonds, LEVEL, PointStore(tmp_path / "points.jsonl"))
    assert compute(sites, bonds, LEVEL, early) == found
    assert len(counted) == 7


def test_where_all_is_known_the_file_is_not_locked(scanned, tmp_path):
    _, sites, bonds = scanned
    store = PointStore(tmp_path / "points.jsonl")
    found = compute(sites, bonds, LEVEL, store)
    with store.writing():
        assert compute(sites, bonds, LEVEL, PointStore(tmp_path / "points.jsonl")) == found


def test_without_workers_nothing_is_computed(scanned, counted, tmp_path):
    _, sites, bonds = scanned
    found = compute(sites, bonds, LEVEL, PointStore(tmp_path / "points.jsonl"), where=Where(0))
    assert counted == [] and len(found) == len(sites)
    assert all(np.isnan(one.energy_eV) for one in found)


def test_processes_give_the_same(scanned, tmp_path):
    _, sites, bonds = scanned
    one, two = (
        compute(sites, bonds, LEVEL, PointStore(tmp_path / f"{n}.jsonl"), where=Where(n)) for n in (1, 2)
    )
    assert [site.energy_eV for site in two] == pytest.approx([site.energy_eV for site in one], abs=1e-6)


def test_a_triplet_is_unrestricted_everywhere(water, tmp_path):
    level = LEVEL.model_copy(update={"multiplicity": 3})
    found = compute([SinglePointJob(water)], find_bonds(water), level, PointStore(tmp_path / "points.jsonl"))[
        0
    ]
    assert found.restricted is None
    assert found.spin_square == pytest.approx(2.0, abs=0.05)


def test_a_point_that_fails_is_left_out_and_computed_by_the_next_run(scanned, monkeypatch, tmp_path):
    _, sites, bonds = scanned

    def exhausted(atoms, level, **options):
        if atoms is sites[2].atoms:
            raise MemoryError
        return single_point(atoms, level, **options)

    monkeypatch.setattr("mdaug.quantum.single_point_jobs.single_point", exhausted)
    with pytest.warns(UserWarning, match=r"geometry 2 \(restricted\): MemoryError \(2 times\); another run"):
        found = compute(sites, bonds, LEVEL, PointStore(tmp_path / "points.jsonl"))
    assert [k for k, one in enumerate(found) if np.isnan(one.energy_eV)] == [2, 6]  # and its mirror image
    monkeypatch.undo()
    found = compute(sites, bonds, LEVEL, PointStore(tmp_path / "points.jsonl"))
    assert np.isfinite([one.energy_eV for one in found]).all()


def test_where_no_point_can_be_computed_the_first_failure_is_raised(scanned, monkeypatch, tmp_path):
    _, sites, bonds = scanned
    monkeypatch.setattr("mdaug.quantum.single_point_jobs.single_point", round)
    with pytest.raises(MDAugError, match=r"geometry 0 \(restricted\): TypeError"):
        compute(sites[:1], bonds, LEVEL, PointStore(tmp_path / "points.jsonl"))
