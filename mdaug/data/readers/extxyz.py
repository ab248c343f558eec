"""Extended xyz: in eV by ASE's convention, which a file may break without saying so."""

import re
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from pathlib import Path

import ase.io
from ase import Atoms

from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.systems import systems_from_atoms
from mdaug.data.reading import Reading
from mdaug.errors import DataError

MAX_DIGITS = 15
"""Longer numbers are no number of atoms."""

KEY_VALUE = re.compile(r"""(?:^|\s)([A-Za-z_]\w*)=("[^"]*"|'[^']*'|\S+)""")

MAX_COMMENT = 16_000_000
"""Characters of a comment line."""

ISOTOPES = {"D": "H", "T": "H"}
"""Symbols of isotopes, which have the potential of their element."""


def _sniff(path: Path, head: bytes) -> bool:
    """Return whether the file starts with a number, a comment, and ``Properties=`` or an atom's line."""
    count = re.match(rb"\s*\d+[ \t]*\r?\n", head)
    if count is None:
        return False
    comment, newline, atoms = head[count.end() :].partition(b"\n")
    if b"Properties=" in comment:
        return True
    if not newline:
        try:
            with path.open("rb") as stream:
                stream.readline()
                comment, atoms = stream.readline(MAX_COMMENT), stream.readline(1000)
        except OSError:
            return False
    return b"Properties=" in comment or re.match(rb"\s*[A-Za-z0-9]+\s+[-+0-9.]", atoms) is not None


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read all frames; blank lines between frames are skipped, which ASE would take for the end."""
    images, notes = _structures(path)
    systems = systems_from_atoms(images, path, reading)
    return [replace(contents, notes=(*notes, *contents.notes)) for contents in systems]


def _structures(path: Path) -> tuple[list[Atoms], list[str]]:
    """Return all frames, and notes on what was replaced."""
    notes: list[str] = []
    text = "".join(_frames(path, notes))
    images: list[Atoms] = []
    try:
        images.extend(ase.io.iread(StringIO(text), index=":", format="extxyz"))
    except Exception as error:  # ASE's parser raises whatever it meets
        raise DataError(f"{path}: frame {len(images)}: broken extended xyz ({_reason(error)})") from error
    return images, notes


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]!r} is no symbol of an element; expected one as H or Cl"
    if "could not convert string to float" in str(error):
        return f"{error}; expected numbers with a decimal point in the columns that Properties= names"
    return f"{type(error).__name__}: {error}"


def _frames(path: Path, notes: list[str]) -> Iterator[str]:
    """Yield the text of each frame without blank lines around it, and note which isotopes were replaced."""
    n_isotopes = n_frames = 0
    with path.open(encoding="utf-8-sig") as stream:
        number = 0
        while line := stream.readline():
            number += 1
            if not line.strip():
                continue
            n_atoms = _count(line, number, path)
            block = [stream.readline()]
            _refuse_repeated_keys(block[0], f"{path}: frame {n_frames}")
            n_frames += 1
            for atom in range(n_atoms):
                row = stream.readline()
                if not row:
                    raise DataError(
                        f"{path}: line {number} promises {n_atoms} atoms, but the file ends after {atom}; "
                        "is the file whole?"
                    )
                block.append(row)
            number += n_atoms + 1
            n_isotopes += _replace_isotopes(block)
            end = "" if block[-1].endswith("\n") else "\n"
            yield "".join((line, *block, end))
    if n_isotopes:
        notes.append(f"{n_isotopes} atoms D or T are read as H, which have the same potential")


def _refuse_repeated_keys(comment: str, where: str) -> None:
    """Refuse a comment line with a key that has two values, of which ASE would take the last."""
    values: dict[str, str] = {}
    for key, value in KEY_VALUE.findall(comment):
        if values.setdefault(key, value) != value:
            raise DataError(
                f"{where}: key {key} has two values in the comment line, {values[key][:40]} and "
                f"{value[:40]}; expected one: remove the wrong one, or rename it"
            )


def check_counts(path: Path) -> None:
    """Refuse a file whose first frame promises more atoms than it has lines; ASE would count to any number.

    Raises
    ------
    DataError
        With the line that promises.
    """
    with path.open("rb") as stream:
        first = stream.readline().strip()
    if first.isdigit():
        next(_frames(path, []), None)


def _count(line: str, number: int, path: Path) -> int:
    digits = line.strip()
    if not digits.isdigit():
        raise DataError(
            f"{path}: line {number}: {digits[:40]!r}; expected the number of atoms of the next frame"
        )
    return int(digits) if len(digits) < MAX_DIGITS else 10**MAX_DIGITS


def _replace_isotopes(block: list[str]) -> int:
    """Replace the symbols D and T of atoms by H in place; return how many there were."""
    column = _species_column(block[0])
    replaced = 0
    for n in range(1, len(block)):
        if "D" not in block[n] and "T" not in block[n]:
            continue
        words = block[n].split()
        if len(words) > column and words[column] in ISOTOPES:
            words[column] = ISOTOPES[words[column]]
            block[n] = " ".join(words) + "\n"
            replaced += 1
    return replaced


def _species_column(comment: str) -> int:
    """Return the column of the symbols by ``Properties=…``; 0 without."""
    stated = re.search(r"Properties=\"?([A-Za-z0-9_:]+)", comment)
    if stated is None:
        return 0
    column, parts = 0, stated.group(1).split(":")
    for name, width in zip(parts[::3], parts[2::3], strict=False):
        if name == "species":
            return column
        column += int(width) if width.isdigit() else 1
    return 0


READER = Reader("extended xyz", _sniff, _read)
