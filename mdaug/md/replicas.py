"""Several independent runs of one molecule, moved as one batch."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.files import write_json
from mdaug.md.dynamics import DynamicsResult, MakeEngine, Progress, finish, prepare
from mdaug.md.loop import Engine, drive
from mdaug.md.options import DynamicsOptions


def run_replicas(
    atoms: Atoms,
    calculator: Calculator,
    options: DynamicsOptions,
    folder: Path,
    n_replicas: int,
    *,
    make_engine: MakeEngine,
    advance: Callable[[list[Engine], int], int],
    resume: bool = False,
    progress: Progress | None = None,
    about: dict[str, Any] | None = None,
) -> list[DynamicsResult]:
    """Run `n_replicas` independent copies, each equilibrated by itself with a seed of its own.

    Replica k writes what `run_dynamics` writes with seed ``options.seed + k``, into ``replica-k``; one that
    fails drops out and the others go on. ``nve.json`` (``nvt.json``) in `folder` tells of all. Parameters as
    for `run_dynamics`; `advance` moves several engines at once.
    """
    report = progress or (lambda phase, done, total: None)
    folders = [folder / f"replica-{k}" for k in range(n_replicas)]
    with ExitStack() as open_files:
        runs = [
            prepare(
                atoms,
                calculator,
                options.model_copy(update={"seed": options.seed + k}),
                each,
                open_files,
                resume=resume,
                progress=_share(report, k, n_replicas),
                about=about,
                make_engine=make_engine,
            )
            for k, each in enumerate(folders)
        ]
        drive(runs, advance, partial(report, "dynamics"))
    results = [finish(run, each) for run, each in zip(runs, folders, strict=True)]
    summary = {
        "n_replicas": n_replicas,
        "completed_steps": [result.completed_steps for result in results],
        "stopped_because": [result.stopped_because for result in results],
        "steps_per_second": sum(result.steps_per_second for result in results),
        "options": options.model_dump(),
    }
    write_json(folder / f"{options.ensemble}.json", summary)
    return results


def _share(report: Progress, k: int, n_replicas: int) -> Progress:
    """Report replica k's steps as part of those of all, which take their turns."""
    return lambda phase, done, total: report(phase, k * total + done, n_replicas * total)
