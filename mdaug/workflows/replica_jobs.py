"""Replicas of a run as independent jobs, each in a worker of a cluster."""

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.errors import DataError, SettingsError
from mdaug.jobs import Failure, Job, Where, error_of, run_jobs
from mdaug.md import DynamicsOptions, DynamicsResult, run_dynamics
from mdaug.md.dynamics import write_summary
from mdaug.md.restart import CONFIG_FILE, read_start, write_start
from mdaug.workflows.dynamics import ModelRun, integrators_of, recorded_model
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.trajectory_files import write_trajectory_files
from mdaug.workflows.use_calculator import CalculatorChoice

RESUME = "--resume runs what is missing"
"""Advice of an error after which the other replicas are kept."""


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
    ended = replicas_as_jobs(run, folder, where, progress)
    failures = [result for result in ended if isinstance(result, Failure)]
    if failures:
        raise error_of(failures, RESUME)
    results = [result for result in ended if isinstance(result, DynamicsResult)]
    write_summary(results, run.options, folder)
    write_trajectory_files(run, [folder / f"replica-{k}" for k in range(n_replicas)])
    return results


def replicas_as_jobs(
    run: ModelRun, folder: Path, where: Where, progress: Progress = ignore
) -> list[DynamicsResult | Failure]:
    """Run replicas as jobs and return, in order, the result or the failure of each.

    Parameters
    ----------
    run, folder, where, progress
        As for `run_replica_jobs`.

    Raises
    ------
    MDAugError
        The scheduler of the cluster is lost.
    """
    if not run.resume:  # a run whose first replica has not begun can be resumed, too
        first = folder / "replica-0"
        first.mkdir(parents=True, exist_ok=True)
        write_start(first, run.start, run.options, run.about)
    n_replicas = run.about.get("replicas", 1)
    arguments = (run.start, run.about, run.options, folder)
    jobs = [Job(f"replica {k}", run_replica, (*arguments, k), folder) for k in range(n_replicas)]
    ended = list[int]()

    def report(index: int, _: object) -> None:
        ended.append(index)
        progress("replicas", len(ended), n_replicas)

    progress("replicas", 0, n_replicas)
    return run_jobs(jobs, where, ended=report)


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

    Raises
    ------
    DataError
        The model was replaced since the run began, or the folder has a replica of another one.
    """
    seeded = options.model_copy(update={"seed": options.seed + k})
    place = folder / f"replica-{k}"
    calculator: Calculator
    if "calculator" in about:
        calculator = CalculatorChoice.from_record(about).make()
    else:
        calculator = recorded_model(about)
    _check_record(place, about)
    own = ModelRun(start, calculator, seeded, about, resume=True)
    integrators, record = integrators_of(own, together=False)
    return run_dynamics(start, calculator, seeded, place, **integrators, resume=True, about=record)


def _check_record(place: Path, about: dict[str, Any]) -> None:
    """Refuse to continue a replica of another model or calculator."""
    recorded = read_start(place)
    if recorded is None:
        return
    before = recorded[2]
    if any(before.get(key) != about.get(key) for key in ("weights_sha256", "calculator")):
        name = before.get("model") or f"calculator {before.get('calculator')}"
        raise DataError(
            f"{place / CONFIG_FILE}: this replica began with another model ({name}); resume with that one, "
            "or start anew with --overwrite"
        )
