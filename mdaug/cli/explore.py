"""`mdaug explore`: spurious minima that a model's own MD reaches, labeled for retraining."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.augmentation.options import ExploreOptions
from mdaug.cli.arguments import given_options, refuse
from mdaug.cli.progress import console, print_next, progress_bars
from mdaug.errors import DataError
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import LATEST, open_run
from mdaug.workflows.settings.options import OutputOptions
from mdaug.workflows.settings.workflow_options import LabelOptions


def explore(
    *trajectories: Path,
    model: Path | None = None,
    options: Annotated[ExploreOptions, Parameter(name="*")] = ExploreOptions(),
    labels: Annotated[LabelOptions, Parameter(name="*")] = LabelOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Find frames of a model's own MD that it is wrong about, and label them for another training.

    Without --label these are spurious minima, and the labels come from the force field matched to the model's
    training frames; nothing is computed ab initio. With --label these are frames unlike the training frames
    (extrapolation above --above), which the named calculator labels; frames on which it fails are recorded
    with the reason and left out. Each label is kept at once: the same command with the same --out continues
    after an interruption. Writes explored.xyz, which `mdaug train --augment.explored` adds to the augmented
    frames, and explore.json. For molecules without a cell.

    Parameters
    ----------
    trajectories
        Folders of `mdaug nve` or `mdaug nvt` (with --replicas too), or trajectory files.
    model
        The model that made the trajectories, in the folder of its training [default: the latest run].
    """
    from mdaug.workflows.explore import explore_trajectories

    if not trajectories:
        raise DataError("no trajectory; name folders of `mdaug nve` or `mdaug nvt` that this model ran")
    if labels.label is not None:
        return _label(trajectories, model, options, labels, output)
    refuse(given_options(labels), "without --label")
    inputs = [*trajectories, model]
    with (
        open_run(output, command="explore", subject=model or LATEST, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        exploration = explore_trajectories(trajectories, model, options, run.path, progress)
    if exploration.n_kept == 0:
        console.print(f"none of {exploration.n_visited} frames lies in a spurious minimum", style="green")
        return
    print_text(
        f"{exploration.n_kept} of {exploration.n_visited} frames in spurious minima are kept "
        "(at most --n-kept)"
    )
    print_text(run.path / "explored.xyz")
    print_next(f"mdaug train --augment.explored {run.path / 'explored.xyz'}")


def _label(
    trajectories: tuple[Path, ...],
    model: Path | None,
    options: ExploreOptions,
    labels: LabelOptions,
    output: OutputOptions,
) -> None:
    from mdaug.workflows.explore_labels import label_unlike_frames

    inputs = [*trajectories, model]
    with (
        open_run(output, command="explore", subject=model or LATEST, inputs=inputs) as run,
        progress_bars() as progress,
    ):
        labeled = label_unlike_frames(
            trajectories, model, options, labels, folder=run.path, progress=progress
        )
    unlike = f"{labeled.n_above} of {labeled.n_visited} frames have an extrapolation above {labels.above:g}"
    if not labeled.n_above:
        console.print(unlike, style="green")
        return
    print_text(f"{unlike}; {len(labeled.frames)} are labeled and kept (at most --n-kept)")
    if labeled.failed:
        first = labeled.failed[0]["reason"]
        print_text(f"{labels.label} failed on {len(labeled.failed)} frames ({first}):")
        print_text(run.path / "explore.json")
    if labeled.n_too_high:
        print_text(
            f"{labeled.n_too_high} are left out, more than --max-energy above the lowest training frame"
        )
    if len(labeled.frames):
        print_text(run.path / "explored.xyz")
        print_next(f"mdaug train --augment.explored {run.path / 'explored.xyz'}")
