"""Frames in: one file a format, chosen by the file's content."""

from pathlib import Path

from mdaug.data.readers import ase_outputs, cp2k, extxyz, nff, npz
from mdaug.data.readers.contents import HEAD_BYTES, Contents, Reader
from mdaug.errors import DataError

READERS: tuple[Reader, ...] = (npz.READER, nff.READER, cp2k.READER, extxyz.READER, *ase_outputs.READERS)
"""In the order they are asked: the sure ones first."""


def read_contents(path: Path) -> Contents:
    """Read `path` with the first reader that recognises it.

    Raises
    ------
    DataError
        If there is no such file, it is empty, or no reader knows it.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file, and no data set of that name (see `mdaug dataset --help`)")
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if not head.strip():
        raise DataError(f"{path}: the file is empty; expected frames with energies and forces")
    for reader in READERS:
        if reader.sniff(path, head):
            return _read(reader, path)
    raise DataError(
        f"{path}: format not recognised; mdaug reads {', '.join(reader.name for reader in READERS)}"
    )


def _read(reader: Reader, path: Path) -> Contents:
    try:
        return reader.read(path)
    except DataError:
        raise
    except Exception as error:  # a broken file makes numpy and the parsers below raise anything
        raise DataError(
            f"{path}: broken {reader.name} ({type(error).__name__}: {error}); is the file whole, and are its "
            "values of the right kind?"
        ) from error
