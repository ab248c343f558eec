"""`mdaug stability`: when, and by which bond, a trajectory broke."""

import json
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.analysis.stability import TOLERANCE_A, StabilityResult
from mdaug.analysis.stability import stability as judge
from mdaug.analysis.trajectory import open_trajectory
from mdaug.cli.common import DataOptions, OutputOptions, find_model, open_run
from mdaug.cli.progress import console, counted
from mdaug.deployment import read_manifest
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.reports.html import Table
from mdaug.reports.stability import save_stability_figure
from mdaug.reports.terminal import print_table
from mdaug.workflows.use_model import own_frames


def stability(
    trajectory: Path,
    *,
    topology: Path | None = None,
    data: str | None = None,
    model: Path | None = None,
    tolerance: Annotated[float, Field(gt=0)] = TOLERANCE_A,
    frame_time: Annotated[float | None, Field(gt=0)] = None,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Find the first broken bond of a trajectory, and compare what it visits with the training frames.

    A bond is broken when it is further than the tolerance from its mean length in the training frames
    (arXiv:2210.07237). Distances h(r) and torsions are of the frames before that. Writes stability.json and
    stability.png. In a crystal "broken" means that two neighbours have parted; for a liquid only bonds
    within molecules are watched.

    Parameters
    ----------
    trajectory
        Any trajectory that MDAnalysis reads, or a folder of `mdaug nve`.
    topology
        File that names the atoms [default: topology.pdb beside the trajectory].
    data
        The training frames: a file or a named set [default: those of the model].
    model
        The model whose training frames are meant [default: the one that made the trajectory, or the latest
        run].
    tolerance
        How far a bond may be off its mean, in Å.
    frame_time
        Time between frames in fs, for files without it (xyz, LAMMPS dump and DCD).
    """
    universe = open_trajectory(trajectory, topology, frame_time_fs=frame_time)
    frames = None if data is None else source.load(data)
    if frames is None:
        bonds, frames = _training_of(model or _made_by(trajectory))
    else:
        bonds = TrainingBonds.from_frames(frames)
    with open_run(output, command="stability") as run:
        with counted("frames") as progress:
            result = judge(universe, bonds, frames=frames, tolerance_A=tolerance, progress=progress)
        write_json(run.path / "stability.json", result.to_json())
        save_stability_figure(result, run.path / "stability.png")
    _print_summary(result)
    print(run.path / "stability.json")
    print(run.path / "stability.png")


def _training_of(model: Path | None) -> tuple[TrainingBonds, FrameSet | None]:
    """Return bonds and, if the model still lies in the folder of its training, the training frames."""
    try:
        path = find_model(model).resolve()
    except DataError as error:
        raise DataError(f"{error}; or name the training frames with --data") from error
    try:
        frames = own_frames(path, "train")
    except DataError as error:
        console.print(f"bonds only, no distributions: {error}", style="yellow")
        return TrainingBonds.from_manifest(read_manifest(path)), None
    return TrainingBonds.from_frames(frames), frames


def _made_by(trajectory: Path) -> Path | None:
    """Return the model that the record of `mdaug nve` beside the trajectory names, if it still exists."""
    folder = trajectory if trajectory.is_dir() else trajectory.parent
    try:
        made_by = json.loads((folder / "config.json").read_text(encoding="utf-8"))["about"]["model"]
        return Path(made_by) if Path(made_by).is_file() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _print_summary(result: StabilityResult) -> None:
    found = result.to_json()
    if result.time_to_failure_ps is None:
        print(f"no bond broke in {found['duration_ps']:g} ps ({found['n_frames']} frames)")
    else:
        print(f"{found['first_broken_bond']} broke at {found['time_to_failure_ps']:g} ps")
    if result.parted_at_ps is not None:
        console.print(
            f"the molecules parted (more than 6 Å) at {result.parted_at_ps:g} ps: what follows is no longer "
            "the system that the frames are of",
            style="yellow",
            soft_wrap=True,
        )
    print(f"largest deviation of a bond from its training mean {found['max_bond_deviation_A']:.3f} Å")
    if result.distance_histogram_error is not None:
        print(f"distances: ∫|h(r) − h_training(r)| dr = {result.distance_histogram_error:.3f} (0 to 2)")
    rows = [
        [name, which, *(round(fraction, 3) for fraction in populations.values())]
        for name, both in found["torsion_populations"].items()
        for which, populations in both.items()
        if populations is not None
    ]
    if rows:
        caption = "torsion populations before failure"
        print_table(Table(["torsion", "frames", "trans", "gauche+", "gauche−"], rows, caption))
