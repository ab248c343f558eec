"""Frames in and out: readers, checks, splits, the embedded set, named sets, and making frames by MD."""

from mdaug.frames.frame_set import FrameSet
from mdaug.frames.load import load_frames
from mdaug.frames.splits import Split, SplitOptions, split_frames
from mdaug.frames.write import write_extxyz

__all__ = ["FrameSet", "Split", "SplitOptions", "load_frames", "split_frames", "write_extxyz"]
