"""Trajectories, opened with MDAnalysis and read in blocks."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import MDAnalysis as mda
import numpy as np
from ase.data import atomic_numbers as number_of
from MDAnalysis.lib.mdamath import triclinic_vectors

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray


@dataclass(frozen=True)
class Block:
    """Consecutive frames.

    Parameters
    ----------
    times_ps
        Shape (n_frames,).
    positions
        Shape (n_frames, n_atoms, 3), Å.
    cells
        Shape (n_frames, 3, 3), Å; None without a cell.
    """

    times_ps: FloatArray
    positions: FloatArray
    cells: FloatArray | None


def open_trajectory(
    trajectory: Path, topology: Path | None = None, *, frame_time_fs: float | None = None
) -> mda.Universe:
    """Open a trajectory file, or the run folder of `mdaug nve` that holds ``trajectory.dcd``.

    Parameters
    ----------
    trajectory
        The file or the run folder.
    topology
        Names the atoms. By default ``topology.pdb`` beside the trajectory; formats that name their atoms
        (xyz, pdb) need none.
    frame_time_fs
        Time between frames, where the format (xyz) does not know it.

    Raises
    ------
    DataError
        If a file is missing, MDAnalysis cannot read it, trajectory and topology do not fit, or the time
        between frames is neither in the file nor given.
    """
    path = trajectory / "trajectory.dcd" if trajectory.is_dir() else trajectory
    if topology is None and (path.parent / "topology.pdb").is_file():
        topology = path.parent / "topology.pdb"
    for file in (path, topology):
        if file is not None and not file.is_file():
            raise DataError(f"{file}: no such file; expected a trajectory that MDAnalysis reads")
    files = [str(path)] if topology in (None, path) else [str(topology), str(path)]
    time = {} if frame_time_fs is None else {"dt": frame_time_fs / 1000.0}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            universe = mda.Universe(*files, to_guess=("types", "masses", "elements"), **time)
            first = universe.trajectory[0]
    except Exception as error:  # MDAnalysis raises whatever its parsers meet
        hint = "" if topology else "; name the topology (atoms and their order) with --topology"
        raise DataError(
            f"{path}: MDAnalysis cannot read it ({' '.join(str(error).split())}){hint}"
        ) from error
    if not {"dt", "time"} & first.data.keys():
        raise DataError(f"{path}: its format has no time between frames; give it with --frame-time, in fs")
    return universe


def atomic_numbers(universe: mda.Universe) -> IntArray:
    """Return the atomic numbers of the atoms, shape (n_atoms,).

    Parameters
    ----------
    universe
        Topology and trajectory.

    Raises
    ------
    DataError
        If an atom's element is not known.
    """
    elements = getattr(universe.atoms, "elements", None)
    if elements is None or not all(elements):
        elements = universe.atoms.names
    try:
        return np.array([number_of[str(element).capitalize()] for element in elements], dtype=np.int64)
    except KeyError as error:
        raise DataError(
            f"the topology has an atom of unknown element {error}; expected chemical symbols"
        ) from error


def blocks(universe: mda.Universe, size: int = 512) -> Iterator[Block]:
    """Yield the frames of a trajectory in blocks; an incomplete last frame ends it.

    Parameters
    ----------
    universe
        Topology and trajectory.
    size
        Largest number of frames in a block.
    """
    trajectory = universe.trajectory
    for start in range(0, len(trajectory), size):
        times, positions, cells = [], [], []
        for frame in trajectory[start : start + size]:
            times.append(frame.time)
            positions.append(frame.positions.astype(np.float64))
            cells.append(None if frame.dimensions is None else triclinic_vectors(frame.dimensions))
        periodic = cells[0] is not None and np.abs(np.linalg.det(cells[0])) > 0
        yield Block(np.array(times), np.stack(positions), np.array(cells, float) if periodic else None)
