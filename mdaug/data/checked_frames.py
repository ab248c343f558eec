"""The checks of frames as read: their verdicts, as errors and warnings, and which outliers are left out."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.energies_from_forces import Effort
from mdaug.data.verification.few_frames import few_frames_verdicts
from mdaug.data.verification.verify import (
    AT_LOAD,
    Verification,
    is_augmented,
    raise_or_warn,
    verify_frames,
)
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.verdicts import Verdict


@dataclass(frozen=True)
class ReadFrames:
    """Frames as read, in eV and Å, not yet checked.

    Parameters
    ----------
    frames
        All frames that could be read.
    units
        Units in which the file was read.
    notes
        What was read and what was left out, and why; one sentence each.
    is_named_set
        Whether it is a set that mdaug ships or downloads, whose content is known.
    """

    frames: FrameSet
    units: StatedUnits
    notes: tuple[str, ...]
    is_named_set: bool


def check_frames(contents: ReadFrames, *, drop_outliers: bool) -> FrameSet:
    """Return frames as read after all checks.

    Parameters
    ----------
    contents
        Frames as read.
    drop_outliers
        Leave out frames whose energy or forces stand out.

    Raises
    ------
    DataError
        If a check finds a certain fault.

    Warns
    -----
    UserWarning
        About the notes of the reader, and whatever is likely wrong.
    """
    for note in contents.notes:
        warnings.warn(f"{contents.frames.name}: {note}", stacklevel=3)
    verification = verify(
        contents, drop_outliers=drop_outliers, effort=None if contents.is_named_set else AT_LOAD
    )
    return raise_or_warn(verification, contents.frames.name, only_duplicates=contents.is_named_set)


def verify_together(systems: Sequence[ReadFrames]) -> list[Verdict]:
    """Return the verdicts on all systems with few frames together, see `few_frames_verdicts`.

    Parameters
    ----------
    systems
        Systems of a file or set. Those read in other units than the first are left out.
    """
    if not systems:
        return []
    units = systems[0].units
    frames = [
        contents.frames
        for contents in systems
        if contents.units == units
        and not contents.is_named_set
        and contents.frames.has_forces
        and not is_augmented(contents.frames)
    ]
    return few_frames_verdicts(frames, units)


def refuse_together(systems: Sequence[ReadFrames], name: str) -> None:
    """Refuse systems with few frames that together show a certain fault.

    Parameters
    ----------
    systems
        As for `verify_together`.
    name
        File or set, for the message.

    Raises
    ------
    DataError
        If they show one.
    """
    for verdict in verify_together(systems):
        if verdict.verdict == "error":
            raise DataError(f"{name}: {verdict.text}")


def verify(contents: ReadFrames, *, drop_outliers: bool, effort: Effort | None) -> Verification:
    """Check frames as read, once more without their outliers if these are to be left out.

    Parameters
    ----------
    contents
        Frames as read.
    drop_outliers
        Leave out frames whose energy or forces stand out.
    effort
        Time that the comparison of energies with forces may take; None leaves it out.

    Raises
    ------
    DataError
        If the frames cannot be checked at all, or no frame is left.
    """
    verification = verify_frames(contents.frames, contents.units, effort)
    dropped = verification.outliers
    if not drop_outliers or len(dropped) == 0:
        return verification
    kept = np.setdiff1d(np.arange(len(contents.frames)), dropped)
    if len(kept) == 0:
        raise DataError(f"{contents.frames.name}: all {len(dropped)} frames are outliers; nothing is left")
    warnings.warn(
        f"{contents.frames.name}: {len(dropped)} of {len(contents.frames)} frames left out as outliers "
        f"({shown(contents.frames, dropped)})",
        stacklevel=3,
    )
    return verify_frames(contents.frames.select(kept), contents.units, effort)
