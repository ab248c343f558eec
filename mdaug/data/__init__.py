"""Frames in and out: readers, checks, splits, the embedded set, named sets."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.data.load import load_frames, load_systems
    from mdaug.data.reading import Reading
    from mdaug.data.splits import Split, SplitOptions, split_frames
    from mdaug.data.write import write_extxyz
    from mdaug.frames import FrameSet

__all__ = [
    "FrameSet",
    "Reading",
    "Split",
    "SplitOptions",
    "load_frames",
    "load_systems",
    "split_frames",
    "write_extxyz",
]

# the readers import ASE's and MDAnalysis': too slow for every `--help`
__getattr__ = lazy_exports(
    __name__,
    {
        "FrameSet": "mdaug.frames",
        "Reading": "mdaug.data.reading",
        "Split": "mdaug.data.splits",
        "SplitOptions": "mdaug.data.splits",
        "load_frames": "mdaug.data.load",
        "load_systems": "mdaug.data.load",
        "split_frames": "mdaug.data.splits",
        "write_extxyz": "mdaug.data.write",
    },
)
