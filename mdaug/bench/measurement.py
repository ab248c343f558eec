"""The measurement of `mdaug bench`: groups of cases, each timed in turn."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from mdaug.bench.baseline_process import BaselineProcess
from mdaug.bench.baselines import molecule_ratios, start_baselines
from mdaug.bench.batches import INFERENCE_RATIOS, TRAINING_RATIOS, inference_cases, training_cases
from mdaug.bench.benchmark_model import BenchmarkModel, read_benchmark_model, untrained_benchmark_model
from mdaug.bench.bulk import Box, measure_boxes
from mdaug.bench.molecule import MOLECULE_RATIOS, molecule_cases
from mdaug.bench.options import BaselineName, BenchOptions
from mdaug.bench.roofline import with_roofline
from mdaug.bench.timing import Case, Timing, interleave, min_median_max, ratio
from mdaug.data import load_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet

Progress = Callable[[str, int, int], None]

QUICK = {"rounds": 5, "block": 0.05, "frames": 200, "bulk_atoms": (1_000, 3_000)}
"""Options that --quick changes unless they are given."""

LONG_ROUNDS = 3
"""Divisor of the number of rounds for training and boxes, which take long."""


class Plan(NamedTuple):
    """Cases to be timed in turn."""

    name: str
    title: str
    unit: str
    cases: Sequence[Case]
    rounds: int
    ratios: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class CaseGroup:
    """Cases that were timed in turn.

    Attributes
    ----------
    name
        Key in bench.json.
    title
        Title of table and figure.
    unit
        Name of an item: call, frame or molecule.
    timings
        One for each case and number of threads.
    ratios
        Names of the cases whose times are divided, slow and fast.
    """

    name: str
    title: str
    unit: str
    timings: Sequence[Timing]
    ratios: Sequence[tuple[str, str]]

    def to_json(self, clock: str) -> dict[str, Any]:
        """Return times in ms, items per second, and ratios.

        Parameters
        ----------
        clock
            ``wall`` or ``cpu``.
        """
        return {
            "title": self.title,
            "unit": self.unit,
            "cases": [_case_json(timing, clock) for timing in self.timings],
            "ratios": self._ratios(clock),
        }

    def _ratios(self, clock: str) -> list[dict[str, Any]]:
        timings = {(timing.case.name, timing.case.threads): timing for timing in self.timings}
        threads = sorted({timing.case.threads for timing in self.timings})
        return [
            {"slow": slow, "fast": fast, "threads": n, **ratio(timings[slow, n], timings[fast, n], clock)}
            for slow, fast in self.ratios
            for n in threads
            if (slow, n) in timings and (fast, n) in timings
        ]


@dataclass(frozen=True)
class BenchResult:
    """All measurements.

    Attributes
    ----------
    options
        Options of the measurement.
    model
        The model.
    groups
        Groups of cases.
    boxes
        Periodic boxes.
    baselines
        Baseline -> versions of its packages.
    notes
        Sentences on measurements that were not possible.
    """

    options: BenchOptions
    model: BenchmarkModel
    groups: list[CaseGroup]
    boxes: list[Box]
    baselines: dict[str, dict[str, str]]
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the content of bench.json."""
        clock = self.options.clock
        return {
            "options": self.options.model_dump(mode="json"),
            "model": {
                "path": str(self.model.path),
                "sizes": self.model.sizes.model_dump(),
                "molecule": self.model.atoms.get_chemical_formula(),
                "n_atoms": len(self.model.atoms),
            },
            "baselines": self.baselines,
            "groups": {group.name: group.to_json(clock) for group in self.groups},
            "bulk": [box.to_json(clock) for box in self.boxes],
            "notes": self.notes,
        }


def run_bench(
    model: Path | None,
    options: BenchOptions,
    *,
    baselines: Sequence[BaselineName] = (),
    baseline_pythons: Sequence[Path] = (),
    progress: Progress = lambda what, done, total: None,
) -> BenchResult:
    """Measure a model, its training, and baselines.

    Parameters
    ----------
    model
        A model.pt; None for an untrained network of the sizes in `options`.
    options
        Parts, sizes and duration of the measurement.
    baselines
        Other packages that are measured too.
    baseline_pythons
        The Python of the environment of each, or one for all; none for that of mdaug.
    progress
        Called with what is measured, the number of finished measurements and their total.

    Returns
    -------
    BenchResult

    Raises
    ------
    DataError, BaselineError
        The model, the device or a baseline cannot be used.
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
        processes = start_baselines(baselines, baseline_pythons, measured, frames, options, stack)
        notes: list[str] = []
        plans = _plans(measured, frames, options, processes, notes)
        groups = [_measure(plan, options, progress) for plan in plans]
        boxes = []
        if "bulk" in options.parts:
            boxes = measure_boxes(measured, options, _long(options), notes, progress)
        versions: dict[str, dict[str, str]] = {
            name: process.versions for name, process in zip(baselines, processes, strict=True)
        }
        return BenchResult(options, measured, groups, boxes, versions, notes)


def _plans(
    model: BenchmarkModel,
    frames: FrameSet,
    options: BenchOptions,
    processes: Sequence[BaselineProcess],
    notes: list[str],
) -> Iterator[Plan]:
    """Yield the groups to be measured; each is set up when it is requested."""
    parts, formula = set(options.parts), model.atoms.get_chemical_formula()
    if model.atoms.pbc.any():
        notes.append("the model's structure is periodic: no single molecule, no batches of them")
        parts -= {"molecule", "inference"}
    if "molecule" in parts:
        cases = molecule_cases(model, options, notes)
        cases += [case for process in processes for case in process.molecule_cases()]
        ratios = (*MOLECULE_RATIOS, *molecule_ratios())
        yield Plan("molecule", f"One molecule of {formula}", "call", cases, options.rounds, ratios)
    if "training" in parts:
        cases = training_cases(model.sizes, frames, options)
        cases += [case for process in processes for case in process.training_cases(options)]
        title = f"Training on ethanol, {options.batch_size} frames per step"
        yield Plan("training", title, "frame", cases, _long(options), TRAINING_RATIOS)
    if "inference" in parts:
        cases = inference_cases(model, options)
        cases += [case for process in processes for case in process.inference_cases(options)]
        title = f"{options.inference} molecules of {formula} at once"
        yield Plan("inference", title, "molecule", cases, options.rounds, INFERENCE_RATIOS)


def _measure(plan: Plan, options: BenchOptions, progress: Progress) -> CaseGroup:
    timings = interleave(plan.cases, plan.rounds, options.block, partial(progress, plan.name))
    return CaseGroup(plan.name, plan.title, plan.unit, with_roofline(timings), plan.ratios)


def _long(options: BenchOptions) -> int:
    return max(3, options.rounds // LONG_ROUNDS)


def _complete(options: BenchOptions) -> BenchOptions:
    """Apply --quick and --bulk, and round the number of frames to whole batches."""
    changes: dict[str, Any] = {}
    if options.quick:
        changes = {name: value for name, value in QUICK.items() if name not in options.model_fields_set}
    if options.bulk:
        changes["parts"] = (*(part for part in options.parts if part != "bulk"), "bulk")
    frames = changes.get("frames", options.frames)
    changes["frames"] = max(1, frames // options.batch_size) * options.batch_size
    return options.model_copy(update=changes)


def _frames(n: int) -> FrameSet:
    """Return `n` of the embedded ethanol frames, repeated if there are fewer."""
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
        "ms": min_median_max([1e3 * s for s in seconds]),
        "ms_per_item": min_median_max([1e3 * s / case.items for s in seconds]),
        "items_per_second": min_median_max([case.items / s for s in seconds]),
        "wall_ms": [1e3 * s for s in timing.wall],
        "cpu_ms": [1e3 * s for s in timing.cpu],
    }
