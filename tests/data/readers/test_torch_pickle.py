"""Torch files are read without torch and never do what they ask for."""

import builtins
import io
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mdaug.data.readers.torch_pickle import Storage, Tensor, load_torch
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

ZIP, LEGACY = True, False


def _save(path: Path, content: Any, container: bool = ZIP) -> Path:
    torch.save(content, path, _use_new_zipfile_serialization=container)
    return path


def _zip_of(path: Path, program: bytes) -> Path:
    """Return a torch file whose pickle is `program`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program)
    return path


@pytest.mark.parametrize("container", [ZIP, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.uint8, torch.bool]
)
def test_tensors_come_back_as_torch_wrote_them(tmp_path: Path, container: bool, dtype: torch.dtype) -> None:
    block = torch.arange(24).reshape(2, 3, 4).to(dtype)
    views = OrderedDict(
        whole=block, turned=block.transpose(0, 2), cut=block[1, :, 1:3], scalar=block[1, 1, 1]
    )
    views["empty"] = block[:0]
    back = load_torch(_save(tmp_path / "t.pt", views, container), ())
    for name, view in views.items():
        assert np.array_equal(back[name].numpy(), view.numpy()), name


class _Trap:
    """Asks the reader for a call when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


@pytest.mark.parametrize("container", [ZIP, LEGACY], ids=["zip", "legacy"])
@pytest.mark.parametrize("how", ["system", "exec", "open", "inside"])
def test_a_malicious_file_is_refused_and_nothing_happens(tmp_path: Path, container: bool, how: str) -> None:
    sprung = tmp_path / "sprung"
    trap = {
        "system": _Trap(os.system, f"touch {sprung}"),
        "exec": _Trap(builtins.exec, f"open({str(sprung)!r}, 'w')"),
        "open": _Trap(builtins.open, str(sprung), "w"),
        "inside": {"props": {"nxyz": [torch.zeros(2, 4), _Trap(os.system, f"touch {sprung}")]}},
    }[how]
    path = _save(tmp_path / "dataset.pth.tar", trap, container)
    with pytest.raises(DataError, match=r"its pickle names .* \(nothing was executed\)"):
        read_contents(path)
    assert not sprung.exists()
    torch.load(path, weights_only=False)  # the trap is a real one
    assert sprung.exists()


@pytest.mark.parametrize(
    "name", [b"posix\nsystem", b"builtins\ngetattr", b"torch._utils\n_rebuild_parameter"]
)
def test_any_name_not_on_the_list_is_refused(tmp_path: Path, name: bytes) -> None:
    program = b"\x80\x02c" + name + b"\n."
    with pytest.raises(DataError, match=name.replace(b"\n", b".").decode()):
        load_torch(_zip_of(tmp_path / "t.pt", program), ())


def test_one_file_cannot_alter_the_reading_of_the_next(tmp_path: Path) -> None:
    """BUILD with a slot state sets attributes of a class: each file gets classes of its own."""
    program = io.BytesIO()
    program.write(b"\x80\x02cnff.data.dataset\nDataset\n")
    program.write(b"N}X\x05\x00\x00\x00propsK\x07s\x86b.")
    classes = (("nff.data.dataset", "Dataset"),)
    altered = load_torch(_zip_of(tmp_path / "evil.pt", program.getvalue()), classes)
    assert altered.props == 7
    fresh = load_torch(_zip_of(tmp_path / "next.pt", b"\x80\x02cnff.data.dataset\nDataset\n."), classes)
    assert not hasattr(fresh, "props")


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (0, (100,), (1,)),
        (20, (9,), (1,)),
        (0, (5, 5), (5, 5)),
        (-1, (2,), (1,)),
        (0, (2,), (-1,)),
        (0, (99,), (0,)),
    ],
)
def test_a_view_may_not_leave_its_storage(tmp_path: Path, offset: int, size: tuple, stride: tuple) -> None:
    storage = load_torch(_save(tmp_path / "t.pt", torch.zeros(24)), ()).storage
    with pytest.raises(ValueError, match="tensor"):
        Tensor(storage, offset, size, stride).numpy()


@pytest.mark.parametrize("program", [b"", b"\x80\x02", b"not a pickle", pickle.dumps(3)[:-1]])
def test_broken_files_are_told(tmp_path: Path, program: bytes) -> None:
    with pytest.raises(DataError, match="broken torch file"):
        load_torch(_zip_of(tmp_path / "t.pt", program), ())


def test_strides_that_wrap_around_are_refused() -> None:
    storage = Storage("<f8")
    storage.values = np.arange(4.0)
    with pytest.raises(ValueError, match="larger than its storage"):
        Tensor(storage, 0, (2, 2), (2**63, 2**63)).numpy()
    with pytest.raises(ValueError, match="larger than its storage"):
        Tensor(storage, 0, (3,), (2**63 - 2**60,)).numpy()
