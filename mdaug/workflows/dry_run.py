"""A training that is prepared but not run: numbers of frames and steps, and estimates of time and memory."""

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from mdaug.frames import as_frames
from mdaug.training import pick_device
from mdaug.training.loop import Trainer
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.augmented import every_beside_baseline
from mdaug.workflows.training.baseline import choose_baseline
from mdaug.workflows.training.choice import by_assessment
from mdaug.workflows.training.delta_choice import plan_of_delta
from mdaug.workflows.training.preparation import prepare_systems
from mdaug.workflows.training.sets import Sets, TrainingCallbacks

WARM_UP_STEPS, MAX_STEPS, MAX_SECONDS = 4, 40, 5.0
"""Steps that are not timed, and limits of those that are."""


@dataclass(frozen=True)
class DryRun:
    """What a training would do and need.

    Parameters
    ----------
    n_raw, n_augmented, n_validation, n_test
        Numbers of frames; beside a baseline fewer augmented frames are used.
    steps_per_epoch, epochs, seconds_per_epoch
        Optimization steps of an epoch, epochs, and the measured time of their steps and the validation, each
        with and without a baseline; the same where it is decided.
    memory_GB
        Largest memory until the first steps, of the process or on the GPU.
    device
        Device of the training.
    delta
        What Δ-learning adds if it is used; None if it is not for this training.
    """

    n_raw: int
    n_augmented: int
    n_validation: int
    n_test: int
    steps_per_epoch: tuple[int, int]
    epochs: tuple[int, int]
    seconds_per_epoch: tuple[float, float]
    memory_GB: float
    device: str
    delta: str | None = None

    @property
    def lines(self) -> list[str]:
        """The result, as lines of text."""
        times = zip(self.epochs, self.seconds_per_epoch, strict=True)
        minutes = _with_and_without([f"{n * seconds / 60:.3g}" for n, seconds in times])
        seconds_per_epoch = _with_and_without([f"{seconds:.3g}" for seconds in self.seconds_per_epoch])
        epochs, steps = (_with_and_without(list(map(str, n))) for n in (self.epochs, self.steps_per_epoch))
        return [
            f"frames   {self.n_raw} raw and {self.n_augmented} augmented for training, {self.n_validation} "
            f"validation, {self.n_test} test",
            f"steps    {steps} an epoch, {epochs} epochs",
            f"time     {seconds_per_epoch} s an epoch on the {self.device}, {minutes} minutes in "
            "all, without comparisons, Δ-learning, hardening and tests",
            *([] if self.delta is None else [f"Δ        {self.delta}"]),
            f"memory   {self.memory_GB:.2g} GB",
        ]


def dry_run(config: RunConfig, *, device: str = "auto", callbacks: TrainingCallbacks | None = None) -> DryRun:
    """Read, check and augment the frames as `train_force_field` does, time some steps, and write nothing.

    Parameters
    ----------
    config
        All settings.
    device
        ``auto``, ``cpu`` or ``cuda``.
    callbacks
        Functions that are called on the way.

    Raises
    ------
    DataError
        If the frames or the settings cannot be used.
    """
    callbacks = callbacks or TrainingCallbacks()
    chosen = pick_device(device)
    systems = _without_refused_labels(prepare_systems(config, callbacks), config)
    training = as_frames([sets.all_training for sets in systems])
    validation = as_frames([sets.validation for sets in systems if len(sets.validation)])
    callbacks.stage("timing steps")
    trainer = Trainer(training, validation, config.model, config.training, chosen)
    seconds_per_step = _seconds_per_step(trainer)
    started = time.perf_counter()
    trainer.validate()
    of_validation = time.perf_counter() - started
    may_have_baseline = any(choose_baseline(sets.augmentation, sets.train, config).used for sets in systems)
    numbers = _training_frames(systems, few=may_have_baseline and config.model.baseline == "auto")
    size = config.training.batch_size
    steps = tuple(-(-n // size) for n in numbers)
    with_defaults = partial(config.training.with_defaults, n_systems=len(systems))
    return DryRun(
        n_raw=sum(len(sets.train) for sets in systems),
        n_augmented=sum(len(frames) for sets in systems for frames in sets.added),
        n_validation=len(validation),
        n_test=sum(len(sets.test) for sets in systems),
        steps_per_epoch=(steps[0], steps[1]),
        epochs=(
            with_defaults(numbers[0], baseline=may_have_baseline).n_epochs,
            with_defaults(numbers[1], baseline=config.model.baseline == "force-field").n_epochs,
        ),
        seconds_per_epoch=(
            seconds_per_step * steps[0] + of_validation,
            seconds_per_step * steps[1] + of_validation,
        ),
        memory_GB=_memory_GB(chosen),
        device=chosen.type.upper() if chosen.type == "cpu" else "GPU",
        delta=plan_of_delta(systems, config),
    )


def _without_refused_labels(systems: Sequence[Sets], config: RunConfig) -> list[Sets]:
    """Return the systems without augmented frames on which a training would not be."""
    return [
        replace(sets, augmented=None)
        if sets.augmentation is not None and not by_assessment(sets.augmentation, config).used
        else sets
        for sets in systems
    ]


def _training_frames(systems: Sequence[Sets], *, few: bool) -> tuple[int, int]:
    """Return the numbers of training frames with and without a baseline, beside which there are `few`."""
    without = sum(sets.n_training for sets in systems)
    if not few:
        return without, without
    beside_baseline = sum(len(sets.train) for sets in systems)
    for sets in systems:
        n_augmented = 0 if sets.augmented is None else len(sets.augmented)
        beside_baseline += (
            -(-n_augmented // every_beside_baseline(n_augmented, sets.train)) if n_augmented else 0
        )
        beside_baseline += 0 if sets.explored is None else len(sets.explored)
    return beside_baseline, without


def _with_and_without(numbers: list[str]) -> str:
    return numbers[0] if len(set(numbers)) == 1 else f"{numbers[0]} (with a baseline) or {numbers[1]}"


def _seconds_per_step(trainer: Trainer) -> float:
    """Return the median time of a step on random batches."""
    trainer.model.train()
    n_frames, size = trainer.train_set.n_frames, min(trainer.options.batch_size, trainer.train_set.n_frames)
    times: list[float] = []
    for step in range(WARM_UP_STEPS + MAX_STEPS):
        index = torch.randperm(n_frames)[:size].to(trainer.device)
        started = time.perf_counter()
        trainer.step(index, step, trainer.options.rate)
        if trainer.device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
        if step >= WARM_UP_STEPS and sum(times) > MAX_SECONDS:
            break
    return float(np.median(times[WARM_UP_STEPS:]))


def _memory_GB(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_reserved() / 1e9
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest * (1 if sys.platform == "darwin" else 1024) / 1e9
