"""DATA, a file or a name, to checked frames in eV and Å."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Unpack

import numpy as np
from ase.data import chemical_symbols

from mdaug.data.checked_frames import ReadFrames, check_frames, refuse_together
from mdaug.data.datasets import EMBEDDED_SETS, REMOTE_SETS, cached_path
from mdaug.data.exchanged_elements import refuse_exchanged_elements
from mdaug.data.isolated_atoms import are_isolated
from mdaug.data.isomers import split_isomers
from mdaug.data.join import join_contents
from mdaug.data.origin import shown
from mdaug.data.readers import read_file
from mdaug.data.readers.contents import Contents
from mdaug.data.readers.electrons import State, complete_states
from mdaug.data.readers.from_atoms import TAKE_SEVERAL
from mdaug.data.reading import Reading, ReadingOptions
from mdaug.data.reorder import in_order_of_first
from mdaug.data.sources import find_files
from mdaug.data.stated_units import StatedUnits, signed_factor_of_stress, stated_units
from mdaug.data.verification.structure import check_structure
from mdaug.errors import DataError
from mdaug.frames import FrameSet


def load_frames(
    data: str | Path = "ethanol", *, drop_outliers: bool = False, **reading: Unpack[ReadingOptions]
) -> FrameSet:
    """Read the frames of one system and check them.

    Parameters
    ----------
    data
        A file (its format is recognized by its content); a folder or a pattern (``frames/*.xyz``), whose
        files are joined; a group of an HDF5 file (``FILE#GROUP``); or a name: ``ethanol`` (embedded,
        GFN2-xTB at 500 K), ``ethanol-ccsdt`` (after `mdaug dataset ethanol-ccsdt`).
    drop_outliers
        Leave out frames whose energy or forces stand out; a warning says which.
    **reading
        How the files are read: the parameters of `Reading` from `units` to `forces_optional`.

    Returns
    -------
    FrameSet
        Duplicates share a number in ``group``.

    Raises
    ------
    DataError
        If the file is missing, unreadable or unusable, or a check finds a certain fault; the message says
        what, where, and what to do.

    Warns
    -----
    UserWarning
        About frames left out by the reader, duplicates, outliers and whatever else is likely wrong.

    Examples
    --------
    >>> frames = load_frames("frames.xyz", units="kcal/mol", temperature_K=500)  # doctest: +SKIP
    >>> frames = load_frames("ethanol")
    >>> frames
    FrameSet(ethanol: 1000 frames of C2H6O, GFN2-xTB, 500 K)
    """
    contents = read_frames(data, **reading)
    try:
        frames = check_frames(contents, drop_outliers=drop_outliers)
        refuse_together([contents], str(data))
        return frames
    except DataError as error:
        isomers = _isomers(contents.frames)
        if len(isomers) == 1:
            raise
        first, other = (shown(isomer, range(len(isomer))) for isomer in isomers[:2])
        raise DataError(
            f"{contents.frames.name}: frames of {len(isomers)} isomers ({first}; {other}), which are systems "
            f"of their own; expected one system: split the file ({TAKE_SEVERAL})"
        ) from error


def load_systems(
    data: str | Path,
    *,
    drop_outliers: bool = False,
    isolated_atoms: bool = False,
    name_folder: bool = False,
    **reading: Unpack[ReadingOptions],
) -> list[FrameSet]:
    """Read the frames of one or several systems and check each; otherwise as `load_frames`.

    Frames are of one system if they have the same atoms in the same order, the same periodic directions,
    charge and multiplicity, and the same bonds (see `split_isomers`), in whichever files of `data` they are.
    Systems with the same bonds but another order of atoms are refused within a file, and systems with the
    same geometry but exchanged elements (see `refuse_exchanged_elements`).

    Parameters
    ----------
    data, drop_outliers, **reading
        As for `load_frames`.
    isolated_atoms
        Return frames of isolated atoms too, each element a system; else they are left out, with a warning,
        unless there are no others. They are not checked, and may lack forces.
    name_folder
        Name systems by file and folder (``methanol/frames.xyz``), also where no other file of `data` has
        the same name.

    Returns
    -------
    list of FrameSet
        One for each system, in the order of their first frames.

    Raises
    ------
    DataError
        As `load_frames`.
    """
    systems = read_systems(data, name_folder=name_folder, **reading)
    checked = [
        contents.frames
        if are_isolated(contents.frames)
        else check_frames(contents, drop_outliers=drop_outliers)
        for contents in (systems if isolated_atoms else without_isolated_atoms(systems))
    ]
    refuse_together(systems, str(data))
    return checked


def read_frames(data: str | Path = "ethanol", **reading: Unpack[ReadingOptions]) -> ReadFrames:
    """Read the frames of one system without checks; parameters and errors as of `load_frames`."""
    contents, *others = without_isolated_atoms(_read(str(data), Reading(**reading)))
    if others or not (contents.frames.has_forces or reading.get("forces_optional")):
        raise DataError(f"{data}: only isolated atoms; expected frames of several atoms")
    return contents


def read_systems(
    data: str | Path, *, name_folder: bool = False, **reading: Unpack[ReadingOptions]
) -> list[ReadFrames]:
    """Read the frames of all systems without checks; parameters and errors as of `load_systems`."""
    read = _read(str(data), Reading(**reading, several_systems=True), name_folder=name_folder)
    refuse_exchanged_elements([contents.frames for contents in read])
    return [
        replace(contents, frames=isomer, notes=contents.notes if n == 0 else ())
        for contents in read
        for n, isomer in enumerate(_isomers(contents.frames))
    ]


def _isomers(frames: FrameSet) -> list[FrameSet]:
    """Return the frames of each isomer; frames that the checks refuse anyway as they are."""
    try:
        check_structure(frames)
    except DataError:
        return [frames]
    return split_isomers(frames)


def without_isolated_atoms(systems: Sequence[ReadFrames]) -> list[ReadFrames]:
    """Return the systems of several atoms, with a note on the others; all systems if there are no such.

    Parameters
    ----------
    systems
        All systems.
    """
    alone = [contents.frames for contents in systems if are_isolated(contents.frames)]
    others = [contents for contents in systems if not are_isolated(contents.frames)]
    if not alone or not others:
        return list(systems)
    symbols = dict.fromkeys(chemical_symbols[frames.atomic_numbers[0]] for frames in alone)
    note = (
        f"frames of isolated atoms ({', '.join(symbols)}) are left out; `mdaug train` takes reference "
        "energies from them"
    )
    return [replace(others[0], notes=(note, *others[0].notes)), *others[1:]]


def _read(data: str, reading: Reading, *, name_folder: bool = False) -> list[ReadFrames]:
    """Return the frames of each system in the files of `data`, those of one system joined."""
    files = _files_of(data)
    twice = name_folder or len({path.name for path in files}) < len(files)
    read = [
        (path, _named_by_folder(contents, path) if twice else contents)
        for path in files
        for contents in read_file(path, reading)
    ]
    kinds = [_kind(contents.frames, reading) for _, contents in read]
    states = [
        State() if kind is None else State(contents.frames.charge, contents.frames.multiplicity)
        for kind, (_, contents) in zip(kinds, read, strict=True)
    ]
    states = complete_states(kinds, states, lambda n: str(read[n][0]))
    systems: dict[tuple[Hashable, State], tuple[list[Contents], list[Path]]] = {}
    for system, (path, contents) in zip(zip(kinds, states, strict=True), read, strict=True):
        parts, paths = systems.setdefault(system, ([], []))
        parts.append(contents)
        paths.append(path)
    joined: list[ReadFrames] = []
    for (kind, _), (parts, paths) in systems.items():
        name = data if kind is None or len(systems) == 1 else parts[0].frames.name
        of_system = _in_internal_units(join_contents(parts, paths, name), data, reading)
        joined += _in_one_order(of_system, reading) if reading.reorder else [of_system]
    return [_thinned(of_system, reading.every) for of_system in joined]


def _in_one_order(contents: ReadFrames, reading: Reading) -> list[ReadFrames]:
    """Return the frames of each list of elements, reordered by their bonds, with a note on that."""
    systems, notes = in_order_of_first(contents.frames)
    if len(systems) > 1 and not reading.several_systems:
        first, other = (shown(frames, range(len(frames))) for frames in systems[:2])
        raise DataError(
            f"{contents.frames.name}: {other}: the atoms in another order than {first}, and other bonds, so "
            "that --reorder cannot tell which atom is which; expected one system: leave these frames out"
        )
    first_notes = (*contents.notes, *notes)
    return [
        replace(contents, frames=frames, notes=first_notes if n == 0 else ())
        for n, frames in enumerate(systems)
    ]


def _thinned(contents: ReadFrames, every: int) -> ReadFrames:
    return replace(contents, frames=contents.frames.select(slice(None, None, every)))


def _named_by_folder(contents: Contents, path: Path) -> Contents:
    """Return contents named by folder and file: `mdaug frames` calls all its files frames.xyz."""
    name = f"{path.resolve().parent.name}/{contents.frames.name}"
    return replace(contents, frames=replace(contents.frames, name=name))


def _kind(frames: FrameSet, reading: Reading) -> Hashable:
    """Return what frames of one system have in common besides the charge; None where all must be of one."""
    if not reading.several_systems and not are_isolated(frames):
        return None  # files of another system are refused where they are joined
    return frames.atomic_numbers.tobytes(), frames.pbc, are_isolated(frames)


def _files_of(data: str) -> list[Path]:
    """Return the files of a named set, a file, a folder or a pattern."""
    if data in REMOTE_SETS:
        return [cached_path(data)]
    return [EMBEDDED_SETS[data]] if data in EMBEDDED_SETS else find_files(data)


def _in_internal_units(contents: Contents, name: str, reading: Reading) -> ReadFrames:
    """Return frames in eV and Å with what is stated, or known of named sets."""
    remote, embedded = REMOTE_SETS.get(name), EMBEDDED_SETS.get(name)
    stated = stated_units(
        contents.units, reading.units, reading.force_units, reading.length_units, where=name
    )
    frames = _with_stated_stresses(contents.frames, stated, reading, name).scaled(
        length=stated.a_per_length,
        energy=stated.ev_per_energy,
        force=stated.ev_a_per_force,
        stress=stated.ev_a3_per_stress,
    )
    if remote or embedded:
        frames = replace(frames, name=name)
    if remote:
        frames = replace(frames, temperature_K=remote.temperature_K, level_of_theory=remote.level_of_theory)
    if reading.temperature_K is not None:
        frames = replace(frames, temperature_K=reading.temperature_K)
    if frames.temperature_K is not None and not 0 < frames.temperature_K < np.inf:
        raise DataError(
            f"{name}: a temperature of {frames.temperature_K:g} K; expected more than 0: state it with "
            "--temperature"
        )
    if reading.every < 1:
        raise DataError(f"every={reading.every}: expected 1 (all frames) or more")
    is_named_set = bool(remote or embedded) and stated == contents.units and reading.temperature_K is None
    return ReadFrames(frames, stated, contents.notes, is_named_set)


def _with_stated_stresses(frames: FrameSet, units: StatedUnits, reading: Reading, name: str) -> FrameSet:
    """Return frames with stresses in energy by cubic length, tension positive, or without stresses."""
    if reading.stress_units is None or frames.stresses is None:
        return frames
    if reading.without_stresses:
        return replace(frames, stresses=None)
    factor = signed_factor_of_stress(reading.stress_units, units, name)
    return replace(frames, stresses=factor * frames.stresses)
