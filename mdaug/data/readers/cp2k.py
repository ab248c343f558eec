"""CP2K's AIMD output: PROJECT-pos-1.xyz with energies, PROJECT-frc-1.xyz and PROJECT-1.cell beside it.

Lengths are in Å, energies in Hartree, forces in Hartree/Bohr (CP2K's default units).
"""

import re
import warnings
from pathlib import Path

import numpy as np
from ase import units as ase_units
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mdaug.data.readers.contents import Contents, Reader
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

COMMENT = re.compile(r"\s*i =\s*(\d+),.*\bE =\s*([-+.0-9eE]+)")
"""Step and energy in the second line of a frame."""


def sniff(path: Path, head: bytes) -> bool:
    lines = head.decode("utf-8", errors="replace").splitlines()
    return len(lines) > 2 and lines[0].strip().isdigit() and COMMENT.match(lines[1]) is not None


def read(path: Path) -> Contents:
    symbols, steps, energies, positions = _read_xyz(path)
    forces_path = path.with_name(path.name.replace("-pos-", "-frc-"))
    if forces_path == path or not forces_path.is_file():
        expected = forces_path.name if forces_path != path else "PROJECT-frc-1.xyz"
        raise DataError(
            f"{path}: no forces: expected CP2K's {expected} beside it; print it with MOTION/PRINT/FORCES"
        )
    force_symbols, force_steps, _, forces = _read_xyz(forces_path)
    if force_symbols != symbols:
        raise DataError(f"{forces_path}: other atoms than {path.name}; expected the forces of the same run")
    steps, of_positions, of_forces = np.intersect1d(steps, force_steps, return_indices=True)
    if len(steps) == 0:
        raise DataError(
            f"{forces_path}: no step in common with {path.name}; expected the forces of the same run"
        )
    cells = _read_cells(path, steps)
    periodic = cells is not None
    frames = FrameSet(
        atomic_numbers=np.array([atomic_numbers[symbol] for symbol in symbols]),
        positions=positions[of_positions],
        energies=energies[of_positions],
        forces=forces[of_forces] / ase_units.Bohr,
        cells=cells,
        pbc=(periodic, periodic, periodic),
        name=path.name,
        info={"step": steps},
    )
    return Contents(frames, "Hartree")


def _read_xyz(path: Path) -> tuple[list[str], NDArray, FloatArray, FloatArray]:
    """Return symbols, steps, energies and the three columns of a trajectory; a cut last frame is dropped."""
    lines = path.read_text().splitlines()
    symbols: list[str] = []
    steps, energies, columns = [], [], []
    try:
        n_atoms = int(lines[0])
        for start in range(0, len(lines) - n_atoms - 1, n_atoms + 2):
            step, energy = COMMENT.match(lines[start + 1]).groups()  # type: ignore[union-attr]
            rows = [line.split() for line in lines[start + 2 : start + 2 + n_atoms]]
            found = [row[0].capitalize() for row in rows]
            symbols = symbols or found
            if found != symbols or any(symbol not in atomic_numbers for symbol in found):
                raise ValueError("unknown elements, or others than in the first frame")
            steps.append(int(step))
            energies.append(float(energy))
            columns.append([[float(x) for x in row[1:4]] for row in rows])
    except (ValueError, IndexError, AttributeError) as error:
        raise DataError(f"{path}: frame {len(steps)} is not CP2K's xyz ({error})") from error
    return symbols, np.array(steps), np.array(energies), np.array(columns)


def _read_cells(path: Path, steps: NDArray) -> FloatArray | None:
    """Return the cells of `steps` from PROJECT-1.cell (step, time, nine components, volume), if any."""
    cell_path = path.with_name(path.stem.replace("-pos-", "-") + ".cell")
    if not cell_path.is_file():  # CP2K prints it only where asked, or with everything (PRINT_LEVEL HIGH)
        warnings.warn(
            f"{path}: no {cell_path.name} beside it, so the frames are taken for a molecule without a cell; "
            "if the run was periodic, print its cell with MOTION/PRINT/CELL",
            stacklevel=2,
        )
        return None
    table = np.loadtxt(cell_path, ndmin=2)
    rows = {int(row[0]): row[2:11].reshape(3, 3) for row in table}
    missing = [int(step) for step in steps if int(step) not in rows]
    if missing:
        raise DataError(
            f"{cell_path}: no cell for step {missing[0]}; expected one for every step of {path.name}"
        )
    return np.array([rows[int(step)] for step in steps])


READER = Reader("CP2K AIMD output", sniff, read)
