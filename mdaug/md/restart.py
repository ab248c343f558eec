"""The state of a run on disk: enough to go on as if nothing had happened."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.errors import DataError
from mdaug.files import atomic_path
from mdaug.frames import FloatArray

RESTART_FILE = "restart.npz"


@dataclass(frozen=True)
class Restart:
    """A run at one step, and how long its files were then.

    Parameters
    ----------
    positions, momenta, forces
        Shape (n_atoms, 3); Å, ASE's momentum unit, eV/Å. The forces too, so that the first step of a resumed
        run uses the very same ones.
    random_state
        Of the thermostat's generator; empty for NVE.
    thermo_bytes, trajectory_bytes
        Lengths of the files that belong to this step; what follows is cut off on resuming.
    n_rows, temperature_sum_K
        Of the thermo table, for the mean temperature.
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
    """Write the restart file whole or not at all; a kill leaves the one before."""
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
    """Return what `write_restart` wrote, or None if there is no such file.

    Raises
    ------
    DataError
        If the file is not a restart file of `n_atoms` atoms, or the tables are shorter than they were.
    """
    path = folder / RESTART_FILE
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as data:
            step, thermo_bytes, trajectory_bytes, n_rows = (int(value) for value in data["integers"])
            restart = Restart(
                step=step,
                positions=data["positions"].reshape(n_atoms, 3),
                momenta=data["momenta"].reshape(n_atoms, 3),
                forces=data["forces"].reshape(n_atoms, 3),
                random_state=json.loads(str(data["random_state"])),
                thermo_bytes=thermo_bytes,
                trajectory_bytes=trajectory_bytes,
                n_rows=n_rows,
                temperature_sum_K=float(data["temperature_sum_K"]),
            )
    except Exception as error:  # numpy and zipfile raise whatever a damaged file makes them
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
