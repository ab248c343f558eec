"""The augmented frames that a network is trained on, and their weights."""

from dataclasses import replace
from math import ceil

import numpy as np

from mdaug.augmentation.generate import Augmentation
from mdaug.augmentation.numbers import is_complex
from mdaug.frames import FrameSet
from mdaug.geometry.molecules import count_molecules
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.baseline import BaselineChoice

BESIDE_BASELINE, BESIDE_BASELINE_PER_RAW, BESIDE_BASELINE_WEIGHT = 1 / 5, 1 / 3, 0.5
"""Beside a baseline this share of the augmented frames is used, at most so many for each raw frame, each with
this factor on `augment.weight`: the baseline has the walls, and they only keep the network's part small where
no frame is. Its label there is zero, however wrong the baseline, so that errors of labels do not count.
(docs/benchmarks/delta_learning.md)"""

STRETCHED_A, STRETCHED_WEIGHT = 0.7, 10.0
"""Displacement of an atom beyond which a bond is stretched further than in any frame, and the factor on the
weight then: the curve of a broken bond is flat, and what the network adds to it makes a spurious maximum."""


def augmented_frames(
    augmentation: Augmentation,
    raw: FrameSet,
    baseline: BaselineChoice,
    config: RunConfig,
    *,
    n_delta: int = 0,
) -> FrameSet:
    """Return the augmented frames that a network is trained on: few beside a baseline, of two weights.

    With ``model.baseline = "force-field"`` they are those of the settings.

    Parameters
    ----------
    augmentation
        All augmented frames.
    raw
        The raw frames that are trained on, of which they are made.
    baseline
        Baseline of the model.
    config
        Settings of the training.
    n_delta
        Number of frames by Δ-learning; the augmented frames keep their share of all.
    """
    if not baseline.used or config.model.baseline == "force-field":
        return augmentation.frames
    every = every_beside_baseline(len(augmentation.frames), raw, n_delta)
    few = augmentation.frames.select(slice(0, None, every))
    weights = BESIDE_BASELINE_WEIGHT * config.augment.weight * raw.weights[few.info["parent"]]
    moved = np.linalg.norm(few.info["displacement"], axis=-1).max(axis=-1)
    stretched = (few.info["kind"] == "stretch") & (moved > STRETCHED_A)
    return replace(few, weights=np.where(stretched, STRETCHED_WEIGHT, 1.0) * weights)


def every_beside_baseline(n_augmented: int, raw: FrameSet, n_delta: int = 0) -> int:
    """Return n, where every n-th augmented frame is used beside a baseline.

    All are used of a complex: its baseline has no walls between molecules, so that the network has to learn
    from these frames how molecules repel each other. (A liquid shows it in its own frames.)

    Parameters
    ----------
    n_augmented
        Number of augmented frames.
    raw
        The raw frames that are trained on.
    n_delta
        Number of frames by Δ-learning.
    """
    if is_complex(count_molecules(raw)):
        return 1
    few = min(BESIDE_BASELINE * n_augmented, BESIDE_BASELINE_PER_RAW * len(raw))
    return ceil(n_augmented / min(n_augmented, few * (1 + n_delta / len(raw))))
