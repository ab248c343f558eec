"""Where frames are from: their numbers in their files, which messages give."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from mdaug.frames import FrameSet, IntArray

FRAME_IN_FILE, FILE_NAME = "frame_in_file", "file"
"""Records of frames that were read: number in its file, and name of this file where there are several."""

ATOM_IN_FILE = "atom_in_file"
"""Record of atoms while they are reordered (`Reading.reorder`): number of each in its frame of the file."""

MOST_SHOWN = 8
"""Frames in a message."""


def shown(frames: FrameSet, index: Sequence[int] | IntArray) -> str:
    """Return for a message where frames are: ``frame 3``, ``frames 3, 17 of a.xyz, 4 of b.xyz``.

    Parameters
    ----------
    frames
        All frames.
    index
        Indices of some; the first few are named, and how many there are.
    """
    numbers, files = numbers_in_file(frames), frames.info.get(FILE_NAME)
    runs = groupby(index[:MOST_SHOWN], key=lambda n: "" if files is None else f" of {files[n]}")
    text = ", ".join(", ".join(str(numbers[n]) for n in run) + file for file, run in runs)
    more = "" if len(index) <= MOST_SHOWN else f", … ({len(index)} in all)"
    return f"frame{'s' if len(index) > 1 else ''} {text}{more}"


def place(frames: FrameSet, n: int) -> str:
    """Return for a message where a frame is: ``3``, or ``3 of a.xyz``.

    Parameters
    ----------
    frames
        All frames.
    n
        Its index.
    """
    return shown(frames, [n]).removeprefix("frame ")


def numbers_in_file(frames: FrameSet) -> IntArray:
    """Return the number of each frame in its file, or here where they are from no file, (n_frames,).

    Parameters
    ----------
    frames
        Any frames.
    """
    return frames.info.get(FRAME_IN_FILE, np.arange(len(frames)))
