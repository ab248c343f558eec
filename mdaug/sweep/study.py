"""The trials of a sweep as an Optuna study: workers, resume, progress."""

import importlib
import multiprocessing
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdaug.errors import MDAugError, MissingDependencyError
from mdaug.locks import locked
from mdaug.processes import one_thread_each, start_worker
from mdaug.sweep.options import SweepOptions
from mdaug.sweep.space import (
    Dimension,
    Range,
    changes_of,
    check_settings,
    grid,
    record_settings,
    settings_of,
)
from mdaug.sweep.trial import objective_of, run_trial, trial_name
from mdaug.training import TrainState
from mdaug.workflows.config import RunConfig

if TYPE_CHECKING:
    import optuna

STUDY = "mdaug sweep"
REPORTS = 50  # number of times at which a training may be pruned


@dataclass(frozen=True)
class Sweep:
    """Settings of a sweep that its workers need.

    Parameters
    ----------
    config
        The training that is varied.
    space
        The search space.
    options
        Options of the sweep.
    folder
        Run folder, with a folder for each trial under ``trials``.
    """

    config: RunConfig
    space: list[Dimension]
    options: SweepOptions
    folder: Path

    @property
    def storage(self) -> str:
        """Optuna storage of the trials."""
        return self.options.storage or f"sqlite:///{(self.folder / 'study.db').resolve()}"

    @property
    def n_trials(self) -> int:
        """Number of trainings."""
        points = grid(self.space)
        return self.options.trials if points is None else len(points)


def run_sweep(sweep: Sweep, progress: Callable[[int, int, str], None]) -> "list[optuna.trial.FrozenTrial]":
    """Run the remaining trials of a sweep, and return all its trials in order.

    Parameters
    ----------
    sweep
        The sweep.
    progress
        Called with the number of finished trials, their total, and a line about the others.

    Raises
    ------
    MDAugError
        Pruning with the objective ``scan``, a resume with other settings, a failure of the storage, or the
        failure of all trials.
    MissingDependencyError
        Optuna is not installed.
    """
    if sweep.options.prune and sweep.options.objective != "forces":
        raise MDAugError("--prune compares validation forces; use it with --objective forces")
    settings = settings_of(sweep.config, sweep.space, sweep.options.objective, sweep.options.reference)
    with storage_errors(sweep):
        study = open_study(sweep)
        check_settings(settings, study.user_attrs.get("settings", {}), sweep.storage)
        record_settings(sweep.folder, settings)
        study.set_user_attr("settings", settings)
        queue(study, sweep)
        _run_workers(study, sweep, progress)
        trials = own_trials(study, sweep)
    if not any(trial.state.name == "COMPLETE" for trial in trials):
        errors = {trial.user_attrs.get("error", "killed") for trial in trials}
        raise MDAugError(f"no trial succeeded: {'; '.join(sorted(errors)) or 'none was run'}")
    return trials


def _run_workers(study: "optuna.Study", sweep: Sweep, progress: Callable[[int, int, str], None]) -> None:
    """Start the workers and wait until they end; an error of a worker is raised here."""
    context = multiprocessing.get_context("spawn")
    errors: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    workers = [
        context.Process(target=_work, args=(sweep, errors), daemon=True) for _ in range(sweep.options.workers)
    ]
    with one_thread_each():
        for worker in workers:
            start_worker(worker)
        try:
            while any(worker.is_alive() for worker in workers):
                _report_progress(study, sweep, progress)
                time.sleep(0.5)
        finally:
            for worker in workers:
                worker.terminate()
                worker.join()
    _report_progress(study, sweep, progress)
    if not errors.empty():
        raise MDAugError(errors.get())


def _work(sweep: Sweep, errors: "multiprocessing.SimpleQueue[str]") -> None:
    try:
        work(sweep)
    except (MDAugError, OSError) as error:
        errors.put(str(error))


@contextmanager
def storage_errors(sweep: Sweep) -> Iterator[None]:
    """Convert errors of the storage of the trials into one-line errors.

    Parameters
    ----------
    sweep
        The sweep.
    """
    optuna, sqlalchemy = _optuna(), importlib.import_module("sqlalchemy.exc")
    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.SQLAlchemyError) as error:
        cause = error.__cause__ or error
        reason = str(getattr(cause, "orig", None) or cause).strip().splitlines()[0]
        raise MDAugError(
            f"the study in {sweep.storage} cannot be read or written ({reason}); finished trials are kept; "
            "--resume continues the sweep"
        ) from error


def open_study(sweep: Sweep) -> "optuna.Study":
    """Open or create the study of a sweep.

    Parameters
    ----------
    sweep
        The sweep.

    Raises
    ------
    MissingDependencyError
        Optuna, or a package that the storage needs, is not installed.
    """
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warmup = max(1, sweep.config.training.n_epochs // 3)
    try:
        return optuna.create_study(
            study_name=STUDY,
            storage=sweep.storage,
            sampler=optuna.samplers.TPESampler(seed=sweep.options.seed, multivariate=True),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=warmup),
            load_if_exists=True,
        )
    except ImportError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise MissingDependencyError(
            f"the storage {sweep.storage} needs another package ({reason})"
        ) from error


def queue(study: "optuna.Study", sweep: Sweep) -> None:
    """Queue the points of a grid, and queue again those whose workers on this machine were killed.

    Parameters
    ----------
    study
        The study.
    sweep
        The sweep.
    """
    optuna = _optuna()
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        host, _, process = str(trial.user_attrs.get("worker", ":")).partition(":")
        if host == socket.gethostname() and not _alive(int(process)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
            study.enqueue_trial(trial.params)
    queued = [_parameters(trial) for trial in study.get_trials(deepcopy=False)]
    for point in grid(sweep.space) or []:
        if point not in queued:
            study.enqueue_trial(point)


def work(sweep: Sweep) -> None:
    """Run trials until none is left, in a worker process.

    Parameters
    ----------
    sweep
        The sweep.
    """
    with storage_errors(sweep):
        study = open_study(sweep)
        while (trial := _next_trial(study, sweep)) is not None:
            _run(trial, study, sweep)


def own_trials(study: "optuna.Study", sweep: Sweep) -> "list[optuna.trial.FrozenTrial]":
    """Return the started trials of a sweep; of several with equal parameters only the last.

    Parameters
    ----------
    study
        The study, which other sweeps may share.
    sweep
        The sweep.
    """
    last = {
        str(sorted(_parameters(trial).items())): trial
        for trial in study.get_trials(deepcopy=False)
        if _parameters(trial) and trial.state.name != "WAITING"
    }
    points = grid(sweep.space)
    return [trial for trial in last.values() if points is None or _parameters(trial) in points]


def _next_trial(study: "optuna.Study", sweep: Sweep) -> "optuna.Trial | None":
    with locked(sweep.folder / ".next", what=str(sweep.folder), on_wait=lambda: None):
        trials = study.get_trials(deepcopy=False)
        waiting = any(trial.state.name == "WAITING" for trial in trials)
        started = sum(trial.state.name in ("RUNNING", "COMPLETE", "PRUNED") for trial in trials)
        failed = sum("error" in trial.user_attrs for trial in trials)
        if not waiting and (grid(sweep.space) is not None or started + failed >= sweep.n_trials):
            return None
        trial = study.ask()
        trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
        return trial


def _run(trial: "optuna.Trial", study: "optuna.Study", sweep: Sweep) -> None:
    """Run one trial and record its result in the study."""
    optuna = _optuna()
    parameters = {dimension.key: _suggest(trial, dimension) for dimension in sweep.space}
    every = max(1, sweep.config.training.n_epochs // REPORTS)

    def epoch(state: TrainState) -> None:
        if state.epoch % every == 0:
            trial.report(state.force_mae_kcal_mol_A, state.epoch)
            if sweep.options.prune and trial.should_prune():
                raise optuna.TrialPruned

    try:
        config = sweep.config.replace(changes_of(parameters, sweep.config))
        folder = sweep.folder / "trials" / trial_name(parameters, config)
        trial.set_user_attr("folder", folder.name)
        result = run_trial(config, folder, sweep.options.reference, epoch, device=sweep.options.device)
        trial.set_user_attr("result", result)  # other machines may not have access to the folder
        study.tell(trial, objective_of(result, sweep.options.objective))
    except optuna.TrialPruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    except (MDAugError, OSError) as error:
        trial.set_user_attr("error", str(error))
        study.tell(trial, state=optuna.trial.TrialState.FAIL)


def _suggest(trial: "optuna.Trial", dimension: Dimension) -> Any:
    if not isinstance(dimension, Range):
        return trial.suggest_categorical(dimension.key, dimension.values)
    if dimension.is_integer:
        return trial.suggest_int(dimension.key, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


def _parameters(trial: "optuna.trial.FrozenTrial") -> dict[str, Any]:
    """Return the parameters of a trial, suggested or queued."""
    return dict(trial.params or trial.system_attrs.get("fixed_params", {}))


def _report_progress(study: "optuna.Study", sweep: Sweep, progress: Callable[[int, int, str], None]) -> None:
    states = [trial.state.name for trial in own_trials(study, sweep)]
    running = states.count("RUNNING")
    progress(len(states) - running, sweep.n_trials, f"{running} running, {states.count('FAIL')} failed")


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _optuna() -> Any:
    try:
        return importlib.import_module("optuna")
    except ImportError as error:
        raise MissingDependencyError(
            "sweeps need Optuna, which is not installed: pip install 'mdaug[sweep]'"
        ) from error
