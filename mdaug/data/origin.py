"""Where frames are from: their numbers in their files, which messages give."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from mdaug.frames import FrameSet, IntArray

FRAME, FILE = "frame_in_file", "file"
"""Records of frames that were read: number in its file, and name of this file where there are several."""

MOST_SHOWN = 8
"""Frames in a message."""


def shown(frames: FrameSet, index: Sequence[int] | IntArray) -> str:
    """Return for a message where frames are: ``3, 17``, or ``3, 17 of a.xyz, 4 of b.xyz``.

    Parameters
    ----------
    frames
        All frames.
    index
        Indices of some; the first few are named, and how many there are.
    """
    numbers, files = frames.info.get(FRAME, np.arange(len(frames))), frames.info.get(FILE)
    first = index[:MOST_SHOWN]
    runs = [("", list(first))] if files is None else groupby(first, key=lambda n: f" of {files[n]}")
    text = ", ".join(", ".join(str(numbers[n]) for n in run) + file for file, run in runs)
    return text if len(index) <= MOST_SHOWN else f"{text}, … ({len(index)} in all)"
