"""Files from which a run is resumed: config.json (start and options) and restart.npz (the last state)."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from pydantic import ValidationError

from mdaug import __version__
from mdaug.archives import load_npz, parse_json, read_json
from mdaug.errors import DataError
from mdaug.files import atomic_path, write_json
from mdaug.frames import FloatArray, structure_from_json
from mdaug.md.options import MAY_CHANGE_ON_RESUME, DynamicsOptions

CONFIG_FILE = "config.json"
RESTART_FILE = "restart.npz"
RUN_FILES = (CONFIG_FILE, RESTART_FILE, "thermo.csv", "shadow.csv", "trajectory.dcd", "topology.pdb")

WRITTEN_BY = "mdaug "
"""Program name in config.json, before the version: other programs write files of that name too."""


@dataclass(frozen=True)
class Restart:
    """A run at one step, and the lengths of its files at that step.

    Parameters
    ----------
    step
        Steps since the start of the run.
    positions, momenta, forces
        Shape (n_atoms, 3); Å, ASE's momentum unit, eV/Å. The forces are included so that the first step of a
        resumed run uses exactly the same values.
    random_state
        State of the thermostat's generator; empty for NVE.
    thermo_bytes, trajectory_bytes
        Lengths of the files at this step; a resume removes the data after it.
    n_rows, temperature_sum_K
        Rows and sum of temperatures of the thermo table, for the mean temperature.
    """

    step: int
    positions: FloatArray
    momenta: FloatArray
    forces: FloatArray
    random_state: dict[str, Any]
    thermo_bytes: int
    trajectory_bytes: int
    n_rows: int
    temperature_sum_K: float


def write_restart(folder: Path, restart: Restart) -> None:
    """Write the restart file atomically; after a kill the previous one is intact.

    Parameters
    ----------
    folder
        Folder of the run.
    restart
        State to write.
    """
    with atomic_path(folder / RESTART_FILE) as temporary:
        np.savez(
            temporary,
            integers=np.array(
                [restart.step, restart.thermo_bytes, restart.trajectory_bytes, restart.n_rows], dtype=np.int64
            ),
            temperature_sum_K=np.float64(restart.temperature_sum_K),
            positions=restart.positions,
            momenta=restart.momenta,
            forces=restart.forces,
            random_state=np.array(json.dumps(restart.random_state)),
        )


def read_restart(folder: Path, n_atoms: int) -> Restart | None:
    """Read the restart file of `write_restart`; return None if there is none.

    Parameters
    ----------
    folder
        Folder of the run.
    n_atoms
        Number of atoms that the state must have.

    Raises
    ------
    DataError
        If the file is not a restart file of `n_atoms` atoms, or the tables are shorter than the restart file
        states.
    """
    path = folder / RESTART_FILE
    if not path.exists():
        return None
    try:
        data = load_npz(path)
        step, thermo_bytes, trajectory_bytes, n_rows = (int(value) for value in data["integers"])
        restart = Restart(
            step=step,
            positions=data["positions"].reshape(n_atoms, 3),
            momenta=data["momenta"].reshape(n_atoms, 3),
            forces=data["forces"].reshape(n_atoms, 3),
            random_state=parse_json(str(data["random_state"])),
            thermo_bytes=thermo_bytes,
            trajectory_bytes=trajectory_bytes,
            n_rows=n_rows,
            temperature_sum_K=float(data["temperature_sum_K"]),
        )
    except Exception as error:  # numpy and zipfile raise errors of many kinds for a damaged file
        raise DataError(
            f"{path}: not a restart file of {n_atoms} atoms ({type(error).__name__}: {error}); "
            "remove it to start from the beginning"
        ) from error
    for name, expected in (("thermo.csv", thermo_bytes), ("trajectory.dcd", trajectory_bytes)):
        size = (folder / name).stat().st_size if (folder / name).exists() else 0
        if size < expected:
            raise DataError(
                f"{folder / name}: {size} bytes, but {expected} when {RESTART_FILE} was written; "
                "restore it, or start anew with --overwrite"
            )
    return restart


def write_start(folder: Path, atoms: Atoms, options: DynamicsOptions, about: dict[str, Any]) -> None:
    """Write ``config.json``, from which the run can be resumed and repeated.

    Parameters
    ----------
    folder
        Folder of the run.
    atoms
        Start structure.
    options
        Options of the run.
    about
        JSON-compatible record of the model and its precision.
    """
    start: dict[str, Any] = {
        "atomic_numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "masses": atoms.get_masses().tolist(),
    }
    if atoms.pbc.any():
        start |= {"cell": atoms.cell.array.tolist(), "pbc": atoms.pbc.tolist()}
    content = {
        "written_by": f"{WRITTEN_BY}{__version__}",
        "options": options.model_dump(),
        "about": about,
        "start": start,
    }
    write_json(folder / CONFIG_FILE, content)


def read_start(folder: Path) -> tuple[Atoms, DynamicsOptions, dict[str, Any]] | None:
    """Return start structure, options and record of the model, or None if no run has started.

    Parameters
    ----------
    folder
        Folder of the run.

    Raises
    ------
    DataError
        If the file is damaged or not of mdaug, or a file of the run is a symbolic link.
    """
    path = folder / CONFIG_FILE
    _refuse_links(folder)
    if not path.exists():
        return None
    try:
        content = read_json(path, "the record of a run")
        if not str(content.get("written_by", "")).startswith(WRITTEN_BY):
            raise DataError(f"{path}: not written by mdaug; resume in the folder of one of its runs")
        atoms = structure_from_json(content["start"])
        return atoms, DynamicsOptions(**content["options"]), dict(content["about"])
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, ValidationError) as error:
        raise DataError(f"{path}: not the record of a run ({type(error).__name__}: {error})") from error


def refuse_other_files(folder: Path) -> None:
    """Refuse to replace files with the names of a run's that no run of mdaug has written.

    Parameters
    ----------
    folder
        Folder of a new run.

    Raises
    ------
    DataError
        There are such files.
    """
    there = [name for name in RUN_FILES if (folder / name).exists()]
    if there and read_start(folder) is None:
        raise DataError(
            f"{folder / there[0]} is of no run of mdaug and would be replaced; give another folder with --out"
        )


def check_own_record(folder: Path) -> None:
    """Refuse the record of another user, because a resume would load the model that it names.

    Parameters
    ----------
    folder
        Folder of the run.

    Raises
    ------
    DataError
        If config.json belongs to another user.
    """
    path = folder / CONFIG_FILE
    if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
        raise DataError(
            f"{path} belongs to another user, and a resume loads the model that it names; name the model as "
            "MODEL if you trust it"
        )


def resumed_start(folder: Path, atoms: Atoms, options: DynamicsOptions) -> Atoms:
    """Return the recorded start structure of a run to resume.

    Parameters
    ----------
    folder
        Folder of the run.
    atoms
        Start structure of the new run; returned if none is recorded.
    options
        Options of the resumed run.

    Raises
    ------
    DataError
        If the recorded atoms differ, or an option that must not change.
    """
    recorded = read_start(folder)
    if recorded is None:
        return atoms
    start, before, _ = recorded
    if start.numbers.tolist() != atoms.numbers.tolist():
        raise DataError(
            f"{folder}: cannot resume with other atoms ({start.symbols} before, {atoms.symbols} now); give "
            "the start structure of that run"
        )
    for name, value in before.model_dump().items():
        now = getattr(options, name)
        if now != value and name not in MAY_CHANGE_ON_RESUME:
            raise DataError(
                f"{folder}: cannot resume with {name} {now}: it was {value}; leave it out, or start a new run"
            )
    return start


def _refuse_links(folder: Path) -> None:
    """Refuse files of a run that are links: truncating them would change a file elsewhere."""
    for name in RUN_FILES:
        if (folder / name).is_symlink():
            raise DataError(
                f"{folder / name}: a symbolic link, which mdaug never writes; a resume would change the file "
                "that it points to; resume in the folder of a run of mdaug"
            )
