"""Raw and augmented frames of a molecule and of a crystal, for the files of other trainers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.data import load_frames
from mdaug.data.trainers import SystemFrames, TrainingData, trainer_of
from mdaug.frames import FrameSet


def make_augmented(raw: FrameSet, weights: np.ndarray) -> FrameSet:
    """Return frames as `mdaug.augmentation.augment` makes them, with given weights."""
    rng = np.random.default_rng(1)
    parent = rng.integers(0, len(raw), len(weights))
    parents = raw.select(parent)
    displacement = rng.uniform(-0.2, 0.2, parents.positions.shape)
    return replace(
        parents,
        positions=parents.positions + displacement,
        energies=parents.energies + rng.uniform(0, 2, len(weights)),
        forces=parents.forces + rng.normal(size=parents.forces.shape),
        stresses=None,
        weights=weights,
        info={
            "parent": parent,
            "rule": np.full(len(weights), "force-matched"),
            "kind": np.repeat(["displacement", "stretch"], [4, len(weights) - 4]),
            "displacement": displacement,
        },
    )


def of_one(*parts: FrameSet) -> TrainingData:
    """Return the data of one system."""
    return TrainingData((SystemFrames(*parts, label="one"),))


def with_parts(data: TrainingData, **parts: FrameSet) -> TrainingData:
    """Return the data of one system with other frames."""
    return TrainingData((replace(data.systems[0], **parts),))


PARTS = "raw", "augmented", "validation", "test"

WEIGHTS = np.array([0.02, 0.018, 0.009, 0.005, 0.0199, 0.0008, 0.02, 4e-5, 0.012, 0.02])


@pytest.fixture(scope="session")
def molecule() -> TrainingData:
    """Ethanol: 20 raw, 10 augmented, 5 validation and 4 test frames."""
    frames = load_frames("ethanol")
    raw = frames.select(slice(0, 20))
    augmented = make_augmented(raw, WEIGHTS)
    return of_one(raw, augmented, frames.select(slice(20, 25)), frames.select(slice(25, 29)))


@pytest.fixture(scope="session")
def crystal() -> TrainingData:
    """Silicon with cells and stresses."""
    frames = load_frames(Path(__file__).parents[1] / "silicon.npz").select(slice(0, 30))
    stresses = np.random.default_rng(2).normal(0, 0.01, (30, 3, 3))
    frames = replace(frames, stresses=(stresses + stresses.transpose(0, 2, 1)) / 2)
    raw = frames.select(slice(0, 20))
    return of_one(
        raw, make_augmented(raw, WEIGHTS), frames.select(slice(20, 25)), frames.select(slice(25, 25))
    )


def all_training(data: TrainingData, key: str) -> np.ndarray:
    """Return an array of the raw and augmented frames."""
    return np.concatenate([getattr(frames, key) for frames in data.training])


def write_for(name: str, data: TrainingData, folder: Path, repeats: int | None = None) -> Path:
    """Write the files of a trainer, and return the folder."""
    trainer_of(name).write(data, folder, repeats)
    return folder
