"""Files that follow from the trajectory of a finished run: extended xyz, and the deviation of a committee."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ase.io
import numpy as np
from ase import Atoms

from mdaug.analysis.trajectory import open_trajectory
from mdaug.calculators.committee import MDAugCommittee, committee_networks
from mdaug.calculators.structures import StructureError
from mdaug.errors import SettingsError
from mdaug.files import atomic_path, write_text

if TYPE_CHECKING:
    from mdaug.workflows.dynamics import ModelRun

EXTXYZ = "trajectory.xyz"
"""The trajectory as extended xyz."""

MODEL_DEVI = "model_devi.out"
"""Name of the file in DeePMD-kit and DP-GEN."""

_COLUMNS = [f"{kind}_devi_{what}" for what in "vf" for kind in ("max", "min", "avg")]


def written(folder: Path) -> list[str]:
    """Return which of the files are in a run folder or in those of its replicas.

    Parameters
    ----------
    folder
        The run folder.
    """
    return [n for n in (EXTXYZ, MODEL_DEVI) if (folder / n).exists() or any(folder.glob(f"replica-*/{n}"))]


def write_trajectory_files(run: "ModelRun", places: Sequence[Path]) -> None:
    """Write the files that follow from finished trajectories, where the run asks for them.

    Parameters
    ----------
    run
        The run.
    places
        Folders of its replicas.
    """
    for place in places:
        if run.extxyz:
            write_extxyz_trajectory(place, run.start)
        if run.model_devi:
            write_model_deviation(place, run.start, committee_of(run.about), run.options.timestep)


def write_extxyz_trajectory(folder: Path, start: Atoms) -> Path:
    """Write the trajectory of a run as trajectory.xyz: extended xyz with the time of each frame in fs.

    Parameters
    ----------
    folder
        Folder with trajectory.dcd and topology.pdb.
    start
        The start structure: elements and periodic directions.

    Returns
    -------
    Path
        The file.
    """
    path = folder / EXTXYZ
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        atoms = Atoms(start.numbers, start.positions, pbc=start.pbc)
        for time_fs in _frames_of(folder, atoms):
            atoms.info["time_fs"] = time_fs
            ase.io.write(file, atoms, format="extxyz")
    return path


def _frames_of(folder: Path, atoms: Atoms) -> Iterator[float]:
    """Give atoms the positions of each frame in turn, and yield its time in fs.

    They get the cell of the trajectory, too: its first vector lies along x, whatever that of the start.
    """
    for frame in open_trajectory(folder).trajectory:
        if atoms.pbc.any():
            atoms.cell = frame.triclinic_dimensions
        atoms.positions = frame.positions
        yield 1000.0 * frame.time


def committee_of(about: dict[str, Any]) -> MDAugCommittee:
    """Return the committee that the model of a run is a network of.

    Parameters
    ----------
    about
        The record of the model in ``config.json``.

    Raises
    ------
    SettingsError
        The run is of another calculator, or there are no other networks in the file.
    """
    path = about.get("model")
    if path is None or len(committee_networks(path)) < 2:
        raise SettingsError(
            f"--model-devi needs a committee, and there is none in {path or 'a calculator'}; "
            "name a model of `mdaug train --committee N`"
        )
    return MDAugCommittee(path, device=about["device"], dtype=about["dtype"], strict=None)


def write_model_deviation(folder: Path, start: Atoms, committee: MDAugCommittee, timestep_fs: float) -> Path:
    """Write model_devi.out: the deviations of a committee for each frame of a trajectory, as DeePMD-kit does.

    The columns are the step, maximum, minimum and mean (virial: root of the mean square) of the deviations of
    the virial, eV per atom, and of the forces, eV/Å (Zeng et al. 2023, DOI 10.1063/5.0155600). A frame that
    the networks cannot evaluate has NaN.

    Parameters
    ----------
    folder
        Folder with trajectory.dcd and topology.pdb.
    start
        The start structure, with bonds intact.
    committee
        The networks.
    timestep_fs
        Time step of the run, fs.

    Returns
    -------
    Path
        The file.
    """
    atoms, lines = start.copy(), ["#" + f"{'step':>11}" + "".join(f"{name:>19}" for name in _COLUMNS)]
    committee.find_molecules(atoms)
    for time_fs in _frames_of(folder, atoms):
        values = _deviations(atoms, committee)
        lines.append(f"{round(time_fs / timestep_fs):12d}" + "".join(f" {value:18.6e}" for value in values))
    path = folder / MODEL_DEVI
    write_text(path, "\n".join(lines) + "\n")
    return path


def _deviations(atoms: Atoms, committee: MDAugCommittee) -> list[float]:
    """Return the six columns of a structure after the step."""
    try:
        committee.get_forces(atoms)
    except StructureError:
        return [math.nan] * len(_COLUMNS)
    virial, force = committee.results["virial_deviation"], committee.results["force_deviation"]
    mean_v = math.sqrt(np.mean(np.square(virial)))
    return [virial.max(), virial.min(), mean_v, force.max(), force.min(), force.mean()]
