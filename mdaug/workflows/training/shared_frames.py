"""Warnings of frames in two files of a training, by which validation or test frames are trained on."""

import warnings
from collections.abc import Sequence

import numpy as np

from mdaug.data.verification.duplicates import first_occurrence
from mdaug.frames import FrameSet, join_frames


def same_system(one: FrameSet, other: FrameSet) -> bool:
    """Return whether frames have the same atoms in the same order and the same periodic directions.

    Parameters
    ----------
    one, other
        The frames.
    """
    return one.pbc == other.pbc and np.array_equal(one.atomic_numbers, other.atomic_numbers)


def warn_of_shared_frames(systems: Sequence[FrameSet]) -> None:
    """Warn of geometries that are in two sources of the same atoms, which are split separately.

    Parameters
    ----------
    systems
        Frames of each system.

    Warns
    -----
    UserWarning
        For each pair of sources with common geometries.
    """
    for k, frames in enumerate(systems):
        for other in systems[:k]:
            n_shared = n_shared_frames(other, frames) if same_system(other, frames) else 0
            if n_shared:
                warnings.warn(
                    f"{frames.name}: {n_shared} of its {len(frames)} frames are also in {other.name}; as "
                    "each is split alone, validation and test frames can be among the training frames, and "
                    "their errors too small: give each frame once",
                    stacklevel=3,
                )


def warn_of_training_frames(train: FrameSet, held_out: FrameSet, file: str | None, part: str) -> None:
    """Warn of validation or test frames, from a file of their own, that are training frames too.

    Parameters
    ----------
    train
        The training frames.
    held_out
        The validation or test frames.
    file
        Their file.
    part
        ``validation`` or ``test``.

    Warns
    -----
    UserWarning
        There are such frames.
    """
    n_shared = n_shared_frames(train, held_out)
    if n_shared:
        warnings.warn(
            f"{file}: {n_shared} of {len(held_out)} {part} frames are training frames of {train.name} too, "
            f"so that {part} errors are too small: take them out of one of the two files",
            stacklevel=3,
        )


def n_shared_frames(one: FrameSet, other: FrameSet) -> int:
    """Return how many frames of `other` have the geometry of a frame of `one`.

    Parameters
    ----------
    one, other
        Frames of the same atoms.
    """
    first = first_occurrence(join_frames([one, other]))
    return int(np.count_nonzero(first[len(one) :] < len(one)))
