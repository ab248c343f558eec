"""LAMMPS dumps as MDAnalysis trajectories: their times, periodic directions and elements."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import MDAnalysis as mda
import numpy as np
from MDAnalysis.lib.util import anyopen

from mdaug.errors import DataError
from mdaug.frames import OPEN_A

FORMAT = "LAMMPSDUMP"
"""Name of the format in MDAnalysis."""


@dataclass(frozen=True)
class DumpHeader:
    """Information in the first frames of a dump.

    Parameters
    ----------
    steps
        Step numbers of the first two frames, or of the only one.
    pbc
        Periodic directions.
    elements
        Chemical symbols in the order of the atoms' ids; None without columns ``id`` and ``element``.
    """

    steps: tuple[int, ...]
    pbc: tuple[bool, bool, bool]
    elements: tuple[str, ...] | None


def read_dump_header(path: Path) -> DumpHeader | None:
    """Return the header of a LAMMPS dump, which may be compressed; None if the file is something else.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    DataError
        If the dump has no column ``id``, or lines that MDAnalysis does not read.
    """
    try:
        with anyopen(str(path), "rt") as file:
            first = file.readline(64)
            if not first.startswith("ITEM:"):
                return None
            if not first.startswith("ITEM: TIMESTEP"):
                raise DataError(
                    f"{path}: a LAMMPS dump that begins with {first.strip()!r}; expected ITEM: TIMESTEP "
                    "(write it with dump_modify units no time no)"
                )
            return _parse(file, path)
    except (OSError, EOFError, UnicodeDecodeError):
        return None  # MDAnalysis will raise its own error
    except (ValueError, IndexError) as error:
        raise DataError(f"{path}: not a complete frame of a LAMMPS dump ({error})") from error


def _parse(file: TextIO, path: Path) -> DumpHeader:
    """Return the header of a dump whose first line has been read."""
    steps = [int(file.readline())]
    file.readline()
    n_atoms = int(file.readline())
    bounds = file.readline().split()
    for _ in range(3):
        file.readline()
    columns = file.readline().split()[2:]
    if "id" not in columns:
        raise DataError(
            f"{path}: a LAMMPS dump without a column id, so the order of its atoms is unknown; "
            "write it with id"
        )
    rows = [line.split() for line in islice(file, n_atoms)]
    if file.readline().startswith("ITEM: TIMESTEP"):
        steps.append(int(file.readline()))
    elements = None
    if "element" in columns:
        at_id, at_element = columns.index("id"), columns.index("element")
        elements = tuple(row[at_element] for row in sorted(rows, key=lambda row: int(row[at_id])))
    flags = bounds[-3:] if len(bounds) >= 6 else ["pp"] * 3  # very old dumps have no periodic directions
    x, y, z = (flag == "pp" for flag in flags)
    return DumpHeader(tuple(steps), (x, y, z), elements)


def open_dump(
    path: Path, topology: Path | None, header: DumpHeader, frame_time_ps: float | None
) -> mda.Universe:
    """Open a LAMMPS dump with MDAnalysis, with times and a cell only where it is periodic.

    MDAnalysis treats every box as periodic and multiplies step numbers by the time between frames.

    Parameters
    ----------
    path
        The dump.
    topology
        File that names the atoms; None for the elements of the dump.
    header
        Header from `read_dump_header`.
    frame_time_ps
        Time between the first two frames; None leaves the step numbers as times.

    Raises
    ------
    DataError
        If neither names the atoms, or the step numbers do not increase.
    """
    time_per_step = 1.0
    if frame_time_ps is not None and len(header.steps) == 2:
        interval = header.steps[1] - header.steps[0]
        if interval <= 0:
            raise DataError(
                f"{path}: its first two frames have steps {header.steps}; expected increasing ones"
            )
        time_per_step = frame_time_ps / interval

    def correct(frame: Any) -> Any:
        frame.data["time"] = (frame.data["step"] - header.steps[0]) * time_per_step
        if not any(header.pbc):
            frame.dimensions = None
        elif not all(header.pbc):
            lengths = np.where(header.pbc, frame.dimensions[:3], OPEN_A)
            frame.dimensions = [*lengths, *frame.dimensions[3:]]
        return frame

    if topology is not None:
        universe = mda.Universe(
            str(topology), str(path), format=FORMAT, dt=1.0, to_guess=("types", "masses", "elements")
        )
    elif header.elements is not None:
        universe = mda.Universe.empty(len(header.elements))
        universe.add_TopologyAttr("elements", list(header.elements))
        universe.load_new(str(path), format=FORMAT, dt=1.0)
    else:
        raise DataError(
            f"{path}: the dump names no elements; name the topology (atoms and their order) with "
            "--topology, or write the dump with columns id element x y z"
        )
    universe.trajectory.add_transformations(correct)
    return universe
