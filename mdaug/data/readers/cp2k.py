"""CP2K's AIMD output: PROJECT-pos-1.xyz with energies, PROJECT-frc-1.xyz and PROJECT-1.cell beside it.

Lengths are in Å, energies in Hartree, forces in Hartree/Bohr (CP2K's default units).
"""

import re
import warnings
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mdaug.data.origin import FRAME_IN_FILE
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.extxyz import ISOTOPES
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray

COMMENT = re.compile(r"\s*i =\s*(\d+),.*\bE =\s*([-+.0-9eE]+)")
"""Step and energy in the second line of a frame."""


def _sniff(_path: Path, head: bytes) -> bool:
    """Return whether the second line is CP2K's."""
    lines = head.decode("utf-8", errors="replace").splitlines()
    return len(lines) > 2 and lines[0].strip().isdigit() and COMMENT.match(lines[1]) is not None


def companions(path: Path) -> tuple[Path, Path]:
    """Return the files of forces and of cells that belong to one of positions.

    Parameters
    ----------
    path
        PROJECT-pos-1.xyz.
    """
    name = path.name
    return (
        path.with_name(name.replace("-pos-", "-frc-")),
        path.with_name(path.stem.replace("-pos-", "-") + ".cell"),
    )


def _read(path: Path, _reading: Reading) -> list[Contents]:
    """Read positions, energies, forces and cells of a run, matched by step.

    A restart repeats step numbers; the n-th frame of a step has the n-th forces and cell of that step.
    """
    symbols, steps, energies, positions, notes = _read_xyz(path)
    forces_path, cell_path = companions(path)
    force_steps, forces, of_forces_notes = _read_forces(path, forces_path, symbols)
    of_positions, of_forces = _same_steps(steps, force_steps)
    if not len(of_positions):
        raise DataError(
            f"{forces_path}: no step in common with {path.name}; expected the forces of the same run"
        )
    notes += of_forces_notes
    if len(of_positions) < len(steps):
        first = int(steps[np.setdiff1d(np.arange(len(steps)), of_positions)[0]])
        notes.append(
            f"{len(of_positions)} of {len(steps)} frames read; {len(steps) - len(of_positions)} left out, as "
            f"{forces_path.name} has no forces of their steps (the first is step {first})"
        )
    cells = _read_cells(path, cell_path, steps[of_positions])
    periodic = cells is not None
    frames = FrameSet(
        atomic_numbers=np.array([atomic_numbers[symbol] for symbol in symbols]),
        positions=positions[of_positions],
        energies=energies[of_positions],
        forces=forces[of_forces],
        cells=cells,
        pbc=(periodic, periodic, periodic),
        name=path.name,
        info={"step": steps[of_positions], FRAME_IN_FILE: of_positions},
    )
    return [Contents(frames, StatedUnits("Hartree", "Hartree", "Bohr"), tuple(notes))]


def _read_forces(path: Path, forces_path: Path, symbols: list[str]) -> tuple[NDArray, FloatArray, list[str]]:
    """Return steps and forces of the file beside `path`, and what was left out."""
    if forces_path == path or not forces_path.is_file():
        expected = forces_path.name if forces_path != path else "PROJECT-frc-1.xyz"
        raise DataError(
            f"{path}: no forces: expected CP2K's {expected} beside it; print it with MOTION/PRINT/FORCES, or "
            "unpack it if it is compressed and this file is not"
        )
    force_symbols, steps, _, forces, notes = _read_xyz(forces_path)
    if force_symbols != symbols:
        raise DataError(f"{forces_path}: other atoms than {path.name}; expected the forces of the same run")
    return steps, forces, notes


def _same_steps(steps: NDArray, others: NDArray) -> tuple[IntArray, IntArray]:
    """Return the places of the steps that both have; a repeated step has that of the same occurrence."""
    place = {occurrence: n for n, occurrence in enumerate(_occurrences(others))}
    matched = [(n, place[o]) for n, o in enumerate(_occurrences(steps)) if o in place]
    places = np.array(matched, dtype=np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1]


def _occurrences(steps: NDArray) -> list[tuple[int, int]]:
    """Return each step number with the count of its earlier occurrences: a restart repeats steps."""
    seen: dict[int, int] = {}
    pairs = []
    for step in steps.tolist():
        seen[step] = seen.get(step, -1) + 1
        pairs.append((step, seen[step]))
    return pairs


def _read_xyz(path: Path) -> tuple[list[str], NDArray, FloatArray, FloatArray, list[str]]:
    """Return symbols, steps, energies and the three columns of a trajectory, and what was left out.

    A last frame that is cut is left out.
    """
    lines = [line for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    notes = []
    symbols: list[str] = []
    steps, energies, columns = [], [], []
    try:
        n_atoms = int(lines[0])
        for start in range(0, len(lines) - n_atoms - 1, n_atoms + 2):
            step, energy = COMMENT.match(lines[start + 1]).groups()  # type: ignore[union-attr]
            rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
            names = [ISOTOPES.get(row[0].capitalize(), row[0].capitalize()) for row in rows]
            symbols = symbols or names
            if names != symbols or any(symbol not in atomic_numbers for symbol in names):
                raise ValueError("unknown elements, or others than in the first frame")
            steps.append(int(step))
            energies.append(float(energy))
            columns.append([[float(x) for x in row[1:4]] for row in rows])
    except (ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: frame {len(steps)} is not CP2K's xyz ({error})") from error
    if len(lines) % (n_atoms + 2):
        notes.append(f"{len(steps)} frames of {path.name} read; its last frame is cut and left out")
    return symbols, np.array(steps), np.array(energies), np.array(columns), notes


def _read_cells(path: Path, cell_path: Path, steps: NDArray) -> FloatArray | None:
    """Return the cells of `steps` from PROJECT-1.cell (step, time, nine components, volume), if any."""
    if not cell_path.is_file():  # CP2K prints it only on request or with PRINT_LEVEL HIGH
        warnings.warn(
            f"{path.name}: no {cell_path.name} beside it, so the frames are taken for a molecule without a "
            "cell; if the run was periodic, print its cell with MOTION/PRINT/CELL",
            stacklevel=2,
        )
        return None
    table = np.loadtxt(cell_path, ndmin=2)
    of_step = zip(_occurrences(table[:, 0].astype(np.int64)), table, strict=True)
    rows = {occurrence: row[2:11].reshape(3, 3) for occurrence, row in of_step}
    once = len(np.unique(table[:, 0])) == len(table)
    wanted = [(step, 0 if once else n) for step, n in _occurrences(steps)]
    missing = [step for step, n in wanted if (step, n) not in rows]
    if missing:
        raise DataError(
            f"{cell_path}: no cell for step {missing[0]}; expected one for every step of {path.name}"
        )
    return np.array([rows[occurrence] for occurrence in wanted])


READER = Reader("CP2K AIMD output", _sniff, _read, has_keys=False)
