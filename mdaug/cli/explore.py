"""`mdaug explore`: where a model's own dynamics went wrong, for its next training."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from mdaug.augmentation.explored import ExploreOptions
from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.data import write_extxyz
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.workflows.explore import explore as find_false_wells


def explore(
    *trajectories: Path,
    model: Path | None = None,
    options: Annotated[ExploreOptions, Parameter(name="*")] = ExploreOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Find false wells that a model's own dynamics fell into, and label them for its next training.

    The labels are those of the force field matched to the model's training frames; nothing is computed ab
    initio. Writes explored.xyz, which `mdaug train --augment.explored` adds to the copies, and explore.json.
    For molecules without a cell.

    Parameters
    ----------
    trajectories
        Folders of `mdaug nve` or `mdaug nvt` (with --replicas too), or trajectory files.
    model
        The model that ran, in the folder of its training [default: the latest run].
    """
    if not trajectories:
        raise DataError("no trajectory; name folders of `mdaug nve` or `mdaug nvt` that this model ran")
    with open_run(output, command="explore") as run:
        with counted("visited frames") as progress:
            found, n_visited = find_false_wells(trajectories, model, options, progress)
        write_json(run.path / "explore.json", {"n_visited": n_visited, "n_kept": len(found)})
        if len(found):
            write_extxyz(found, run.path / "explored.xyz")
    if len(found) == 0:
        console.print(f"none of {n_visited} visited frames lies in a false well", style="green")
        return
    print(f"{len(found)} of {n_visited} visited frames lie in false wells, or as many as --n-kept keeps")
    print(run.path / "explored.xyz")
