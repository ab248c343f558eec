"""Read torch.save files without torch and without executing what they name.

A pickle names functions and calls them. This unpickler has a short list of names, each with an inert
replacement; any other name is an error before anything is called. Both containers are read: the zip file of
torch ≥ 1.6 and the older sequence of pickles followed by raw storages.
"""

import io
import math
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from operator import index
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from mdaug.archives import open_zip
from mdaug.errors import DataError
from mdaug.pickles import check_pickle

LEGACY_MAGIC = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""The number with which torch began its files before the zip container."""

MAX_DIMENSIONS = 32
"""Of an array in any version of numpy."""

STORAGE_DTYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


class Storage:
    """A block of numbers; filled before any tensor is made (zip) or after all are named (legacy)."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self.values: NDArray | None = None


class Tensor:
    """A view of a storage, checked when its numbers are read."""

    def __init__(self, storage: Storage, offset: int, size: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def numpy(self) -> NDArray:
        """Return a copy of the numbers.

        Raises
        ------
        ValueError
            The shape or the strides are impossible, or lead out of the storage.
        """
        values = self.storage.values if isinstance(self.storage, Storage) else None
        if values is None:
            raise ValueError("tensor without a storage")
        offset, size, stride = self._integers()
        n_elements = math.prod(size)
        if n_elements == 0:
            return np.empty(size, values.dtype)
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if n_elements > len(values) or last >= len(values):
            raise ValueError("tensor larger than its storage")
        n_bytes = tuple(step * values.itemsize if n > 1 else 0 for n, step in zip(size, stride, strict=True))
        return np.lib.stride_tricks.as_strided(values[offset:], size, n_bytes, writeable=False).copy()

    def _integers(self) -> tuple[int, tuple[int, ...], tuple[int, ...]]:
        """Return offset, size and strides as Python's integers, which do not wrap."""
        try:
            offset, size, stride = (
                index(self.offset),
                tuple(map(index, self.size)),
                tuple(map(index, self.stride)),
            )
        except TypeError as error:
            raise ValueError("tensor whose shape is not of integers") from error
        if len(size) != len(stride) or len(size) > MAX_DIMENSIONS or offset < 0 or min((0, *stride)) < 0:
            raise ValueError("tensor with an impossible shape")
        if any(not 0 <= n < 1 << 31 for n in size):
            raise ValueError("tensor with an impossible shape")
        return offset, size, stride


def load_torch(path: Path, classes: tuple[tuple[str, str], ...]) -> Any:
    """Return the object in a torch.save file.

    Parameters
    ----------
    path
        The file.
    classes
        (module, name) of classes whose instances become plain objects with the pickled attributes.

    Returns
    -------
    object
        Tensors are `Tensor`: their `numpy` gives the array.

    Raises
    ------
    DataError
        If the file is broken, or asks for anything but tensors, containers and `classes`.
    """
    try:
        if zipfile.is_zipfile(path):
            return _load_zip(path, classes)
        return _load_legacy(path, classes)
    except DataError:
        raise
    except Exception as error:  # a broken or forged pickle can fail in any way
        raise DataError(f"{path}: broken torch file ({type(error).__name__}: {error})") from error


def _load_zip(path: Path, classes: tuple[tuple[str, str], ...]) -> Any:
    with open_zip(path) as archive:
        (member,) = [name for name in archive.namelist() if name.endswith("/data.pkl") or name == "data.pkl"]
        folder = member.removesuffix("data.pkl")
        storages: dict[str, Storage] = {}

        def storage(dtype: str, key: str) -> Storage:
            if key not in storages:
                storages[key] = Storage(dtype)
                raw = archive.read(f"{folder}data/{key}")
                storages[key].values = np.frombuffer(raw, np.dtype(dtype))
            return storages[key]

        content = archive.read(member)
        check_pickle(content)
        return _InertUnpickler(io.BytesIO(content), path, classes, storage).load()


def _load_legacy(path: Path, classes: tuple[tuple[str, str], ...]) -> Any:
    storages: dict[str, Storage] = {}

    def storage(dtype: str, key: str) -> Storage:
        return storages.setdefault(key, Storage(dtype))

    with path.open("rb") as stream:

        def load() -> Any:
            start = stream.tell()
            check_pickle(stream)
            stream.seek(start)
            return _InertUnpickler(stream, path, classes, storage).load()

        _magic, _protocol, _system, content, keys = (load() for _ in range(5))
        for key in keys:
            dtype = np.dtype(storages[key].dtype)
            (n_elements,) = struct.unpack("<q", stream.read(8))
            if n_elements < 0:
                raise ValueError(f"a storage of {n_elements} numbers")
            raw = stream.read(n_elements * dtype.itemsize)
            storages[key].values = np.frombuffer(raw, dtype, count=n_elements)
    return content


class _InertUnpickler(pickle.Unpickler):
    """Resolves names from a closed list, made anew for each file: no file can alter it for the next."""

    def __init__(
        self,
        stream: Any,
        path: Path,
        classes: tuple[tuple[str, str], ...],
        storage: Callable[[str, str], Storage],
    ) -> None:
        super().__init__(stream, encoding="latin1")
        self._path, self._storage = path, storage
        self._allowed: dict[tuple[str, str], Any] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor"): lambda *view: Tensor(*view[:4]),
            ("torch._utils", "_rebuild_tensor_v2"): lambda *view: Tensor(*view[:4]),
        }
        self._allowed |= {("torch", name): dtype for name, dtype in STORAGE_DTYPES.items()}
        self._allowed |= {(module, name): type(name, (), {}) for module, name in classes}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            self._refuse(f"{module}.{name}")
        return self._allowed[module, name]

    def persistent_load(self, reference: Any) -> Storage:
        kind, dtype, key = reference[:3]
        if kind != "storage" or dtype not in STORAGE_DTYPES.values():
            self._refuse(f"a {kind!r}")
        return self._storage(dtype, str(key))

    def _refuse(self, what: str) -> NoReturn:
        raise DataError(
            f"{self._path}: its pickle names {what}, which no data set needs (nothing was executed); "
            "expected tensors in plain containers: distrust this file, or convert it to xyz where it was made"
        )
