"""Readers of frames, one for each format, chosen by the content of the file."""

import gzip
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mdaug.archives import ALWAYS_ALLOWED
from mdaug.data.element_order import sort_by_element
from mdaug.data.origin import FRAME_IN_FILE
from mdaug.data.readers import ase_outputs, cp2k, deepmd, extxyz, hdf5, nff, npz, schnetpack, sgdml_xyz
from mdaug.data.readers.contents import HEAD_BYTES, Contents, Reader
from mdaug.data.reading import Reading
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
    deepmd.READER,
)
"""In the order in which they are tried: formats that cannot be mistaken come first."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
GZIP_MAGIC = b"\x1f\x8b"

MAX_UNPACKED_BYTES = 8 * 2**30
"""Compressed files that unpack to more are refused."""

MAX_UNPACKED_RATIO = 100
"""Files that unpack to more than this times their size are refused if it is many bytes; numbers in text
unpack to 3 to 10 times their size."""


def read_file(path: Path, reading: Reading = Reading()) -> list[Contents]:
    """Read the systems of `path` with the first reader that recognizes it; gzip is unpacked.

    Parameters
    ----------
    path
        A file, ``FILE#GROUP`` of an HDF5 file, or the folder of a system of DeePMD-kit.
    reading
        How it is read.

    Returns
    -------
    list of Contents
        One for each system; isolated atoms are systems of their own.

    Raises
    ------
    DataError
        If there is no such file, it is empty, no reader recognizes it, or it has several systems besides
        isolated atoms where one is expected.
    """
    if deepmd.is_system(path):
        return _read_with(deepmd.READER, path, reading)
    if not path.is_file() and (of_file := hdf5.split_group(path)) is not None:
        file, group = of_file
        if _head(file).startswith(GZIP_MAGIC):
            return _read_compressed(file, reading, group=f"#{group}")
        return _read_with(hdf5.READER, path, reading)
    if not path.is_file():
        raise DataError(f"{path}: no such file, and no data set of that name (see `mdaug dataset --help`)")
    head = _head(path).removeprefix(BYTE_ORDER_MARK)
    if head.startswith(GZIP_MAGIC):
        return _read_compressed(path, reading)
    if not head.strip():
        raise DataError(f"{path}: the file is empty; expected frames with energies and forces")
    if head.startswith(UTF_16_MARKS):
        raise DataError(f"{path}: text in UTF-16; expected UTF-8: convert it (iconv -f UTF-16 -t UTF-8)")
    for reader in READERS:
        if reader.sniff(path, head):
            return _read_with(reader, path, reading)
    names = ", ".join(reader.name for reader in READERS)
    raise DataError(f"{path}: format not recognized; mdaug reads {names}")


def _read_with(reader: Reader, path: Path, reading: Reading) -> list[Contents]:
    """Return what a reader reads; errors of numpy and parsers become DataError."""
    for option, key in (("--energy-key", reading.energy_key), ("--forces-key", reading.forces_key)):
        if key is not None and not reader.has_keys:
            raise DataError(
                f"{path}: {option} {key}: no effect with {reader.name}, whose energies and forces have no "
                "other names: leave it out"
            )
    try:
        return [_numbered(contents, reading) for contents in reader.read(path, reading)]
    except MDAugError:
        raise
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: {reader.name} with the byte 0x{error.object[error.start]:02x}, which is not UTF-8; "
            "expected text in UTF-8: convert it (iconv -f latin1 -t UTF-8)"
        ) from error
    except Exception as error:  # a broken file makes numpy and the parsers below raise anything
        raise DataError(
            f"{path}: broken {reader.name} ({type(error).__name__}: {error}); is the file whole, and are its "
            "values of the right kind?"
        ) from error


def _numbered(contents: Contents, reading: Reading) -> Contents:
    """Return contents in which each frame has its number in the file; all are read where none has one."""
    frames = contents.frames
    info = {FRAME_IN_FILE: np.arange(len(frames))} | frames.info
    numbered = replace(frames, info=info)
    return replace(contents, frames=sort_by_element(numbered) if reading.reorder else numbered)


def _head(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(HEAD_BYTES)


def _read_compressed(path: Path, reading: Reading, group: str = "") -> list[Contents]:
    """Unpack a file into a temporary folder and read it, or its ``#GROUP``, there."""
    with tempfile.TemporaryDirectory(prefix="mdaug-unpacked-") as folder:
        unpacked = Path(folder) / (path.stem or "frames")
        _unpack(path, unpacked)
        if cp2k.READER.sniff(unpacked, _head(unpacked)):
            for companion in cp2k.companions(unpacked):
                _fetch(path.with_name(companion.name), companion)
        try:
            return read_file(Path(f"{unpacked}{group}"), reading)
        except DataError as error:
            text = str(error).replace(str(unpacked), str(path)).replace(folder, str(path.parent))
            raise DataError(text) from error


def _unpack(path: Path, unpacked: Path) -> None:
    try:
        with gzip.open(path) as source, unpacked.open("wb") as target:
            _copy(source, target, path)
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: broken gzip file ({error}); is the file whole?") from error
    if _head(unpacked).startswith(GZIP_MAGIC):
        raise DataError(f"{path}: compressed twice; unpack it once")


def _fetch(path: Path, target: Path) -> None:
    """Copy a file, or unpack the compressed one of its name; none where there is neither."""
    compressed = path.with_name(f"{path.name}.gz")
    if target.exists():
        return
    if path.is_file():
        shutil.copyfile(path, target)
    elif compressed.is_file():
        _unpack(compressed, target)


def _copy(source: gzip.GzipFile, target: BinaryIO, path: Path) -> None:
    """Copy all of `source`, up to `MAX_UNPACKED_BYTES` or `MAX_UNPACKED_RATIO` times its size."""
    limit = min(MAX_UNPACKED_BYTES, max(ALWAYS_ALLOWED, MAX_UNPACKED_RATIO * path.stat().st_size))
    n_bytes = 0
    while block := source.read(2**20):
        n_bytes += len(block)
        if n_bytes > limit:
            raise DataError(f"{path}: unpacks to more than {limit / 2**30:.2g} GB; unpack it first")
        target.write(block)
