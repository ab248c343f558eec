"""What a reader is and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.frames import FrameSet

HEAD_BYTES = 65536
"""Bytes of a file that a reader sees to recognize its format."""


@dataclass(frozen=True)
class Contents:
    """Frames of one system as a file has them.

    Parameters
    ----------
    frames
        Energies, forces, positions and stresses in `units`; NaN for forces that the file does not have.
    units
        Units of the file: those of its format, or those that it names.
    notes
        What the reader left out and why, and what it chose among several; one sentence each.
    """

    frames: FrameSet
    units: StatedUnits
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """One file format.

    Parameters
    ----------
    name
        For messages.
    sniff
        Whether a file with this path and these first `HEAD_BYTES` is of this format; never raises.
    read
        Reads the frames of each system; raises DataError naming file, frame and key.
    has_keys
        Whether energies and forces have names in the file that a user may state.
    """

    name: str
    sniff: Callable[[Path, bytes], bool]
    read: Callable[[Path, Reading], list[Contents]]
    has_keys: bool = True
