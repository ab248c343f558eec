"""Trajectories, opened with MDAnalysis and read in blocks."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import MDAnalysis as mda
import numpy as np
from ase import Atoms
from ase.data import atomic_numbers as number_of
from MDAnalysis.lib.mdamath import triclinic_vectors

from mdaug.analysis.lammps_dump import DumpHeader, open_dump, read_dump_header
from mdaug.analysis.shrink_wrapped import is_shrink_wrapped, without_box
from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray

MOST_STRUCTURES = 40
"""Structures before an event that are shown."""


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
    trajectory: Path,
    topology: Path | None = None,
    *,
    frame_time_fs: float | None = None,
    needs_times: bool = True,
) -> mda.Universe:
    """Open a trajectory file, or the run folder of `mdaug nve` that holds ``trajectory.dcd``.

    Besides the formats that MDAnalysis recognizes by their name, LAMMPS dumps of any name are read. Boxes in
    DCD files of LAMMPS that only enclose the atoms are left out (`is_shrink_wrapped`).

    Parameters
    ----------
    trajectory
        The file or the run folder.
    topology
        File that names the atoms. By default ``topology.pdb`` beside the trajectory; formats that contain the
        elements (xyz, pdb, LAMMPS dumps with a column ``element``) need none.
    frame_time_fs
        Time between frames, for files without it: xyz and all files of LAMMPS, whose dumps contain step
        numbers and whose DCD files contain a time step in unknown units.
    needs_times
        False: open a file without times as well; its times are then meaningless.

    Raises
    ------
    DataError
        If a file is missing, MDAnalysis cannot read it, trajectory and topology do not fit, or the time
        between frames is neither in the file nor given, or both and different.
    """
    path = trajectory_file(trajectory)
    if topology is None and (path.parent / "topology.pdb").is_file():
        topology = path.parent / "topology.pdb"
    if topology is not None and not topology.is_file():
        raise DataError(f"{topology}: no such file; expected one that names the atoms, as topology.pdb")
    dump = read_dump_header(path)
    has_times = frame_time_fs is not None or not needs_times
    is_lammps_dcd = _is_lammps_dcd(path)
    if not has_times and (dump is not None or is_lammps_dcd):
        raise DataError(
            f"{path}: LAMMPS writes no time in known units into it; give the time between frames with "
            "--frame-time, in fs (time step times dump interval)"
        )
    universe = _open(path, topology, dump, None if frame_time_fs is None else frame_time_fs / 1000.0)
    if not has_times and not {"dt", "time"} & universe.trajectory[0].data.keys():
        raise DataError(f"{path}: its format has no time between frames; give it with --frame-time, in fs")
    if frame_time_fs is not None and len(universe.trajectory) > 1:
        own_fs = 1000.0 * (universe.trajectory[1].time - universe.trajectory[0].time)
        if abs(own_fs - frame_time_fs) > 1e-3 * frame_time_fs:
            raise DataError(
                f"{path}: its frames are {own_fs:g} fs apart, not {frame_time_fs:g}; leave --frame-time out"
            )
    if is_lammps_dcd and is_shrink_wrapped(universe):
        universe.trajectory.add_transformations(without_box)
    return universe


def trajectory_file(trajectory: Path) -> Path:
    """Return the file of a trajectory.

    Parameters
    ----------
    trajectory
        The file, or the run folder of `mdaug nve` that holds ``trajectory.dcd``.

    Raises
    ------
    DataError
        If there is no such file.
    """
    path = trajectory / "trajectory.dcd" if trajectory.is_dir() else trajectory
    if not path.is_file():
        expected = "a folder of `mdaug nve` or `mdaug nvt`, or a trajectory that MDAnalysis reads"
        raise DataError(f"{path}: no such file; expected {expected}")
    return path


def _open(
    path: Path, topology: Path | None, dump: DumpHeader | None, frame_time_ps: float | None
) -> mda.Universe:
    """Open the files with MDAnalysis; convert its errors to a DataError that names the file."""
    options: dict[str, Any] = {} if frame_time_ps is None or dump is not None else {"dt": frame_time_ps}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if dump is None:
                files = [str(path)] if topology in (None, path) else [str(topology), str(path)]
                universe = mda.Universe(*files, to_guess=("types", "masses", "elements"), **options)
            else:
                universe = open_dump(path, topology, dump, frame_time_ps)
            universe.trajectory[0]
    except DataError:
        raise
    except Exception as error:  # MDAnalysis raises errors of many kinds
        hint = "" if topology else "; name the topology (atoms and their order) with --topology"
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: MDAnalysis cannot read it ({reason}){hint}") from error
    return universe


def _is_lammps_dcd(path: Path) -> bool:
    """Return whether a DCD file is from LAMMPS, which writes the time step in the units of the run, not in
    CHARMM's."""
    with path.open("rb") as file:
        start = file.read(1024)
    return start[4:8] == b"CORD" and b"LAMMPS" in start


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


def structures_before(universe: mda.Universe, time_ps: float) -> list[Atoms]:
    """Return the last structures of a trajectory up to a time, at most 40, the last at or just after it.

    Parameters
    ----------
    universe
        From `open_trajectory`.
    time_ps
        Time of a failure, for example.
    """
    numbers = atomic_numbers(universe)
    times = np.array([frame.time for frame in universe.trajectory])
    last = min(int(np.searchsorted(times, time_ps - 1e-3)), len(times) - 1)
    structures = []
    for frame in universe.trajectory[max(0, last - MOST_STRUCTURES + 1) : last + 1]:
        cell = None if frame.dimensions is None else triclinic_vectors(frame.dimensions)
        periodic = cell is not None and abs(np.linalg.det(cell)) > 0
        structures.append(
            Atoms(numbers, frame.positions.astype(np.float64), cell=cell if periodic else None, pbc=periodic)
        )
    return structures
