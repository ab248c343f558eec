import pytest

from mdaug.errors import DataError
from mdaug.reference.store import PointStore


def test_points_are_there_for_the_next_run(tmp_path):
    path = tmp_path / "deep" / "points.jsonl"
    PointStore(path).add("a", {"energy_Eh": -1.5})
    store = PointStore(path)
    assert store.get("a") == {"energy_Eh": -1.5}
    assert store.get("b") is None
    store.add("b", {"energy_Eh": None, "error": "it did not converge"})
    assert len(PointStore(path)) == 2


def test_a_torn_last_line_is_left_out_and_written_over(tmp_path):
    path = tmp_path / "points.jsonl"
    PointStore(path).add("a", {"energy_Eh": -1.0})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"key": "b", "energy')
    store = PointStore(path)
    assert len(store) == 1
    store.add("c", {"energy_Eh": -3.0})
    assert path.read_bytes().startswith(whole + b'{"key": "c"')
    assert len(PointStore(path)) == 2


def test_files_joined_by_cat_are_one(tmp_path):
    for name in "ab":
        PointStore(tmp_path / name).add(name, {"energy_Eh": 0.0})
    (tmp_path / "both").write_bytes((tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes())
    both = PointStore(tmp_path / "both")
    assert both.get("a") and both.get("b")


@pytest.mark.parametrize("line", [b"energies\n", b'{"energy_Eh": 1}\n', b"[1]\n"])
def test_another_file_is_refused_with_the_line(tmp_path, line):
    path = tmp_path / "points.jsonl"
    PointStore(path).add("a", {})
    path.write_bytes(path.read_bytes() + line)
    with pytest.raises(DataError, match=r"points\.jsonl, line 2: expected a JSON object with a key"):
        PointStore(path)
