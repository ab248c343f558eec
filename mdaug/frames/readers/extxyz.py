"""Extended xyz: in eV by ASE's convention, which a file may break without saying so."""

import re
from pathlib import Path

import ase.io

from mdaug.errors import DataError
from mdaug.frames.readers.contents import Contents, Reader
from mdaug.frames.readers.from_atoms import frames_from_atoms


def sniff(path: Path, head: bytes) -> bool:
    return re.match(rb"\s*\d+[ \t]*\r?\n[^\n]*\n\s*[A-Za-z0-9]+\s+[-+0-9.]", head) is not None


def read(path: Path) -> Contents:
    try:
        with path.open(encoding="utf-8") as stream:  # by name, ASE would read meaning into @ and .gz
            images = list(ase.io.iread(stream, index=":", format="extxyz"))
    except Exception as error:  # ASE's parser raises whatever it meets
        raise DataError(f"{path}: broken extended xyz ({type(error).__name__}: {error})") from error
    return Contents(frames_from_atoms(images, path), "eV")


READER = Reader("extended xyz", sniff, read)
