"""Training of the network on frames less the baseline."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mdaug.frames import as_frames
from mdaug.training import TrainOptions, TrainResult, train
from mdaug.training.options import MOST_STEPS, STEPS_WITH_BASELINE
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.baseline import network_options, with_defaults
from mdaug.workflows.training.sets import Sets

STEPS_WITH_DELTA = 1.5
"""Steps of a training with frames by Δ-learning over those of the same training without; where no epochs are
set, no more than a training without may have."""


def n_steps(systems: Sequence[Sets], config: RunConfig) -> int:
    """Return the number of steps of a training without Δ-learning.

    Parameters
    ----------
    systems
        Frames and baseline of each system.
    config
        Settings of the training.
    """
    n_frames = _n_without_delta(systems)
    options = with_defaults([sets.baseline for sets in systems], config.training, n_frames)
    return options.n_epochs * -(-n_frames // options.batch_size)


def n_steps_with_delta(systems: Sequence[Sets], config: RunConfig) -> int:
    """Return the number of steps of a training with frames by Δ-learning.

    Parameters
    ----------
    systems
        Frames and baseline of each system.
    config
        Settings of the training.
    """
    steps = n_steps(systems, config)
    if config.training.epochs is not None:
        return round(STEPS_WITH_DELTA * steps)
    least = max(steps, STEPS_WITH_BASELINE)  # few frames have few steps, because more would overfit them
    return max(steps, min(round(STEPS_WITH_DELTA * least), MOST_STEPS))


def _n_without_delta(systems: Sequence[Sets]) -> int:
    """Return the number of frames of a training without Δ-learning."""
    return sum(sets.n_training if sets.n_without_delta is None else sets.n_without_delta for sets in systems)


def training_options(systems: Sequence[Sets], config: RunConfig, *, share: float = 1.0) -> TrainOptions:
    """Return the options of a training, with its number of epochs.

    The settings' epochs are those without Δ-learning: with it a training has 1.5 times as many steps, however
    many frames it adds. (Where no epochs are set, 24,000 to 80,000.)

    Parameters
    ----------
    systems
        Frames and baseline of each system.
    config
        Settings of the training.
    share
        Factor on the number of epochs.
    """
    n_without, n_frames = _n_without_delta(systems), sum(sets.n_training for sets in systems)
    options = with_defaults([sets.baseline for sets in systems], config.training, n_without)
    epochs = share * options.n_epochs
    if n_frames > n_without:
        epochs = share * n_steps_with_delta(systems, config) / -(-n_frames // options.batch_size)
    return options.model_copy(update={"epochs": max(1, round(epochs))})


def train_network(
    systems: Sequence[Sets], config: RunConfig, folder: Path, *, share: float = 1.0, **others: Any
) -> TrainResult:
    """Train a network on all training frames of the systems, each less its baseline.

    Parameters
    ----------
    systems
        Frames and baseline of each system.
    config
        Settings of the training.
    folder
        Run folder of the training.
    share
        Factor on the number of epochs.
    **others
        Further arguments of `mdaug.training.train`.
    """
    baselines = [sets.baseline for sets in systems]
    frames = as_frames([sets.baseline.subtract(sets.all_training) for sets in systems])
    held_out = [sets for sets in systems if len(sets.validation)]
    validation = as_frames([sets.baseline.subtract(sets.validation) for sets in held_out])
    options = training_options(systems, config, share=share)
    return train(frames, validation, network_options(baselines, config), options, folder, **others)
