"""Readers of frames, one for each format, chosen by the content of the file."""

import gzip
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from mdaug.archives import ALWAYS_ALLOWED
from mdaug.data.readers import ase_outputs, cp2k, deepmd, extxyz, hdf5, nff, npz, schnetpack, sgdml_xyz
from mdaug.data.readers.contents import HEAD_BYTES, Contents, LabelKeys, Reader
from mdaug.errors import DataError, MDAugError

READERS: tuple[Reader, ...] = (
    npz.READER,
    nff.READER,
    hdf5.READER,
    schnetpack.READER,
    cp2k.READER,
    sgdml_xyz.READER,
    extxyz.READER,
    *ase_outputs.READERS,
)
"""In the order in which they are tried: formats that cannot be mistaken come first."""

T = TypeVar("T")

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
GZIP_MAGIC = b"\x1f\x8b"

MAX_UNPACKED_BYTES = 8 * 2**30
"""Compressed files that unpack to more are refused."""

MAX_UNPACKED_RATIO = 100
"""Files that unpack to more than this times their size are refused if it is many bytes; numbers in text
unpack to 3 to 10 times their size."""


def read_contents(path: Path, keys: LabelKeys = LabelKeys()) -> Contents:
    """Read the only system of `path` with the first reader that recognizes it; gzip is unpacked.

    Parameters
    ----------
    path
        A file, ``FILE#GROUP`` of an HDF5 file, or the folder of a system of DeePMD-kit.
    keys
        Names under which it keeps energies and forces, where the user states them.

    Raises
    ------
    DataError
        If there is no such file, it is empty, no reader recognizes it, or it has several systems.
    """
    return _read(path, keys, several=False)[0]


def read_systems(path: Path, keys: LabelKeys = LabelKeys()) -> list[Contents]:
    """Read all systems of `path`, one `Contents` for each; otherwise as `read_contents`.

    Parameters
    ----------
    path, keys
        As for `read_contents`.

    Raises
    ------
    DataError
        If there is no such file, it is empty, or no reader recognizes it.
    """
    return _read(path, keys, several=True)


def _read(path: Path, keys: LabelKeys, *, several: bool) -> list[Contents]:
    if deepmd.is_system(path):
        return [_guarded(lambda: deepmd.read(path, keys), path, deepmd.NAME)]
    if not path.is_file() and (of_file := hdf5.split_group(path)) is not None:
        file, group = of_file
        if _head(file).startswith(GZIP_MAGIC):
            return _read_compressed(file, keys, several=several, group=f"#{group}")
        return [_guarded(lambda: hdf5.read_group(file, group, keys), path, hdf5.READER.name)]
    if not path.is_file():
        raise DataError(f"{path}: no such file, and no data set of that name (see `mdaug dataset --help`)")
    head = _head(path).removeprefix(BYTE_ORDER_MARK)
    if head.startswith(GZIP_MAGIC):
        return _read_compressed(path, keys, several=several)
    if not head.strip():
        raise DataError(f"{path}: the file is empty; expected frames with energies and forces")
    if head.startswith(UTF_16_MARKS):
        raise DataError(f"{path}: text in UTF-16; expected UTF-8: convert it (iconv -f UTF-16 -t UTF-8)")
    for reader in READERS:
        if reader.sniff(path, head):
            if several and reader.read_systems is not None:
                return _guarded(partial(reader.read_systems, path, keys), path, reader.name)
            return [_guarded(partial(reader.read, path, keys), path, reader.name)]
    raise DataError(
        f"{path}: format not recognized; mdaug reads "
        f"{', '.join([*(reader.name for reader in READERS), deepmd.NAME])}"
    )


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _read_compressed(path: Path, keys: LabelKeys, *, several: bool, group: str = "") -> list[Contents]:
    """Unpack a file into a temporary folder and read it, or its ``#GROUP``, there."""
    with tempfile.TemporaryDirectory(prefix="mdaug-unpacked-") as folder:
        unpacked = Path(folder) / (path.stem or "frames")
        try:
            with gzip.open(path) as source, unpacked.open("wb") as target:
                _copy(source, target, path)
        except (OSError, EOFError) as error:
            raise DataError(f"{path}: broken gzip file ({error}); is the file whole?") from error
        if _head(unpacked).startswith(GZIP_MAGIC):
            raise DataError(f"{path}: compressed twice; unpack it once")
        try:
            return _read(Path(f"{unpacked}{group}"), keys, several=several)
        except DataError as error:
            raise DataError(str(error).replace(str(unpacked), str(path))) from error


def _copy(source: gzip.GzipFile, target: BinaryIO, path: Path) -> None:
    """Copy all of `source`, up to `MAX_UNPACKED_BYTES` or `MAX_UNPACKED_RATIO` times its size."""
    limit = min(MAX_UNPACKED_BYTES, max(ALWAYS_ALLOWED, MAX_UNPACKED_RATIO * path.stat().st_size))
    n_bytes = 0
    while block := source.read(2**20):
        n_bytes += len(block)
        if n_bytes > limit:
            raise DataError(f"{path}: unpacks to more than {limit / 2**30:.2g} GB; unpack it first")
        target.write(block)


def _guarded(read: Callable[[], T], path: Path, name: str) -> T:
    """Return what `read` returns; errors of numpy and parsers become DataError."""
    try:
        return read()
    except MDAugError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: {name} with the byte 0x{error.object[error.start]:02x}, which is not UTF-8; expected "
            "text in UTF-8: convert it (iconv -f latin1 -t UTF-8)"
        ) from error
    except Exception as error:  # a broken file makes numpy and the parsers below raise anything
        raise DataError(
            f"{path}: broken {name} ({type(error).__name__}: {error}); is the file whole, and are its "
            "values of the right kind?"
        ) from error
