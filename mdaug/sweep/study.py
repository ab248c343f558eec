"""The trials of a sweep as jobs: a queue of points or a sampler, resume, progress."""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mdaug.errors import DataError, MDAugError
from mdaug.jobs import Failure, Job, JobQueue, Where
from mdaug.sweep.space import Dimension, Range, changes_of, check_settings, grid, record_settings, settings_of
from mdaug.sweep.storage import Sweep, load_optuna, open_study, own_trials, parameters_of, storage_errors
from mdaug.sweep.trial import objective_of, run_trial, trial_name
from mdaug.training import TrainState
from mdaug.workflows.settings.config import RunConfig

if TYPE_CHECKING:
    import optuna

REPORTS = 50  # number of times at which a training may be pruned


def run_sweep(sweep: Sweep, progress: Callable[[int, int, str], None]) -> "list[optuna.trial.FrozenTrial]":
    """Run the remaining trials of a sweep as jobs, and return all its trials in order.

    This process alone asks the sampler and records results.

    Parameters
    ----------
    sweep
        The sweep.
    progress
        Called with the number of finished trials, their total, and a line about the others.

    Raises
    ------
    MDAugError
        Pruning with the objective ``scan`` or on a cluster without a shared storage, a resume with other
        settings, a failure of the storage, or the failure of all trials.
    MissingDependencyError
        Optuna is not installed.
    """
    if sweep.options.prune and sweep.options.objective != "forces":
        raise MDAugError("--prune compares validation forces; use it with --objective forces")
    if sweep.options.prune and not sweep.reports:
        raise MDAugError("--prune compares trials while they run; give their workers a database by --storage")
    settings = settings_of(sweep.config, sweep.space, sweep.options.objective, sweep.options.reference)
    with storage_errors(sweep):
        study = open_study(sweep)
        check_settings(settings, study.user_attrs.get("settings", {}), sweep.storage)
        record_settings(sweep.folder, settings)
        study.set_user_attr("settings", settings)
        queue(study, sweep)
        n_workers = sweep.options.workers or 1
        work(sweep, study, Where(n_workers, sweep.scheduler, isolated=True), progress)
        trials = own_trials(study, sweep)
    if not any(trial.state.name == "COMPLETE" for trial in trials):
        errors = {trial.user_attrs.get("error", "killed") for trial in trials}
        raise MDAugError(f"no trial succeeded: {'; '.join(sorted(errors)) or 'none was run'}")
    return trials


def queue(study: "optuna.Study", sweep: Sweep) -> None:
    """Queue the points of a grid, and queue again those whose workers on this machine were killed.

    Parameters
    ----------
    study
        The study.
    sweep
        The sweep.
    """
    optuna = load_optuna()
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        host, _, process = str(trial.user_attrs.get("worker", ":")).partition(":")
        if host == socket.gethostname() and not _alive(int(process)):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
            study.enqueue_trial(trial.params)
    queued = [parameters_of(trial) for trial in study.get_trials(deepcopy=False)]
    for point in grid(sweep.space) or []:
        if point not in queued:
            study.enqueue_trial(point)


def work(
    sweep: Sweep,
    study: "optuna.Study",
    where: Where = Where(),
    progress: Callable[[int, int, str], None] | None = None,
) -> None:
    """Run trials until none is left.

    Parameters
    ----------
    sweep
        The sweep.
    study
        Its study.
    where
        Processes of the trials.
    progress
        As for `run_sweep`.
    """
    trials = _Trials(sweep, study)
    for _ in range(sweep.n_at_once):
        trials.start_next()
    trials.jobs.run(where, None if progress is None else partial(_report_progress, study, sweep, progress))
    if progress is not None:
        _report_progress(study, sweep, progress)


@dataclass
class _Trials:
    """Trials that run as jobs; when one ends, its result is recorded and the next one is started."""

    sweep: Sweep
    study: "optuna.Study"
    jobs: JobQueue = field(default_factory=JobQueue)

    def start_next(self) -> None:
        """Start a trial if one is left."""
        trial = _next_trial(self.study, self.sweep)
        if trial is None:
            return
        try:
            parameters = {dimension.key: _suggest(trial, dimension) for dimension in self.sweep.space}
            config = self.sweep.config.replace(changes_of(parameters, self.sweep.config))
        except MDAugError as error:
            self._failed(trial, Failure("", str(error)))
            return
        folder = self.sweep.folder / "trials" / trial_name(parameters, config)
        trial.set_user_attr("folder", folder.name)
        arguments = (self.sweep, trial._trial_id, config, folder)
        job = Job(f"trial {folder.name}", train_trial, arguments, self.sweep.folder)
        self.jobs.add(job, partial(self._done, trial), failed=partial(self._failed, trial))

    def _done(self, trial: "optuna.Trial", result: dict[str, Any] | None) -> None:
        if result is None:
            self.study.tell(trial, state=load_optuna().trial.TrialState.PRUNED)
        else:
            trial.set_user_attr("result", result)  # other machines may not have access to the folder
            try:
                self.study.tell(trial, objective_of(result, self.sweep.options.objective))
            except DataError as error:
                self._failed(trial, Failure("", str(error)))
                return
        self.start_next()

    def _failed(self, trial: "optuna.Trial", failure: Failure) -> None:
        trial.set_user_attr("error", failure.reason)
        self.study.tell(trial, state=load_optuna().trial.TrialState.FAIL)
        self.start_next()


def _next_trial(study: "optuna.Study", sweep: Sweep) -> "optuna.Trial | None":
    trials = study.get_trials(deepcopy=False)
    waiting = any(trial.state.name == "WAITING" for trial in trials)
    started = sum(trial.state.name in ("RUNNING", "COMPLETE", "PRUNED") for trial in trials)
    failed = sum("error" in trial.user_attrs for trial in trials)
    if not waiting and (grid(sweep.space) is not None or started + failed >= sweep.n_trials):
        return None
    trial = study.ask()
    trial.set_user_attr("worker", f"{socket.gethostname()}:{os.getpid()}")
    return trial


def train_trial(sweep: Sweep, trial_id: int, config: RunConfig, folder: Path) -> dict[str, Any] | None:
    """Train one trial, in a worker.

    Parameters
    ----------
    sweep
        The sweep.
    trial_id
        Identity of the trial in the storage.
    config
        Settings of the training.
    folder
        Folder of the trial.

    Returns
    -------
    result
        Content of trial.json; None for a trial that was pruned.
    """
    optuna = load_optuna()
    every = max(1, sweep.config.training.n_epochs // REPORTS)
    with storage_errors(sweep):
        trial = optuna.trial.Trial(open_study(sweep), trial_id) if sweep.reports else None

        def epoch(state: TrainState) -> None:
            if trial is None or state.epoch % every:
                return
            trial.report(state.force_mae_kcal_mol_A, state.epoch)
            if sweep.options.prune and trial.should_prune():
                raise optuna.TrialPruned

        try:
            return run_trial(config, folder, sweep.options.reference, epoch, device=sweep.options.device)
        except optuna.TrialPruned:
            return None


def _suggest(trial: "optuna.Trial", dimension: Dimension) -> Any:
    if not isinstance(dimension, Range):
        return trial.suggest_categorical(dimension.key, dimension.values)
    if dimension.is_integer:
        return trial.suggest_int(dimension.key, int(dimension.low), int(dimension.high), log=dimension.log)
    return trial.suggest_float(dimension.key, dimension.low, dimension.high, log=dimension.log)


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
