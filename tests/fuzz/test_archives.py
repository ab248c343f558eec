"""Zip files, pickles and JSON that crash, fill the memory, or mean different things to two programs."""

import copy
import gzip
import io
import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from mdaug.archives import load_npz, open_zip, parse_json
from mdaug.data import load_frames
from mdaug.data.readers.torch_pickle import load_torch
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.pickles import MAX_DEPTH, check_pickle
from mdaug.training.checkpoint import load_checkpoint
from tests.fuzz.mutations import pack, zipped

pytestmark = pytest.mark.slow

NESTED = b"\x80\x02})" + b"\x85" * 3_000_000 + b"K\x01s."
"""A dictionary whose key is three million tuples inside one another: hashing it overflows the C stack."""

MUCH = 600 << 20

READERS = {
    "nff": "from mdaug.data import load_frames; load_frames({!r})",
    "checkpoint.pt": "from mdaug.training.checkpoint import load_checkpoint; "
    "from pathlib import Path; load_checkpoint(Path({!r}))",
    "model.pt": "from mdaug.deployment import load_model; load_model({!r})",
}


def outcome(kind: str, path: Path) -> tuple[int, str]:
    """Exit status and last line of the errors of a process that reads the file."""
    done = subprocess.run(
        [sys.executable, "-c", READERS[kind].format(str(path))],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, (done.stderr.strip().splitlines() or [""])[-1]


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_twice(held: dict[str, bytes], name: str, second: bytes, path: Path) -> Path:
    """Write a zip file with two members of one name."""
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in held.items():
            archive.writestr(member, content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, second)
    return path


class _View:
    """A tensor as torch pickles it, with any shape and strides."""

    def __init__(self, size: tuple, stride: tuple, offset: object = 0) -> None:
        self.view = (offset, size, stride)

    def __reduce__(self) -> tuple:
        return torch._utils._rebuild_tensor_v2, (_Storage(), *self.view, False, {})


class _Storage:
    pass


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: object) -> object:
        return ("storage", torch.DoubleStorage, "0", "cpu", 4) if isinstance(value, _Storage) else None


def torch_file(view: _View, path: Path) -> Path:
    stream = io.BytesIO()
    _Pickler(stream, protocol=2).dump({"props": {"nxyz": view}})
    return write(path, zipped({"a/data.pkl": stream.getvalue(), "a/data/0": bytes(32)}))


FAR = (1 << 62) + 10**9
"""Two steps of this are negative in 64 bits, and eight times one of them is 8 GB."""


def test_strides_that_wrap_do_not_read_elsewhere(tmp_path) -> None:
    path = torch_file(_View((2, 2), (FAR, FAR)), tmp_path / "dataset.pth.tar")
    code, line = outcome("nff", path)
    assert code == 1 and "tensor larger than its storage" in line


@pytest.mark.parametrize(
    "view",
    [
        _View((2, 2), (FAR, FAR)),
        _View((1 << 32, 1 << 32), (0, 0)),
        _View((2,), (1,), 1 << 63),
        _View((2,), (1 << 200,)),
        _View((-1,), (1,)),
        _View((2.0,), (1,)),
        _View((2, 2), (1,)),
        _View((1,) * 70, (1,) * 70),
        _View("22", "11"),
    ],
)
def test_impossible_views_are_refused(view, tmp_path) -> None:
    content = load_torch(torch_file(view, tmp_path / "dataset.pth.tar"), ())
    with pytest.raises(ValueError, match="tensor"):
        content["props"]["nxyz"].numpy()


@pytest.mark.parametrize("kind", READERS)
def test_nested_pickles_do_not_crash(kind, house) -> None:
    source = members(house.good(kind))
    (name,) = [name for name in source if name.endswith("data.pkl")]
    code, line = outcome(kind, write(house.path / kind, zipped(source | {name: NESTED})))
    assert code == 1 and f"more than {MAX_DEPTH} containers inside one another" in line


def test_a_nested_pickle_in_the_old_container_is_refused(tmp_path, house) -> None:
    stream = io.BytesIO()
    torch.save({"props": {}}, stream, _use_new_zipfile_serialization=False)
    head = stream.getvalue()[: stream.getvalue().index(b"props") - 20]
    for content in (head + NESTED, NESTED):
        path = write(tmp_path / "dataset.pth.tar", content)
        with pytest.raises(DataError):
            load_torch(path, ())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x80\x02]r\xff\xff\xff\xff.", "memo index 4294967295"),
        (NESTED, "containers inside one another"),
        (b"\x80\x02" + b"(" * 300 + b"l" * 300 + b".", "containers inside one another"),
        (b"\x80\x02)" + b"\x85q\x00h\x00" * 300 + b".", "containers inside one another"),
        (b"\x80\x02\x85.", "broken pickle"),
        (b"\x80\x02h\x07.", "broken pickle"),
        (b"\x80\x02]", "STOP"),
    ],
)
def test_pickles_are_checked_before_they_are_read(content, message) -> None:
    with pytest.raises(ValueError, match=message):
        check_pickle(content)


def test_pickles_of_data_pass() -> None:
    for protocol in range(6):
        many = [({"a": [1.5, None, ("x", b"y")]}, {1, 2}, frozenset({3}), np.arange(3))] * 50
        check_pickle(pickle.dumps([*many, list(range(5000)), many], protocol))


def test_bombs_are_not_unpacked(house) -> None:
    model = members(house.good("model.pt"))
    (manifest,) = [name for name in model if name.endswith("manifest.json")]
    path = house.path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in model.items():
            if name != manifest:
                archive.writestr(name, content)
        with archive.open(manifest, "w") as stream:
            stream.write(model[manifest])
            for _ in range(MUCH >> 20):
                stream.write(b" " * (1 << 20))
    with pytest.raises(DataError, match="bytes would unpack to 6"):
        read_manifest(path)
    npz = house.path / "bomb.npz"
    with zipfile.ZipFile(npz, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("R.npy", "w") as array:
        for _ in range(MUCH >> 20):
            array.write(bytes(1 << 20))
    with pytest.raises(DataError, match="bytes would unpack to 6"):
        load_frames(str(npz))


def test_a_compressed_file_that_unpacks_to_far_more_is_refused(tmp_path) -> None:
    path = tmp_path / "frames.xyz.gz"
    with gzip.open(path, "wb") as stream:
        for _ in range(MUCH >> 20):
            stream.write(b"0 " * (1 << 19))
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match=r"frames\.xyz\.gz: unpacks to more than 0\.25 GB"):
        load_frames(str(path))


def test_members_that_overlap_are_refused(tmp_path) -> None:
    path = tmp_path / "overlap.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", bytes(100_000))
        for n in range(3):
            other = copy.copy(archive.filelist[0])
            other.filename = f"b{n}.npy"
            archive.filelist.append(other)
    with pytest.raises(zipfile.BadZipFile, match="overlap"), open_zip(path):
        pass


@pytest.mark.parametrize("shape", ["(1000000000000,)", "(-8,)", "(4294967296, 4294967296)", "(0, -1)"])
def test_arrays_of_impossible_shape_take_no_memory(shape, house) -> None:
    held = members(house.good("npz"))
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    forged = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(64)
    path = write(house.path / "shape.npz", zipped(held | {"R.npy": forged}))
    with pytest.raises(DataError, match="its bytes do not suffice"):
        load_frames(str(path))


def test_npz_files_read_as_numpy_reads_them(tmp_path) -> None:
    arrays = {
        "a": np.arange(6.0).reshape(2, 3).T,
        "b": np.array("text"),
        "c": np.zeros((0, 3)),
        "d": np.int8(3),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        back = load_npz(tmp_path / "a.npz")
        assert list(back) == list(arrays)
        for name, array in arrays.items():
            assert back[name].dtype == np.asarray(array).dtype and np.array_equal(back[name], array)


@pytest.mark.parametrize("kind", ["npz", "nff", "checkpoint.pt", "model.pt"])
def test_two_members_of_one_name_are_refused(kind, house) -> None:
    held = members(house.good(kind))
    name = next(name for name in held if name.endswith(("R.npy", "data.pkl")))
    path = with_twice(held, name, held[name], house.path / f"twice.{kind}")
    read = {
        "npz": lambda: load_frames(str(path)),
        "nff": lambda: load_torch(path, ()),
        "checkpoint.pt": lambda: load_checkpoint(path),
        "model.pt": lambda: read_manifest(path),
    }[kind]
    with pytest.raises(DataError, match="2 members are named"):
        read()


def test_two_names_of_one_array_are_refused(house) -> None:
    with np.load(house.good("npz")) as arrays:
        held = {key: arrays[key] for key in arrays.files}
    packed = write(house.path / "a.npz", pack(held))
    source = members(packed)
    path = write(house.path / "two.npz", zipped(source | {"R": source["R.npy"]}))
    with pytest.raises(DataError, match="two arrays are named R"):
        load_frames(str(path))


def test_a_model_with_two_manifests_is_refused(house) -> None:
    held = members(house.good("model.pt"))
    (manifest,) = [name for name in held if name.endswith("/extra/manifest.json")]
    other = json.loads(held[manifest]) | {"cutoff_A": 3.0}
    for folder in ("a", "zz"):
        forged = {f"{folder}/extra/manifest.json": json.dumps(other).encode()}
        path = write(house.path / "two.pt", zipped(held | forged))
        with pytest.raises(DataError, match="one folder"):
            read_manifest(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"cutoff_A"', '"cutoff_A": 3.0, "cutoff_A"', "the key 'cutoff_A' occurs twice"),
        ('"training": {', '"training": {"x": NaN, ', "NaN is no number"),
        ('"training": {', '"training": {"x": 1e999, ', "1e999 is no number"),
        ('"training": {', '"training": {"x": ' + "[" * 100_000 + "]" * 100_000 + ", ", "nests too deeply"),
        ('"training": {', '"training": {"x": ' + "9" * 5000 + ", ", "not readable JSON"),
    ],
)
def test_manifests_that_two_parsers_read_differently_are_refused(old, new, message, house) -> None:
    held = members(house.good("model.pt"))
    (name,) = [name for name in held if name.endswith("/extra/manifest.json")]
    text = held[name].decode().replace(old, new, 1)
    path = write(house.path / "forged.pt", zipped(held | {name: text.encode()}))
    with pytest.raises(DataError, match=message):
        read_manifest(path)


def test_json_of_ours_passes() -> None:
    assert parse_json('{"a": [1, 2.5e-3, null, true], "b": {"a": "x"}}') == {
        "a": [1, 0.0025, None, True],
        "b": {"a": "x"},
    }
