"""Trajectory of a run: a DCD file that can be cut and appended to, and its topology as PDB.

The file is written byte by byte, because MDAnalysis' writer cannot append and writes a cell record for
molecules.
Layout as in CHARMM (and VMD's plugin): three header records, then for each frame the cell (only if periodic)
and x, y, z as float32, every record between two int32 with its length.
"""

import os
import struct
from pathlib import Path
from types import TracebackType

import numpy as np
from ase import Atoms
from ase.cell import Cell

from mdaug import __version__
from mdaug.files import naming, open_without_link, write_text
from mdaug.frames import FloatArray, IntArray

AKMA_TIME_FS = 48.88821
"""CHARMM's unit of time, sqrt(amu Å² / (kcal/mol)), in fs, with the digits that MDAnalysis uses."""

EMPTY_A = 1000.0
"""Length (Å) of a cell in nonperiodic directions without a vector; nothing interacts across it."""

_FRAME_COUNT_OFFSET = 8


class DcdTrajectory:
    """Appends frames to a DCD file whose times and cell MDAnalysis, VMD and OVITO read correctly.

    Parameters
    ----------
    path
        The file.
    atoms
        Structure with the number of atoms and the cell. A periodic cell is written with its first vector
        along x, because the format contains only lengths and angles; positions are rotated with it.
    steps_per_frame, timestep_fs
        Time between frames is their product; the first frame has time 0.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one and append.
    """

    def __init__(
        self,
        path: Path,
        atoms: Atoms,
        steps_per_frame: int,
        timestep_fs: float,
        keep_bytes: int | None = None,
    ) -> None:
        self._cell, self._rotation = _dcd_cell(atoms)
        header = _header(len(atoms), steps_per_frame, timestep_fs, self._cell is not None)
        self._header_bytes = len(header)
        records = 3 * (4 * len(atoms) + 8) + (56 if self._cell is not None else 0)
        self._frame_bytes = records
        self._path, self._file = path, open_without_link(path, "w+b" if keep_bytes is None else "r+b")
        if keep_bytes is None:
            self._file.write(header)
        else:
            self._file.truncate(keep_bytes)
            self._file.seek(0, os.SEEK_END)

    def write(self, positions: FloatArray) -> None:
        """Append one frame.

        Parameters
        ----------
        positions
            Shape (n_atoms, 3), Å, not wrapped into the cell.
        """
        with naming(self._path):
            if self._cell is not None:
                self._file.write(_record(self._cell.tobytes()))
                positions = positions @ self._rotation
            for axis in np.ascontiguousarray(positions.T, dtype="<f4"):
                self._file.write(_record(axis.tobytes()))

    def sync(self) -> int:
        """Write buffered data and the frame count to disk, and return the size of the file in bytes."""
        with naming(self._path):
            self._file.flush()
        size = os.fstat(self._file.fileno()).st_size
        n_frames = (size - self._header_bytes) // self._frame_bytes
        os.pwrite(self._file.fileno(), struct.pack("<i", n_frames), _FRAME_COUNT_OFFSET)
        os.fsync(self._file.fileno())
        return size

    def close(self) -> None:
        """Update the frame count and close the file."""
        self.sync()
        self._file.close()

    def __enter__(self) -> "DcdTrajectory":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def write_topology(path: Path, atoms: Atoms, bonds: IntArray) -> None:
    """Write a PDB file with element, unique name and position of each atom, and its bonds.

    Parameters
    ----------
    path
        The file.
    atoms
        Structure; its cell is written as in `DcdTrajectory`.
    bonds
        Shape (n_bonds, 2), 0-based atom indices.
    """
    cell, rotation = _dcd_cell(atoms)
    lines = [f"REMARK   mdaug {__version__}"]
    if cell is not None:
        a, b, c, alpha, beta, gamma = _full_cell(atoms).cellpar()
        lines.append(f"CRYST1{a:9.3f}{b:9.3f}{c:9.3f}{alpha:7.2f}{beta:7.2f}{gamma:7.2f} P 1")
    count: dict[str, int] = {}
    for index, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions @ rotation, strict=True)):
        count[symbol] = count.get(symbol, 0) + 1
        name = f"{symbol}{count[symbol]}"[:4]
        name = f"{name:<4s}" if len(symbol) == 2 or len(name) == 4 else f" {name:<3s}"
        lines.append(
            f"HETATM{(index + 1) % 100_000:5d} {name} MOL A   1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00"
            f"          {symbol.upper():>2s}"
        )
    if len(atoms) < 100_000:
        lines += [f"CONECT{i + 1:5d}{j + 1:5d}" for i, j in bonds]
    write_text(path, "\n".join([*lines, "END", ""]))


def _dcd_cell(atoms: Atoms) -> tuple[FloatArray | None, FloatArray]:
    """Return [a, cos γ, b, cos β, cos α, c], or None for a molecule, and the rotation of row vectors."""
    if not atoms.pbc.any():
        return None, np.eye(3)
    full = _full_cell(atoms)
    a, b, c, alpha, beta, gamma = full.cellpar()
    cosines = np.sin(np.deg2rad(90.0 - np.array([alpha, beta, gamma])))  # exactly 0 for right angles
    cell = np.array([a, cosines[2], b, cosines[1], cosines[0], c], dtype="<f8")
    standard, _ = full.standard_form()
    return cell, np.linalg.solve(full.array, standard.array)


def _full_cell(atoms: Atoms) -> Cell:
    """Return the cell, with vectors of length `EMPTY_A` where a slab or a wire has none: the files need three
    vectors."""
    if np.linalg.matrix_rank(atoms.cell.array) == 3:
        return atoms.cell
    periodic = Cell(np.where(atoms.pbc[:, None], atoms.cell.array, 0.0)).complete()
    return Cell(np.where(atoms.pbc, 1.0, EMPTY_A)[:, None] * periodic.array)


def _header(n_atoms: int, steps_per_frame: int, timestep_fs: float, has_cell: bool) -> bytes:
    control = struct.pack("<4s9if10i", b"CORD", 0, 0, steps_per_frame, *[0] * 6, timestep_fs / AKMA_TIME_FS,
                          int(has_cell), *[0] * 8, 24)  # fmt: skip
    title = f"mdaug {__version__}: positions in Angstrom".ljust(80).encode("ascii")
    return _record(control) + _record(struct.pack("<i", 1) + title) + _record(struct.pack("<i", n_atoms))


def _record(content: bytes) -> bytes:
    length = struct.pack("<i", len(content))
    return length + content + length
