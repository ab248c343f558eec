"""Extended xyz: in eV by ASE's convention, which a file may break without saying so."""

import re
from itertools import islice
from pathlib import Path

import ase.io

from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.from_atoms import frames_from_atoms
from mdaug.errors import DataError

_DIGITS = 15
"""Numbers that are longer count no atoms."""


def sniff(path: Path, head: bytes) -> bool:
    return re.match(rb"\s*\d+[ \t]*\r?\n[^\n]*\n\s*[A-Za-z0-9]+\s+[-+0-9.]", head) is not None


def check_counts(path: Path) -> None:
    """Refuse a file whose frames promise more atoms than it has lines; ASE would count to any number.

    Raises
    ------
    DataError
        With the line that promises.
    """
    with path.open("rb") as stream:
        number = 0
        for line in stream:
            number += 1
            digits = line.strip()
            if not digits.isdigit():
                return  # for ASE to judge
            n_atoms = int(digits) if len(digits) < _DIGITS else 10**_DIGITS
            found = sum(1 for _ in islice(stream, n_atoms + 1))
            if found <= n_atoms:
                raise DataError(
                    f"{path}: line {number} promises {n_atoms} atoms, but the file ends after "
                    f"{max(0, found - 1)}; is the file whole?"
                )
            number += found


def read(path: Path) -> Contents:
    check_counts(path)
    try:
        with path.open(encoding="utf-8") as stream:  # by name, ASE would read meaning into @ and .gz
            images = list(ase.io.iread(stream, index=":", format="extxyz"))
    except Exception as error:  # ASE's parser raises whatever it meets
        raise DataError(f"{path}: broken extended xyz ({type(error).__name__}: {error})") from error
    return Contents(frames_from_atoms(images, path), "eV")


READER = Reader("extended xyz", sniff, read)
