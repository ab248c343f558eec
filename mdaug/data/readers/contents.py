"""What a reader is and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mdaug.frames import FrameSet

HEAD_BYTES = 8192
"""How much of a file a reader sees when asked whether the file is its own."""


@dataclass(frozen=True)
class Contents:
    """Frames as a file has them.

    Energies are in `units` (a key of `mdaug.units.EV_PER_ENERGY_UNIT`), positions in Å, forces in
    `units` per Å, stresses in `units` per Å³.
    """

    frames: FrameSet
    units: str


@dataclass(frozen=True)
class Reader:
    """One file format.

    Attributes
    ----------
    sniff
        Whether a file with this path and these first `HEAD_BYTES` is of this format; never raises.
    read
        Reads the file; raises DataError naming file, frame and key.
    """

    name: str
    sniff: Callable[[Path, bytes], bool]
    read: Callable[[Path], Contents]
