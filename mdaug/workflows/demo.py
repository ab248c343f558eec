"""The whole path twice, side by side: one model of raw frames, one of raw and augmented frames."""

import multiprocessing
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing.context import SpawnProcess
from multiprocessing.queues import Queue
from pathlib import Path
from queue import Empty
from typing import Any

from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.errors import MDAugError
from mdaug.files import write_json
from mdaug.processes import one_thread_each
from mdaug.reports.demo import DemoLane, write_demo_report
from mdaug.training import TrainState
from mdaug.workflows.config import RunConfig
from mdaug.workflows.environment import describe_environment
from mdaug.workflows.train import TrainingCallbacks, train_force_field
from mdaug.workflows.validation import ProofOptions, prove

LANES = ("raw", "augmented")


@dataclass(frozen=True)
class Step:
    """What a lane is doing: `done` of `total`, with a few words."""

    lane: str
    what: str
    done: int
    total: int
    words: str = ""


Show = Callable[[Step], None]


def run_demo(
    config: RunConfig, folder: Path, proof: ProofOptions | None = None, *, show: Show | None = None
) -> Path:
    """Train and prove a raw and an augmented model at the same time, each on one core; return the report.

    Parameters
    ----------
    config
        Of both; ``[augment] enabled`` is set for each.
    folder
        Gets ``raw/`` and ``augmented/``, full run folders, and ``report.html``.
    show
        Told every step of both lanes.
    """
    lanes = _run_lanes(config, folder, proof or ProofOptions(), show or (lambda _: None))
    write_json(folder / "results.json", {lane.name: _describe(lane) for lane in lanes})
    write_json(folder / "environment.json", describe_environment())
    return write_demo_report(folder, lanes)


def _run_lanes(config: RunConfig, folder: Path, proof: ProofOptions, show: Show) -> list[DemoLane]:
    with _processes() as processes:
        for name in LANES:
            settings = config.replace({"augment": {"enabled": name == "augmented"}})
            processes.start(name, settings, folder, proof)
        return _collect(processes, show)


def _collect(processes: "Processes", show: Show) -> list[DemoLane]:
    """Show steps until every lane has given its result; the first error of a lane ends all."""
    found: dict[str, DemoLane] = {}
    while len(found) < len(LANES):
        dead = [name for name in LANES if name not in found and not processes.alive(name)]
        try:
            message = processes.messages.get(timeout=0.5)
        except Empty:
            if dead:
                reason = "its process was killed, perhaps for want of memory"
                raise MDAugError(f"the {dead[0]} model is not finished: {reason}") from None
            continue
        if isinstance(message, Step):
            show(message)
        elif isinstance(message, DemoLane):
            found[message.name] = message
        else:
            raise message
    return [found[name] for name in LANES]


class Processes:
    """A process for each lane, and the queue on which they tell steps, then a result or an error."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[str, SpawnProcess] = {}
        self.messages: Queue[Step | DemoLane | Exception] = self._context.Queue()

    def start(self, name: str, *arguments: Any) -> None:
        """Run `_tell_lane` in a process of its own."""
        process = self._context.Process(
            target=_tell_lane, args=(name, *arguments, self.messages), daemon=True
        )
        process.start()
        self._running[name] = process

    def alive(self, name: str) -> bool:
        return self._running[name].is_alive()

    def stop(self) -> None:
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


def _tell_lane(name: str, config: RunConfig, folder: Path, proof: ProofOptions, messages: Any) -> None:
    """Run a lane and put its result, or what went wrong, on the queue."""
    try:
        messages.put(_lane(name, config, folder, proof, messages))
    except Exception as error:
        error.add_note(f"in the process of the {name} model:\n{traceback.format_exc()}")
        messages.put(error)


def _lane(name: str, config: RunConfig, folder: Path, proof: ProofOptions, steps: Any) -> DemoLane:
    """Train and prove one model; runs in a process of its own."""

    def tell(what: str, done: int, total: int, words: str = "") -> None:
        steps.put(Step(name, what, done, total, words))

    def tell_epoch(state: TrainState) -> None:
        errors = f"E {state.energy_mae_kcal_mol:.3f} F {state.force_mae_kcal_mol_A:.3f}"
        tell("training", state.epoch, state.n_epochs, errors)

    outcome = train_force_field(
        config,
        folder / name,
        device="cpu",
        callbacks=TrainingCallbacks(springs=partial(tell, "springs"), epoch=tell_epoch),
    )
    found = prove(
        outcome.model_path, outcome.sets.train, folder / name, proof, label=name, progress=Throttle(tell)
    )
    return DemoLane(
        name=name,
        n_frames=len(outcome.sets.shown),
        data=outcome.sets.train.name,
        springs=outcome.sets.springs,
        history=outcome.training.history,
        seconds=outcome.training.seconds,
        test=outcome.test,
        scan=found.scan,
        drift=found.drift,
        stability=found.stability,
        nve_stopped=found.nve_stopped,
        nvt_stopped=found.nvt_stopped,
    )


class Throttle:
    """Passes on one call in a hundredth of the work: steps of dynamics are too many to send each."""

    def __init__(self, tell: Callable[[str, int, int], None]) -> None:
        self.tell, self.last = tell, ("", -1)

    def __call__(self, what: str, done: int, total: int) -> None:
        now = (what, 100 * done // max(total, 1))
        if now != self.last:
            self.tell(what, done, total)
            self.last = now


def _describe(lane: DemoLane) -> dict[str, Any]:
    return {
        "test": lane.test.to_json() if lane.test else None,
        "scan": scan_metrics(lane.scan) if lane.scan else None,
        "drift": lane.drift.to_json() if lane.drift else None,
        "stability": lane.stability.to_json(),
        "nve_stopped_because": lane.nve_stopped,
        "nvt_stopped_because": lane.nvt_stopped,
        "training_seconds": lane.seconds,
    }
