"""Stability of a trajectory against the training frames of a model, with file and figure."""

import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import MDAnalysis as mda
from ase import Atoms

from mdaug.analysis.relax import relax
from mdaug.analysis.stability import TOLERANCE_A, stability
from mdaug.analysis.stability_result import StabilityResult
from mdaug.analysis.trajectory import (
    atomic_numbers,
    open_trajectory,
    structures_before,
    trajectory_file,
)
from mdaug.archives import read_json
from mdaug.calculators.applicability import check_applicability
from mdaug.calculators.trained_systems import label_for, manifest_for, system_records
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet, one_frame
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.reports.molecule import MoleculeView
from mdaug.reports.stability import write_stability_report
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.run_folders.runs import find_model
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import own_frames


@dataclass(frozen=True)
class ExpectedBonds:
    """Bonds that a trajectory is expected to keep.

    Parameters
    ----------
    bonds
        The bonds, with their mean lengths.
    frames
        Training frames whose distances and torsions are compared; None for bonds only.
    manifest
        Manifest of the model whose training frames these are; None without a model.
    """

    bonds: TrainingBonds
    frames: FrameSet | None
    manifest: dict[str, Any] | None = None


@dataclass(frozen=True)
class TrajectoryStability:
    """The result for a trajectory, and the page about it."""

    result: StabilityResult
    report: Path


def judge_trajectory(
    trajectory: Path,
    expected: ExpectedBonds,
    folder: Path,
    *,
    topology: Path | None = None,
    tolerance_A: float | None = None,
    frame_time_fs: float | None = None,
    strict: bool = False,
    progress: Progress = ignore,
) -> TrajectoryStability:
    """Find the first broken bond and write stability.json, stability.png and report.html into `folder`.

    Parameters
    ----------
    trajectory
        A trajectory file or a folder of `mdaug nve`.
    expected
        From `training_bonds` or `minimum_bonds`.
    folder
        Output folder.
    topology
        File that names the atoms.
    tolerance_A
        Largest deviation of a bond's length from its mean [default: `TOLERANCE_A`].
    frame_time_fs
        Time between frames, for formats without it.
    strict
        Refuse a trajectory that starts from a structure unlike the model's training frames.
    progress
        Called with the stage "frames" and the numbers of frames done and in all.

    Raises
    ------
    DataError
        If the trajectory cannot be read, or is of other atoms.
    StructureError
        `strict`, and its first frame is unlike the model's training frames; otherwise a warning.
    """
    universe = open_trajectory(trajectory, topology, frame_time_fs=frame_time_fs)
    differences = _differences(universe, expected, strict=strict)
    result = stability(
        universe,
        expected.bonds,
        frames=expected.frames,
        tolerance_A=TOLERANCE_A if tolerance_A is None else tolerance_A,
        progress=partial(progress, "frames"),
    )
    write_json(folder / "stability.json", result.to_json() | {"unlike_training": differences})
    view, time_ps = None, result.time_to_failure_ps
    if time_ps is not None and result.broken_bond is not None:
        i, j = map(int, result.bonds.bonds[result.broken_bond])
        text = f"{result.first_broken_bond} broke, after {time_ps:.3g} ps."
        view = MoleculeView(structures_before(universe, time_ps), result.bonds.bonds, (i, j), text)
    start = structures_before(universe, 0.0)[-1]
    report = write_stability_report(folder, result, start, view)
    return TrajectoryStability(result, report)


def training_bonds(
    trajectory: Path, frames: FrameSet | None, model: Path | None, topology: Path | None = None
) -> ExpectedBonds:
    """Return the bonds of the training frames that a trajectory is compared with.

    Parameters
    ----------
    trajectory
        Trajectory; its record names the model if `mdaug nve` wrote it.
    frames
        The training frames; None for those of the model.
    model
        The model [default: the one that made the trajectory, or the latest run].
    topology
        File that names the atoms, for a model of several systems.

    Raises
    ------
    DataError
        If there is no trajectory, or neither frames nor a model.

    Warns
    -----
    UserWarning
        If the model does not lie in the folder of its training: then only its bonds are known.
    """
    trajectory_file(trajectory)  # else a missing trajectory would be told as a missing model
    if frames is not None:
        return ExpectedBonds(TrainingBonds.from_frames(frames, "the frames"), frames)
    try:
        path = find_model(model or _made_by(trajectory)).resolve()
    except DataError as error:
        raise DataError(f"{error}; or name the training frames with --data") from error
    manifest, label = _of_system(read_manifest(path), trajectory, topology)
    try:
        frames = own_frames(path, "train", label)
    except DataError as error:
        warnings.warn(f"bonds only, no distributions: {error}", stacklevel=2)
        return ExpectedBonds(TrainingBonds.from_manifest(manifest), None, manifest)
    return ExpectedBonds(TrainingBonds.from_frames(frames), frames, manifest)


def _of_system(
    manifest: dict[str, Any], trajectory: Path, topology: Path | None
) -> tuple[dict[str, Any], str | None]:
    """Return the manifest for the system of a trajectory, and its label; None for a model of one system."""
    if len(system_records(manifest)) == 1:
        return manifest, None
    universe = open_trajectory(trajectory, topology)
    if not len(universe.trajectory):
        raise DataError(f"{trajectory}: no frames; expected at least one")
    atoms = _first_frame(universe)
    label = label_for(manifest, atoms)
    if label is None:
        labels = ", ".join(record["label"] for record in system_records(manifest))
        raise DataError(
            f"{trajectory}: {atoms.get_chemical_formula('hill')} is none of the systems of the model "
            f"({labels}); name its training frames with --data"
        )
    return manifest_for(manifest, atoms), label


def minimum_bonds(
    trajectory: Path,
    options: CalculatorOptions,
    *,
    topology: Path | None = None,
    frame_time_fs: float | None = None,
) -> ExpectedBonds:
    """Return the bonds of the minimum of a calculator next to the first frame of a trajectory.

    Parameters
    ----------
    trajectory
        Trajectory.
    options
        The calculator.
    topology, frame_time_fs
        As for `judge_trajectory`.

    Raises
    ------
    DataError
        If the calculator cannot be made, the trajectory has no frame, or the first one does not relax.
    """
    choice = CalculatorChoice.from_options(options, None)
    if choice is None:
        raise DataError("no calculator; name one with --calculator")
    universe = open_trajectory(trajectory, topology, frame_time_fs=frame_time_fs)
    if not len(universe.trajectory):
        raise DataError(f"{trajectory}: no frames; expected at least one")
    relaxed = relax(choice.make(), _first_frame(universe))
    if not relaxed.converged:
        raise DataError(
            f"{trajectory}: its first frame does not relax with {choice.name} (the largest force is "
            f"{relaxed.max_force_eV_A:.2g} eV/Å); name frames with --data"
        )
    minimum = relaxed.atoms
    frame = one_frame(minimum, relaxed.energy_eV, choice.name)
    return ExpectedBonds(TrainingBonds.from_frames(frame, f"the minimum of {choice.name}"), None)


def _first_frame(universe: mda.Universe) -> Atoms:
    frame = universe.trajectory[0]
    atoms = Atoms(atomic_numbers(universe), frame.positions)
    if frame.dimensions is not None:
        atoms.cell, atoms.pbc = frame.triclinic_dimensions, True
    return atoms


def _differences(universe: mda.Universe, expected: ExpectedBonds, *, strict: bool) -> list[str]:
    """Return how the first frame differs from the training frames; `stability` refuses other atoms."""
    if expected.manifest is None or not len(universe.trajectory):
        return []
    return check_applicability(_first_frame(universe), expected.manifest, strict=strict)


def _made_by(trajectory: Path) -> Path | None:
    """Return the model that the record of `mdaug nve` beside the trajectory names, if it still exists."""
    folder = trajectory if trajectory.is_dir() else trajectory.parent
    try:
        about = read_json(folder / "config.json", "the record of a run")["about"]
        calculator = about.get("calculator")
        made_by = None if calculator else Path(about["model"])
        model = made_by if made_by is not None and made_by.is_file() else None
    except (DataError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if calculator:
        raise DataError(
            f"{trajectory}: made by the calculator {calculator}, which has no training frames; "
            f"give --calculator {calculator}"
        )
    return model
