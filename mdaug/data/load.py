"""DATA, a file or a name, to checked frames in eV and Å."""

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mdaug.data.datasets import EMBEDDED_SETS, REMOTE_SETS, cached_path
from mdaug.data.isolated_atoms import are_isolated, isolated_energies, separate_isolated_atoms
from mdaug.data.isomers import split_isomers
from mdaug.data.join import join_contents
from mdaug.data.readers import read_contents, read_systems
from mdaug.data.readers.contents import Contents, LabelKeys
from mdaug.data.sources import find_files
from mdaug.data.stated_units import StatedUnits, stated_units
from mdaug.data.verification.energies_from_forces import Effort
from mdaug.data.verification.verify import AT_LOAD, Verification, raise_or_warn, verify_frames
from mdaug.errors import DataError
from mdaug.frames import FrameSet


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


def load_frames(
    data: str | Path = "ethanol",
    *,
    units: str | None = None,
    force_units: str | None = None,
    length_units: str | None = None,
    temperature_K: float | None = None,
    every: int = 1,
    energy_key: str | None = None,
    forces_key: str | None = None,
    forces_optional: bool = False,
    drop_outliers: bool = False,
) -> FrameSet:
    """Read frames and check them.

    Parameters
    ----------
    data
        A file (its format is recognized by its content); a folder or a pattern (``frames/*.xyz``), whose
        files are joined; a group of an HDF5 file (``FILE#GROUP``); or a name: ``ethanol`` (embedded,
        GFN2-xTB at 500 K), ``ethanol-ccsdt`` (after ``mdaug dataset ethanol-ccsdt``).
    units
        Energy unit of the file where it is not the format's own: eV, kcal/mol, kJ/mol, meV, Hartree or Ry.
        Without it npz files are in kcal/mol (or their ``e_unit``), NeuralForceField's in their own ``units``,
        everything else in eV.
    force_units
        Force unit of the file where it is not `units` per `length_units`: ``Hartree/Bohr``, ``eV/Angstrom``.
    length_units
        Length unit of the file: Angstrom, Bohr, nm or pm.
    temperature_K
        Temperature of the frames, K; overrides the file's.
    every
        Take every n-th frame.
    energy_key, forces_key
        Names under which the file keeps energies and forces, where it keeps several.
    forces_optional
        Read frames with energies only, too; their forces are NaN, and only their structures are checked.
    drop_outliers
        Leave out frames whose energy or forces stand out; `FrameSet.name` and a warning say how many.

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
    contents = read_frames(
        data,
        units=units,
        force_units=force_units,
        length_units=length_units,
        temperature_K=temperature_K,
        every=every,
        energy_key=energy_key,
        forces_key=forces_key,
        forces_optional=forces_optional,
    )
    return _checked(contents, drop_outliers=drop_outliers)


def load_systems(
    data: str | Path,
    *,
    units: str | None = None,
    force_units: str | None = None,
    length_units: str | None = None,
    temperature_K: float | None = None,
    every: int = 1,
    energy_key: str | None = None,
    forces_key: str | None = None,
    forces_optional: bool = False,
    drop_outliers: bool = False,
    isolated_atoms: bool = False,
) -> list[FrameSet]:
    """Read the frames of one or several systems and check each; otherwise as `load_frames`.

    Frames are of one system if they have the same atoms in the same order, the same periodic directions and
    the same bonds (see `split_isomers`), in whichever files of `data` they are. Systems with the same bonds
    but another order of atoms are refused within a file.

    Parameters
    ----------
    data, units, force_units, length_units, temperature_K, every, energy_key, forces_key
        As for `load_frames`.
    forces_optional, drop_outliers
        As for `load_frames`.
    isolated_atoms
        Return frames of isolated atoms too, each element a system, unchecked and perhaps without forces; else
        they are left out, with a warning.

    Returns
    -------
    list of FrameSet
        One for each system, in the order of their first frames.

    Raises
    ------
    DataError
        As `load_frames`.
    """
    read = read_systems_of(
        data,
        units=units,
        force_units=force_units,
        length_units=length_units,
        temperature_K=temperature_K,
        every=every,
        energy_key=energy_key,
        forces_key=forces_key,
        forces_optional=forces_optional,
    )
    prepared = [isomer for contents in read for isomer in _isomers(contents)]
    systems = [
        contents.frames if are_isolated(contents.frames) else _checked(contents, drop_outliers=drop_outliers)
        for contents in prepared
    ]
    others, alone = separate_isolated_atoms(systems)
    if isolated_atoms or not alone:
        return systems
    symbols = ", ".join(isolated_energies(alone))
    warnings.warn(f"{data}: frames of isolated atoms ({symbols}) are left out", stacklevel=2)
    return others


def _isomers(contents: ReadFrames) -> list[ReadFrames]:
    """Return the contents of each isomer; notes are of the first."""
    parts = split_isomers(contents.frames)
    return [replace(contents, frames=part, notes=contents.notes * (n == 0)) for n, part in enumerate(parts)]


def _checked(contents: ReadFrames, *, drop_outliers: bool) -> FrameSet:
    """Return frames as read after all checks; warns of notes and of what is likely wrong."""
    for note in contents.notes:
        warnings.warn(f"{contents.frames.name}: {note}", stacklevel=3)
    verification = verify(
        contents, drop_outliers=drop_outliers, effort=None if contents.is_named_set else AT_LOAD
    )
    return raise_or_warn(verification, contents.frames.name, only_duplicates=contents.is_named_set)


def read_frames(
    data: str | Path = "ethanol",
    *,
    units: str | None = None,
    force_units: str | None = None,
    length_units: str | None = None,
    temperature_K: float | None = None,
    every: int = 1,
    energy_key: str | None = None,
    forces_key: str | None = None,
    forces_optional: bool = False,
) -> ReadFrames:
    """Read frames without checks; parameters and errors as of `load_frames`."""
    keys = LabelKeys(energy_key, forces_key, forces_optional)
    paths = _files_of(data)
    contents = join_contents([read_contents(path, keys) for path in paths], paths, str(data))
    return _prepared(contents, str(data), units, force_units, length_units, temperature_K, every)


def read_systems_of(
    data: str | Path,
    *,
    units: str | None = None,
    force_units: str | None = None,
    length_units: str | None = None,
    temperature_K: float | None = None,
    every: int = 1,
    energy_key: str | None = None,
    forces_key: str | None = None,
    forces_optional: bool = False,
) -> list[ReadFrames]:
    """Read frames of all compositions without checks; parameters and errors as of `load_frames`."""
    keys = LabelKeys(energy_key, forces_key, forces_optional, atoms_optional=True)
    given = (units, force_units, length_units, temperature_K, every)
    return [_prepared(contents, str(data), *given) for contents in _named_or_files(data, keys)]


def _files_of(data: str | Path) -> list[Path]:
    """Return the files of a named set, a file, a folder or a pattern."""
    name = str(data)
    if name in REMOTE_SETS:
        return [cached_path(name)]
    return [EMBEDDED_SETS[name]] if name in EMBEDDED_SETS else find_files(data)


def _named_or_files(data: str | Path, keys: LabelKeys) -> list[Contents]:
    """Return the contents of each system in the files of `data`."""
    systems: dict[tuple[bytes, tuple[bool, ...]], tuple[list[Contents], list[Path]]] = {}
    for path in _files_of(data):
        for contents in read_systems(path, keys):
            key = contents.frames.atomic_numbers.tobytes(), contents.frames.pbc
            parts, paths = systems.setdefault(key, ([], []))
            parts.append(contents)
            paths.append(path)
    joined = systems.values()
    return [
        join_contents(parts, paths, str(data) if len(joined) == 1 else parts[0].frames.name)
        for parts, paths in joined
    ]


def _prepared(  # noqa: PLR0917
    contents: Contents,
    name: str,
    units: str | None,
    force_units: str | None,
    length_units: str | None,
    temperature_K: float | None,
    every: int,
) -> ReadFrames:
    """Return the contents of a file in eV and Å, thinned and with what is known of named sets."""
    remote, embedded = REMOTE_SETS.get(name), EMBEDDED_SETS.get(name)
    stated = stated_units(contents.units, units, force_units, length_units, where=name)
    frames = _to_internal_units(contents.frames, stated)
    if remote or embedded:
        frames = replace(frames, name=name)
    if remote:
        frames = replace(frames, temperature_K=remote.temperature_K, level_of_theory=remote.level_of_theory)
    if temperature_K is not None:
        frames = replace(frames, temperature_K=temperature_K)
    if frames.temperature_K is not None and not 0 < frames.temperature_K < np.inf:
        raise DataError(
            f"{name}: a temperature of {frames.temperature_K:g} K; expected more than 0: state it with "
            "--temperature"
        )
    if every != 1:
        frames = frames.select(slice(None, None, _positive(every)))
    is_trusted = bool(remote or embedded) and stated == contents.units and temperature_K is None
    return ReadFrames(frames, stated, contents.notes, is_trusted)


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
    shown = ", ".join(str(n) for n in dropped[:8])
    warnings.warn(
        f"{contents.frames.name}: {len(dropped)} of {len(contents.frames)} frames left out as outliers "
        f"(frames {shown}{', …' if len(dropped) > 8 else ''})",
        stacklevel=3,
    )
    frames = contents.frames.select(kept)
    info = frames.info | {"frame_in_file": kept}
    return verify_frames(replace(frames, info=info), contents.units, effort)


def _positive(every: int) -> int:
    if every < 1:
        raise DataError(f"every={every}: expected 1 (all frames) or more")
    return every


def _to_internal_units(frames: FrameSet, units: StatedUnits) -> FrameSet:
    length, energy, force = units.a_per_length, units.ev_per_energy, units.ev_a_per_force
    return replace(
        frames,
        positions=frames.positions * length,
        cells=None if frames.cells is None else frames.cells * length,
        energies=frames.energies * energy,
        forces=frames.forces * force,
        stresses=None if frames.stresses is None else frames.stresses * energy / length**3,
    )
