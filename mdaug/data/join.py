"""Several files of one system to one set of frames."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdaug.data.origin import FILE_NAME
from mdaug.data.readers.contents import Contents
from mdaug.errors import DataError
from mdaug.frames import FrameSet, join_frames

OF_THE_SYSTEM = ("charge", "multiplicity", "level_of_theory")


def join_contents(parts: Sequence[Contents], paths: Sequence[Path], name: str) -> Contents:
    """Return the frames of all files, one file after another.

    Groups of different files are kept apart. ``info["file"]`` has the name of each frame's file.

    Parameters
    ----------
    parts
        What was read.
    paths
        The files, for messages.
    name
        Name of the whole.

    Raises
    ------
    DataError
        If the files are of different systems, levels of theory or units.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    for part, path in zip(parts[1:], paths[1:], strict=True):
        _check_same_system(first, part, f"{path}: ", str(paths[0]))
    of_the_system = {key: _common(parts, paths, key) for key in OF_THE_SYSTEM}
    sets, of_stresses = _with_common_stresses([part.frames for part in parts])
    temperatures = {frames.temperature_K for frames in sets}
    notes = [
        note if note in first.notes else f"{path.name}: {note}"
        for part, path in zip(parts, paths, strict=True)
        for note in part.notes
        if part is first or note not in first.notes
    ] + of_stresses
    if len(temperatures) > 1:
        notes.append("temperatures differ between files: taken as unknown; state one with --temperature")
    joined = replace(
        join_frames(sets),
        name=name,
        temperature_K=temperatures.pop() if len(temperatures) == 1 else None,
        group=joined_groups(sets),
        **of_the_system,
        info=_info(sets) | {FILE_NAME: np.repeat([path.name for path in paths], [len(s) for s in sets])},
    )
    return Contents(joined, first.units, tuple(notes))


def _with_common_stresses(sets: Sequence[FrameSet]) -> tuple[list[FrameSet], list[str]]:
    """Return the frames of all files without stresses that not all files have, and notes on these."""
    n_with = sum(frames.stresses is not None for frames in sets)
    if n_with in (0, len(sets)):
        return list(sets), []
    note = f"only {n_with} of {len(sets)} files have stresses, which are not used"
    return [replace(frames, stresses=None) for frames in sets], [note]


def _check_same_system(first: Contents, other: Contents, where: str, of_first: str) -> None:
    if not np.array_equal(first.frames.atomic_numbers, other.frames.atomic_numbers):
        same = sorted(first.frames.atomic_numbers) == sorted(other.frames.atomic_numbers)
        what = "the atoms in another order" if same else "other atoms"
        advice = (
            "read them with --reorder" if same else "give the files of one system, for example by a pattern"
        )
        raise DataError(
            f"{where}{what} than {of_first}; expected files of one system with one order of atoms: {advice}"
        )
    if first.frames.pbc != other.frames.pbc:
        raise DataError(f"{where}other periodic directions than {of_first}; expected files of one system")
    if first.units != other.units:
        raise DataError(
            f"{where}units {other.units.energy} and {other.units.force}, but {first.units.energy} and "
            f"{first.units.force} in {of_first}; read the files one by one, or convert them"
        )
    if first.frames.has_forces != other.frames.has_forces:
        raise DataError(f"{where}only one of this file and {of_first} has forces; expected both or none")


def _common(parts: Sequence[Contents], paths: Sequence[Path], key: str) -> Any:
    """Return what all files that state `key` say; None where none does."""
    named = zip(paths, (getattr(part.frames, key) for part in parts), strict=True)
    stated = [(path, value) for path, value in named if value is not None]
    for path, value in stated:
        if value != stated[0][1]:
            raise DataError(
                f"{path}: {key} {value}, but {stated[0][1]} in {stated[0][0]}; expected one system and level"
            )
    return stated[0][1] if stated else None


def joined_groups(sets: Sequence[FrameSet]) -> NDArray[np.int64]:
    """Return the group of each frame of all sets, so that no two sets share one.

    Parameters
    ----------
    sets
        At least one.
    """
    groups, n_groups = [], 0
    for frames in sets:
        _, numbers = np.unique(frames.group, return_inverse=True)
        groups.append(n_groups + numbers)
        n_groups += int(numbers.max(initial=-1)) + 1
    return np.concatenate(groups)


def _info(sets: Sequence[FrameSet]) -> dict[str, NDArray[Any]]:
    """Return the records that all sets have, with the same shape."""
    kept = {}
    for key in sets[0].info:
        values = [frames.info.get(key) for frames in sets]
        present = [value for value in values if value is not None]
        if len(present) == len(sets) and len({(v.shape[1:], v.dtype.kind) for v in present}) == 1:
            kept[key] = np.concatenate(present)
    return kept
