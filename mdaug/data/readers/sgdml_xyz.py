"""Plain xyz of sGDML, in kcal/mol: a comment line with the energy, and positions and forces of each atom."""

import re
from pathlib import Path

import numpy as np

from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.elements import numbers_of_symbols
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.frames import FrameSet

_FLOAT = rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_HEAD = re.compile(
    rb"\s*\d+[ \t]*\r?\n[ \t]*"
    + _FLOAT
    + rb"[ \t]*\r?\n[ \t]*[A-Z][a-z]?(?:[ \t]+"
    + _FLOAT
    + rb"){6}[ \t]*\r?\n"
)

COLUMNS = 7


def _sniff(path: Path, head: bytes) -> bool:
    return _HEAD.match(head) is not None


def _read(path: Path, _reading: Reading) -> list[Contents]:
    """Read all frames."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    n_atoms = int(lines[0])
    if len(lines) % (n_atoms + 2):
        raise DataError(
            f"{path}: {len(lines)} lines, which are no whole number of frames of {n_atoms} atoms; is the "
            "file whole?"
        )
    frames = [lines[n : n + n_atoms + 2] for n in range(0, len(lines), n_atoms + 2)]
    symbols = [line.split()[0] for line in frames[0][2:]]
    numbers = numbers_of_symbols(symbols, str(path))
    energies, values = np.empty(len(frames)), np.empty((len(frames), n_atoms, COLUMNS - 1))
    for n, (count, comment, *atoms) in enumerate(frames):
        rows = [line.split() for line in atoms]
        if count.strip() != str(n_atoms) or [row[0] for row in rows] != symbols:
            raise DataError(
                f"{path}: frame {n} has other atoms, or in another order, than frame 0; expected the same in "
                "all"
            )
        try:
            energies[n], values[n] = float(comment), [[float(word) for word in row[1:]] for row in rows]
        except ValueError as error:
            raise DataError(
                f"{path}: frame {n}: {error}; expected the energy in its comment line, and a symbol and six "
                "numbers (position and force) in each atom's line"
            ) from error
    of_molecule = FrameSet(numbers, values[..., :3], energies, values[..., 3:], name=path.name)
    return [Contents(of_molecule, StatedUnits.of_energy("kcal/mol"))]


READER = Reader("xyz of sGDML", _sniff, _read, has_keys=False)
