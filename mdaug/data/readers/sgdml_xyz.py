"""Plain xyz of sGDML, in kcal/mol: a comment line with the energy, and positions and forces of each atom."""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mdaug.data.element_order import sort_by_element
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.elements import check_same_atoms, numbers_of_symbols
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


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read all frames."""
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    n_atoms = int(lines[0])
    if len(lines) % (n_atoms + 2):
        raise DataError(
            f"{path}: {len(lines)} lines, which are no whole number of frames of {n_atoms} atoms; is the "
            "file whole?"
        )
    frames = [lines[n : n + n_atoms + 2] for n in range(0, len(lines), n_atoms + 2)]
    numbers = _atomic_numbers(frames, path, reading)
    energies, values = np.empty(len(frames)), np.empty((len(frames), n_atoms, COLUMNS - 1))
    for n, (_, comment, *atoms) in enumerate(frames):
        rows = [line.split() for line in atoms]
        try:
            energies[n], values[n] = float(comment), [[float(word) for word in row[1:]] for row in rows]
        except ValueError as error:
            raise DataError(
                f"{path}: frame {n}: {error}; expected the energy in its comment line, and a symbol and six "
                "numbers (position and force) in each atom's line"
            ) from error
    of_molecule = FrameSet(numbers[0], values[..., :3], energies, values[..., 3:], name=path.name)
    if reading.reorder:
        of_molecule = sort_by_element(of_molecule, numbers)
    return [Contents(of_molecule, StatedUnits.of_energy("kcal/mol"))]


def _atomic_numbers(frames: list[list[str]], path: Path, reading: Reading) -> NDArray[np.int64]:
    """Return the atomic numbers of the frames, given their lines, shape (n_frames, n_atoms)."""
    numbers, of_lists = [], dict[tuple[str, ...], NDArray[np.int64]]()
    for n, (count, _, *atoms) in enumerate(frames):
        if count.strip() != frames[0][0].strip():
            raise DataError(f"{path}: frame {n} has other atoms than frame 0; expected the same in all")
        symbols = tuple(line.split(maxsplit=1)[0] for line in atoms)
        if symbols not in of_lists:
            of_lists[symbols] = numbers_of_symbols(symbols, f"{path}: frame {n}")
        numbers.append(of_lists[symbols])
    check_same_atoms(numbers, str(path), reading)
    return np.array(numbers)


READER = Reader("xyz of sGDML", _sniff, _read, has_keys=False)
