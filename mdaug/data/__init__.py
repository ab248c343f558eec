"""Frames in and out: readers, checks, splits, the embedded set, named sets."""

from mdaug.data.load import load_frames
from mdaug.data.splits import Split, SplitOptions, split_frames
from mdaug.data.write import write_extxyz
from mdaug.frames import FrameSet

__all__ = ["FrameSet", "Split", "SplitOptions", "load_frames", "split_frames", "write_extxyz"]
