"""Demo: train and validate a model of raw frames and one of raw and augmented frames at the same time."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.errors import DataError, MDAugError
from mdaug.files import write_json
from mdaug.jobs import Where
from mdaug.processes import one_thread_each, start_worker
from mdaug.reports.demo import write_demo_report
from mdaug.reports.demo_model import DemoModel
from mdaug.training import TrainState
from mdaug.workflows.progress import ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.settings.workflow_options import ValidationOptions
from mdaug.workflows.train import train_force_field
from mdaug.workflows.training.outcome import system_reports
from mdaug.workflows.training.sets import TrainingCallbacks
from mdaug.workflows.validation import validate

MODELS = ("raw", "augmented")
"""Names of the two models and of their run folders."""


@dataclass(frozen=True)
class Step:
    """Progress of one model.

    Parameters
    ----------
    model
        Name of the model.
    what
        The stage, such as ``"training"``.
    done, total
        Steps of the stage done, and in all.
    text
        Text after the count, such as errors.
    """

    model: str
    what: str
    done: int
    total: int
    text: str = ""


Show = Callable[[Step], None]


@dataclass(frozen=True)
class ModelTask:
    """One of the models, which a process of its own trains and validates.

    Parameters
    ----------
    name
        One of `MODELS`.
    config
        Settings of the training.
    folder
        Run folder.
    options
        Lengths and temperatures of the tests.
    where
        Workers of the hot runs.
    """

    name: str
    config: RunConfig
    folder: Path
    options: ValidationOptions
    where: Where


@dataclass(frozen=True)
class DemoOutcome:
    """Report of a demo and the results that it shows.

    Parameters
    ----------
    report
        Path of report.html.
    models
        The raw and the augmented model.
    """

    report: Path
    models: list[DemoModel]


def run_demo(
    config: RunConfig,
    folder: Path,
    options: ValidationOptions | None = None,
    *,
    where: Where = Where(),
    show: Show | None = None,
) -> DemoOutcome:
    """Train and validate a raw and an augmented model at the same time, each on one core.

    Parameters
    ----------
    config
        Settings of both; ``[augment] enabled`` is set for each.
    folder
        Output folder of the run folders ``raw/`` and ``augmented/``, results.json and report.html.
    options
        Lengths and temperatures of the tests.
    where
        With a scheduler its workers run the hot dynamics.
    show
        Called with each step of both models.

    Raises
    ------
    MDAugError
        The first error of either model.
    """
    if config.data.sources:
        raise DataError(f"a demo takes one system, not {', '.join(config.data.files)}; use `mdaug train`")
    tests = options or ValidationOptions()
    settings = {name: config.replace({"augment": {"enabled": name == "augmented"}}) for name in MODELS}
    tasks = [ModelTask(name, settings[name], folder / name, tests, where) for name in MODELS]
    models = _run_models(tasks, show or ignore)
    write_json(folder / "results.json", {model.name: _describe(model) for model in models})
    return DemoOutcome(write_demo_report(folder, models), models)


def _run_models(tasks: Sequence[ModelTask], show: Show) -> list[DemoModel]:
    with _processes() as processes:
        for task in tasks:
            processes.start(task)
        return _collect(processes, show)


def _collect(processes: "Processes", show: Show) -> list[DemoModel]:
    """Show steps until both models have a result; the first error of either is raised."""
    results: dict[str, DemoModel] = {}
    while len(results) < len(MODELS):
        dead = [name for name in MODELS if name not in results and not processes.alive(name)]
        try:
            message = processes.messages.get(timeout=0.5)
        except Empty:
            if dead:
                reason = "its process was killed, perhaps because the memory was exhausted"
                raise MDAugError(f"the {dead[0]} model is not finished: {reason}") from None
            continue
        if isinstance(message, Step):
            show(message)
        elif isinstance(message, DemoModel):
            results[message.name] = message
        else:
            raise message
    return [results[name] for name in MODELS]


class Processes:
    """One process for each model, and the queue on which they send steps, then a result or an error."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[str, SpawnProcess] = {}
        self.messages: Queue[Step | DemoModel | Exception] = self._context.Queue()

    def start(self, task: ModelTask) -> None:
        """Run `_report_model` in its own process."""
        process = self._context.Process(target=_report_model, args=(task, self.messages), daemon=True)
        start_worker(process)
        self._running[task.name] = process

    def alive(self, name: str) -> bool:
        """Return whether the process of a model is running."""
        return self._running[name].is_alive()

    def stop(self) -> None:
        """End all processes."""
        for process in self._running.values():
            process.terminate()
            process.join()


@contextmanager
def _processes() -> Iterator[Processes]:
    processes = Processes()
    try:
        with one_thread_each():
            yield processes
    finally:
        processes.stop()


def _report_model(task: ModelTask, messages: Any) -> None:
    """Train and validate one model, and put the result or the error on the queue."""
    try:
        messages.put(_train_and_validate(task, messages))
    except Exception as error:
        error.add_note(f"in the process of the {task.name} model:\n{traceback.format_exc()}")
        messages.put(error)


def _train_and_validate(task: ModelTask, steps: Any) -> DemoModel:
    """Train and validate one model; runs in its own process."""

    def report(what: str, done: int, total: int, text: str = "") -> None:
        steps.put(Step(task.name, what, done, total, text))

    def report_epoch(state: TrainState) -> None:
        report("training", state.epoch, state.n_epochs, state.validation_errors)

    outcome = train_force_field(
        task.config,
        task.folder,
        device="cpu",
        callbacks=TrainingCallbacks(springs=partial(report, "springs"), epoch=report_epoch),
    )
    if len(outcome.systems) > 1:
        labels = ", ".join(sets.label for sets in outcome.systems)
        raise DataError(f"a demo takes one system, not {labels}; use `mdaug train`")
    sets, (system,) = outcome.sets, system_reports(outcome)
    dynamics = validate(
        outcome.model_path,
        sets.train,
        task.folder,
        task.options,
        label=task.name,
        where=task.where,
        progress=Throttle(report),
    )
    return DemoModel(
        name=task.name,
        n_frames=sets.n_training,
        data=sets.train.name,
        system=system,
        history=outcome.training.history,
        seconds=outcome.training.seconds,
        dynamics=dynamics,
        has_baseline=sets.baseline.used,
    )


class Throttle:
    """Pass on about a hundred calls for each stage: steps of dynamics are too many to send each of them.

    Parameters
    ----------
    report
        Called with (what, done, total).
    """

    def __init__(self, report: Callable[[str, int, int], None]) -> None:
        self.report, self.last = report, ("", -1)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Report a new percentage, or a new stage."""
        now = (what, 100 * done // max(total, 1))
        if now != self.last:
            self.report(what, done, total)
            self.last = now


def _describe(model: DemoModel) -> dict[str, Any]:
    system, dynamics = model.system, model.dynamics
    return {
        "test": system.test.to_json() if system.test else None,
        "scan": scan_metrics(system.scan) if system.scan else None,
        "drift": dynamics.drift.to_json() if dynamics.drift else None,
        "stability": dynamics.stability.to_json(),
        "survival": dynamics.survival.to_json() if dynamics.survival else None,
        "nve_stopped_because": dynamics.nve_stopped,
        "nvt_stopped_because": dynamics.nvt_stopped,
        "training_seconds": model.seconds,
    }
