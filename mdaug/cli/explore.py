"""`mdaug explore`: spurious minima that a model's own MD reaches, labeled for retraining."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.augmentation.options import ExploreOptions
from mdaug.cli.progress import console, print_next, progress_bars
from mdaug.errors import DataError
from mdaug.text import print_text
from mdaug.workflows.options import OutputOptions
from mdaug.workflows.runs import LATEST, open_run


def explore(
    *trajectories: Path,
    model: Path | None = None,
    options: Annotated[ExploreOptions, Parameter(name="*")] = ExploreOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Find spurious minima that a model's own MD reaches, and label them for another training.

    The labels come from the force field matched to the model's training frames; nothing is computed ab
    initio. Writes explored.xyz, which `mdaug train --augment.explored` adds to the augmented frames, and
    explore.json. For molecules without a cell.

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
