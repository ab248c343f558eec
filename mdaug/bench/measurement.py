"""The whole measurement: groups of cases, each timed in turn."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mdaug.bench import inference, molecule, training
from mdaug.bench.benchmark_model import BenchmarkModel, read_benchmark_model, untrained_benchmark_model
from mdaug.bench.bulk import Box, measure_boxes
from mdaug.bench.options import BenchOptions
from mdaug.bench.schnetpack import SchNetPack
from mdaug.bench.timing import Case, Timing, interleave, ratio, spread
from mdaug.data import load_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet

Progress = Callable[[str, int, int], None]

QUICK = {"rounds": 5, "block": 0.05, "frames": 200, "bulk_atoms": (1_000, 3_000)}
"""What --quick changes, unless it is given."""

LONG_ROUNDS = 3
"""Training and boxes take long: so many times fewer turns."""


class Plan(NamedTuple):
    """Cases to be timed in turn."""

    name: str
    title: str
    unit: str
    cases: Sequence[Case]
    rounds: int
    ratios: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Group:
    """Cases that were timed in turn, and which of their times are compared."""

    name: str
    title: str
    unit: str
    timings: Sequence[Timing]
    ratios: Sequence[tuple[str, str]]

    def to_json(self, clock: str) -> dict[str, Any]:
        """Return times in ms, items a second, and ratios."""
        return {
            "title": self.title,
            "unit": self.unit,
            "cases": [_case_json(timing, clock) for timing in self.timings],
            "ratios": self._ratios(clock),
        }

    def _ratios(self, clock: str) -> list[dict[str, Any]]:
        found = {(timing.case.name, timing.case.threads): timing for timing in self.timings}
        threads = sorted({timing.case.threads for timing in self.timings})
        return [
            {"slow": slow, "fast": fast, "threads": n, **ratio(found[slow, n], found[fast, n], clock)}
            for slow, fast in self.ratios
            for n in threads
            if (slow, n) in found and (fast, n) in found
        ]


@dataclass(frozen=True)
class BenchResult:
    """Everything that was measured."""

    options: BenchOptions
    model: BenchmarkModel
    groups: list[Group]
    boxes: list[Box]
    baseline: dict[str, str] | None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return what bench.json holds."""
        clock = self.options.clock
        return {
            "options": self.options.model_dump(mode="json"),
            "model": {
                "path": str(self.model.path),
                "sizes": self.model.sizes.model_dump(),
                "molecule": self.model.atoms.get_chemical_formula(),
                "n_atoms": len(self.model.atoms),
            },
            "baseline": self.baseline,
            "groups": {group.name: group.to_json(clock) for group in self.groups},
            "bulk": [box.to_json(clock) for box in self.boxes],
            "notes": self.notes,
        }


def run_bench(
    model: Path | None,
    options: BenchOptions,
    *,
    baseline: bool = False,
    baseline_python: Path | None = None,
    progress: Progress = lambda what, done, total: None,
) -> BenchResult:
    """Measure a model.pt, or (None) an untrained network of the sizes in `options`.

    Parameters
    ----------
    baseline, baseline_python
        Whether SchNetPack is measured too, and with which Python.
    progress
        Told what is measured, how much of it is done, and of how much.

    Raises
    ------
    DataError, BaselineError
        The model, the device or the baseline cannot be used.
    """
    options = _complete(options)
    if options.device == "cuda" and not torch.cuda.is_available():
        raise DataError("--device cuda: torch sees no CUDA device; use --device cpu")
    threads, frames = torch.get_num_threads(), _frames(options.frames)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(torch.set_num_threads, threads)
        measured = (
            read_benchmark_model(model) if model else untrained_benchmark_model(options, frames, folder)
        )
        schnetpack = None
        if baseline:
            schnetpack = SchNetPack(baseline_python, measured, frames, options)
            stack.callback(schnetpack.close)
        notes: list[str] = []
        plans = _plans(measured, frames, options, schnetpack, notes)
        groups = [_measure(plan, options, progress) for plan in plans]
        boxes = []
        if "bulk" in options.parts:
            boxes = measure_boxes(measured, options, _long(options), notes, progress)
        return BenchResult(
            options, measured, groups, boxes, schnetpack.versions if schnetpack else None, notes
        )


def _plans(
    model: BenchmarkModel,
    frames: FrameSet,
    options: BenchOptions,
    schnetpack: SchNetPack | None,
    notes: list[str],
) -> Iterator[Plan]:
    """Give the groups that are wanted, each set up when its turn has come."""
    parts, formula = set(options.parts), model.atoms.get_chemical_formula()
    if model.atoms.pbc.any():
        notes.append("the model's structure is periodic: no single molecule, no batches of them")
        parts -= {"molecule", "inference"}
    if "molecule" in parts:
        cases = molecule.molecule_cases(model, options, notes)
        cases += schnetpack.molecule_cases() if schnetpack else []
        yield Plan("molecule", f"One molecule of {formula}", "call", cases, options.rounds, molecule.RATIOS)
    if "training" in parts:
        cases = training.training_cases(model.sizes, frames, options)
        cases += schnetpack.training_cases(options) if schnetpack else []
        title = f"Training on ethanol, {options.batch_size} frames a step"
        yield Plan("training", title, "frame", cases, _long(options), training.RATIOS)
    if "inference" in parts:
        cases = inference.inference_cases(model, options)
        cases += schnetpack.inference_cases(options) if schnetpack else []
        title = f"{options.inference} molecules of {formula} at once"
        yield Plan("inference", title, "molecule", cases, options.rounds, inference.RATIOS)


def _measure(plan: Plan, options: BenchOptions, progress: Progress) -> Group:
    timings = interleave(plan.cases, plan.rounds, options.block, partial(progress, plan.name))
    return Group(plan.name, plan.title, plan.unit, timings, plan.ratios)


def _long(options: BenchOptions) -> int:
    return max(3, options.rounds // LONG_ROUNDS)


def _complete(options: BenchOptions) -> BenchOptions:
    """Apply --quick and --bulk, and take whole batches of frames."""
    changes: dict[str, Any] = {}
    if options.quick:
        changes = {name: value for name, value in QUICK.items() if name not in options.model_fields_set}
    if options.bulk:
        changes["parts"] = (*(part for part in options.parts if part != "bulk"), "bulk")
    frames = changes.get("frames", options.frames)
    changes["frames"] = max(1, frames // options.batch_size) * options.batch_size
    return options.model_copy(update=changes)


def _frames(n: int) -> FrameSet:
    """Return `n` of the embedded ethanol frames, repeated where there are not so many."""
    frames = load_frames("ethanol")
    return frames.select(np.arange(n) % len(frames))


def _case_json(timing: Timing, clock: str) -> dict[str, Any]:
    case, seconds = timing.case, timing.seconds(clock)
    return {
        "name": case.name,
        "label": case.label,
        "threads": case.threads,
        "items": case.items,
        "calls": timing.calls,
        "ms": spread([1e3 * s for s in seconds]),
        "ms_per_item": spread([1e3 * s / case.items for s in seconds]),
        "items_per_second": spread([case.items / s for s in seconds]),
        "wall_ms": [1e3 * s for s in timing.wall],
        "cpu_ms": [1e3 * s for s in timing.cpu],
    }
