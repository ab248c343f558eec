"""Keys of geometries and the store of finished points."""

import numpy as np
import pytest

from mdaug.errors import DataError, MDAugError
from mdaug.quantum.level import Level
from mdaug.quantum.point_store import PointStore, point_key


def add(path, key, record):
    with PointStore(path).writing() as add_to_file:
        add_to_file(key, record)


def test_points_are_there_for_the_next_run(tmp_path):
    path = tmp_path / "deep" / "points.jsonl"
    add(path, "a", {"energy_Eh": -1.5})
    store = PointStore(path)
    assert store.get("a") == {"energy_Eh": -1.5}
    assert store.get("b") is None
    with store.writing() as add_to_file:
        add_to_file("b", {"energy_Eh": None, "error": "it did not converge"})
    assert len(store) == len(PointStore(path)) == 2
    assert [file.name for file in path.parent.iterdir()] == ["points.jsonl"]


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path):
    path = tmp_path / "points.jsonl"
    add(path, "a", {"energy_Eh": -1.0})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "b", "energy')
    assert len(PointStore(path)) == 1
    add(path, "c", {"energy_Eh": -3.0})
    assert path.read_bytes().startswith(whole + b'{"key": "c"')
    assert len(PointStore(path)) == 2


def test_two_runs_with_one_file_do_not_write_at_once(tmp_path):
    path = tmp_path / "points.jsonl"
    one, other = PointStore(path), PointStore(path)
    with one.writing() as add_to_file:
        for key in "abcde":
            add_to_file(key, {"energy_Eh": 0.0})
        with pytest.raises(MDAugError, match="is being written by another process; wait"), other.writing():
            pass
    with other.writing() as add_to_file:
        assert other.get("e")  # what the first one found is known
        add_to_file("f", {"energy_Eh": 0.0})
    with one.writing() as add_to_file:
        add_to_file("g", {"energy_Eh": 0.0})
    assert len(PointStore(path)) == len(one) == 7


def test_files_joined_by_cat_are_one(tmp_path):
    for name in "ab":
        add(tmp_path / name, name, {"energy_Eh": 0.0})
    (tmp_path / "both").write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    both = PointStore(tmp_path / "both")
    assert both.get("a") and both.get("b")


@pytest.mark.parametrize("line", [b"energies\n", b'{"energy_Eh": 1}\n', b"[1]\n"])
def test_another_file_is_refused_with_the_line(tmp_path, line):
    path = tmp_path / "points.jsonl"
    add(path, "a", {})
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(DataError, match=r"points\.jsonl, line 2: expected a JSON object with a key"):
        PointStore(path)


@pytest.fixture
def bent(ethanol):
    """Ethanol without any symmetry."""
    ethanol.positions += np.random.default_rng(0).normal(scale=0.05, size=(9, 3))
    return ethanol


def test_turned_moved_mirrored_and_exchanged_molecules_are_one(bent):
    other = bent.copy()
    other.rotate(73, (1, 2, 3))
    other.translate((4, 5, 6))
    other.positions[:, 0] *= -1
    other = other[[0, 1, 2, 3, 5, 4, 8, 6, 7]]
    assert point_key(other, Level(), "restricted") == point_key(bent, Level(), "restricted")


def test_bonds_that_the_mirror_exchanges_are_one(ethanol):
    stretched = []
    for hydrogen in (4, 5):
        atoms = ethanol.copy()
        atoms.positions[hydrogen] += 0.3 * (atoms.positions[hydrogen] - atoms.positions[1])
        stretched.append(point_key(atoms, Level(), "restricted"))
    assert stretched[0] == stretched[1] != point_key(ethanol, Level(), "restricted")


def test_everything_that_changes_an_energy_changes_the_key(bent):
    moved = bent.copy()
    moved.positions[3, 0] += 1e-4
    swapped = bent.copy()
    swapped.positions[[2, 3]] = swapped.positions[[3, 2]]
    levels = [
        Level(),
        Level(method="mp2"),
        Level(basis="cc-pVDZ"),
        Level(correction_basis="sto-3g"),
        Level(frozen_core=False),
        Level(charge=1),
        Level(multiplicity=3),
    ]
    keys = [point_key(bent, level, "restricted") for level in levels]
    keys += [point_key(atoms, Level(), "restricted") for atoms in (moved, swapped)]
    keys.append(point_key(bent, Level(), "unrestricted"))
    assert len(set(keys)) == len(keys)


def test_capitals_do_not_matter(bent):
    keys = {point_key(bent, Level(method=m, basis=b), "restricted") for m, b in [("MP2", "CC-PVDZ")] * 2}
    keys.add(point_key(bent, Level(method="mp2", basis="cc-pVDZ"), "restricted"))
    assert len(keys) == 1


def test_with_forces_the_orientation_counts(bent):
    level = Level(method="mp2", forces=True)
    turned = bent.copy()
    turned.rotate(10, "z")
    keys = {point_key(atoms, level, "restricted") for atoms in (bent, bent.copy(), turned)}
    assert len(keys) == 2
