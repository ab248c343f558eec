"""Replicas of a run as independent jobs, each in a worker of a cluster."""

from pathlib import Path
from typing import Any

from ase import Atoms

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.errors import DataError, SettingsError
from mdaug.jobs import Failure, Job, Where, run_jobs
from mdaug.md import DynamicsOptions, DynamicsResult, run_dynamics
from mdaug.md.dynamics import write_summary
from mdaug.md.restart import write_start
from mdaug.workflows.dynamics import ModelRun, integrators_of, write_extxyz_trajectory
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.use_calculator import CalculatorChoice


def run_replica_jobs(
    run: ModelRun, folder: Path, where: Where, progress: Progress = ignore
) -> list[DynamicsResult]:
    """Run replicas as jobs and return the result of each; their files are those of `run_model`.

    Parameters
    ----------
    run
        From `prepare_run`.
    folder
        Run folder, which all workers see under the same path, as they see the model.
    where
        Workers.
    progress
        Called with "replicas" and the numbers of replicas done and in all.

    Raises
    ------
    MDAugError
        A replica failed, which is named; the others have run, and a resumed run continues them.
    SettingsError
        There is only one run.
    """
    n_replicas = run.about.get("replicas", 1)
    if n_replicas == 1:
        raise SettingsError("--scheduler runs replicas on a cluster; give their number with --replicas")
    if not run.resume:  # a run whose first replica has not begun can be resumed, too
        first = folder / "replica-0"
        first.mkdir(exist_ok=True)
        write_start(first, run.start, run.options, run.about)
    arguments = (run.start, run.about, run.options, folder)
    jobs = [Job(f"replica {k}", run_replica, (*arguments, k), folder) for k in range(n_replicas)]
    ended = list[int]()

    def report(index: int, _: object) -> None:
        ended.append(index)
        progress("replicas", len(ended), n_replicas)

    progress("replicas", 0, n_replicas)
    results = run_jobs(jobs, where, ended=report)
    failures = [result for result in results if isinstance(result, Failure)]
    if failures:
        others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise DataError(f"{failures[0].error()}{others}; --resume runs what is missing")
    write_summary(results, run.options, folder)
    for k in range(n_replicas if run.extxyz else 0):
        write_extxyz_trajectory(folder / f"replica-{k}", run.start)
    return results


def run_replica(
    start: Atoms, about: dict[str, Any], options: DynamicsOptions, folder: Path, k: int
) -> DynamicsResult:
    """Run one replica, or continue it where a worker that was killed has left it.

    Parameters
    ----------
    start
        The start structure.
    about
        The record of the model or calculator.
    options
        Options of the first replica.
    folder
        Run folder of all replicas.
    k
        Number of the replica, which is added to the seed.
    """
    seeded = options.model_copy(update={"seed": options.seed + k})
    calculator: Any
    if "calculator" in about:
        calculator = CalculatorChoice.from_record(about).make()
    else:
        calculator = MDAugCalculator(
            Path(about["model"]), device=about["device"], dtype=about["dtype"], strict=None
        )
    own, place = ModelRun(start, calculator, seeded, about, resume=True), folder / f"replica-{k}"
    integrators, record = integrators_of(own, together=False)
    return run_dynamics(start, calculator, seeded, place, **integrators, resume=True, about=record)
