"""The frames of a training: the systems of [data] with their names, and the split of each."""

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mdaug.archives import read_json
from mdaug.data.isolated_atoms import isolated_energies, separate_isolated_atoms
from mdaug.data.join import OF_THE_SYSTEM, joined_groups
from mdaug.data.reorder import in_order_of
from mdaug.data.splits import EXPECTED, PARTS, Split, SplitOptions, split_systems
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet, join_frames
from mdaug.geometry.molecules import mean_bonds
from mdaug.workflows.alike_warnings import alike_warnings_once
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.settings.data_section import DataSection
from mdaug.workflows.training.levels import check_isolated
from mdaug.workflows.training.shared_frames import same_system, warn_of_shared_frames, warn_of_training_frames

SPLIT = "split.json"
"""Record of the split in the run folder of a training."""

_SUFFIXES = re.compile(r"\.(xyz|extxyz|npz|db|json|h5|hdf5|traj|gz|pt|pth|out|log|xml)\b", re.IGNORECASE)
_UNSAFE = re.compile(r"[^A-Za-z0-9._+-]+")


@dataclass(frozen=True)
class System:
    """One system of a training.

    Parameters
    ----------
    label
        Name in files and tables, different for each system.
    frames
        All its frames.
    split
        Its training, validation and test frames.
    isolated_atoms
        Energies (eV) of isolated atoms by symbol, the same for all systems; empty if the data have none.
    """

    label: str
    frames: FrameSet
    split: Split
    isolated_atoms: Mapping[str, float] = field(default_factory=dict)


def load_training_data(config: RunConfig) -> list[System]:
    """Read the frames of a training and split those of each system.

    Parameters
    ----------
    config
        All settings.

    Raises
    ------
    DataError
        If the frames cannot be used, or are too few for the split.

    Warns
    -----
    UserWarning
        Frames are in two files.
    """
    with alike_warnings_once() as names:
        loaded, atoms = separate_isolated_atoms(config.data.load_systems())
        names += [frames.name for frames in loaded]
    systems = _labeled(loaded, config.data)
    labels, frames, owns = zip(*systems, strict=True)
    of_data = [f.select(own["train"]) for f, own in zip(frames, owns, strict=True)]
    splits = split_systems(of_data, _of_files(config))
    warn_of_shared_frames(of_data)
    for (_, all_frames, own), train in zip(systems, of_data, strict=True):
        for part in set(own) - {"train"}:
            file = getattr(config.data, part)
            warn_of_training_frames(train, all_frames.select(own[part]), file, part)
    whole = [_with_own_parts(split, own) for split, own in zip(splits, owns, strict=True)]
    energies = {} if config.training.e0s is not None else isolated_energies(atoms)
    check_isolated(energies, atoms, frames)
    return [System(*each, energies) for each in zip(labels, frames, whole, strict=True)]


Parts = dict[str, np.ndarray[Any, np.dtype[np.int64]]]
"""Indices of the frames from each kind of file: ``train`` for those of [data] that are split."""


def load_labeled(data: DataSection) -> list[tuple[str, FrameSet, Parts]]:
    """Return label, frames and origin of the frames of each system, without isolated atoms.

    Frames of files of validation and test frames follow those of the same system, and must be of one.

    Parameters
    ----------
    data
        Section [data] of a configuration.

    Raises
    ------
    DataError
        If the frames cannot be used, or validation or test frames are of another system.
    """
    systems, _ = separate_isolated_atoms(data.load_systems())
    return _labeled(systems, data)


def _labeled(systems: Sequence[FrameSet], data: DataSection) -> list[tuple[str, FrameSet, Parts]]:
    """Return the same as `load_labeled`, given the systems of [data]."""
    if not systems:
        raise DataError(f"{', '.join(data.files)}: only isolated atoms; expected frames of several atoms")
    _refuse_twice(systems)
    extra: list[dict[str, FrameSet]] = [{} for _ in systems]
    held_out: tuple[Literal["validation", "test"], ...] = ("validation", "test")
    for part in held_out:
        for read in separate_isolated_atoms(data.load_part(part))[0]:
            frames = _in_order_of_training(read, systems) if data.reorder else read
            where = f"{getattr(data, part)}: {part} frames"
            extra[_system_of(frames, systems, where)][part] = frames
    result = []
    for label, system, own in zip(labels_of(systems), systems, extra, strict=True):
        parts = {"train": system, **own}
        ends = np.cumsum([0, *map(len, parts.values())])
        index = {name: np.arange(*ends[k : k + 2]) for k, name in enumerate(parts)}
        sets = list(parts.values())
        joined = replace(join_frames(sets), group=joined_groups(sets)) if own else system
        result.append((label, joined, index))
    return result


def labels_of(systems: Sequence[FrameSet]) -> list[str]:
    """Return a short name for each system, safe in file names and different from the others.

    Parameters
    ----------
    systems
        The systems.
    """
    labels: list[str] = []
    stems = [_stem(Path(frames.name).name) for frames in systems]
    for frames, of_file in zip(systems, stems, strict=True):
        folder, stem = Path(frames.name).parent.name, of_file
        if folder and stems.count(of_file) > 1:
            stem = _stem(folder if of_file == "frames" else f"{folder}-{of_file}")
        label, n = stem, 1
        while label in labels:
            n += 1
            label = f"{stem}-{n}"
        labels.append(label)
    return labels


def _stem(name: str) -> str:
    return _UNSAFE.sub("-", _SUFFIXES.sub("", name)).strip("-.") or "system"


def write_splits(systems: Sequence[tuple[str, Split]], path: Path, *, resume: bool) -> None:
    """Write split.json, or check that a resumed run has the same frames.

    Parameters
    ----------
    systems
        Label and split of each system.
    path
        The file.
    resume
        Whether the run is continued: then its split must be the same.

    Raises
    ------
    DataError
        If the split of a resumed run is another one.
    """
    content: dict[str, Any] = {"systems": {label: split.to_json() for label, split in systems}}
    if len(systems) == 1:
        content = systems[0][1].to_json()
    if resume and path.exists() and read_json(path, "the split of a training") != content:
        raise DataError(f"{path}: the frames or the split are not those of this run; start a new one")
    write_json(path, content)


def read_splits(path: Path) -> list[Split]:
    """Return the split of each system in a split.json.

    Parameters
    ----------
    path
        File to read.

    Raises
    ------
    DataError
        The file does not have the form that `mdaug train` writes.
    """
    content = read_json(path, EXPECTED)
    systems = content.get("systems") if isinstance(content, dict) else None
    splits = systems.values() if isinstance(systems, dict) else [content]
    return [Split.parse(split, path) for split in splits]


def _refuse_twice(systems: Sequence[FrameSet]) -> None:
    """Refuse two sources of one system, whose frames could be in two parts."""
    for k, frames in enumerate(systems):
        for other in systems[:k]:
            if frames.name == other.name and same_system(frames, other):
                raise DataError(f"{frames.name}: given twice; expected each source once")


def _system_of(frames: FrameSet, systems: Sequence[FrameSet], where: str) -> int:
    """Return which system validation or test frames are of; refuses those of none, or at another level."""
    same = [k for k, system in enumerate(systems) if same_system(system, frames)]
    if not same:
        raise DataError(
            f"{where}: {frames.description}, which is no system of the training frames; give frames with the "
            "same atoms in the same order, or read those in another one with --reorder"
        )
    if len(same) > 1:
        bonds = mean_bonds(frames)[0]
        of_bonds = [k for k in same if np.array_equal(mean_bonds(systems[k])[0], bonds)]
        same = of_bonds or same
    differences = [_difference(frames, systems[k]) for k in same]
    if None not in differences:
        raise DataError(f"{where} with {differences[0]}; give frames at the level of the training frames")
    return same[differences.index(None)]


def _in_order_of_training(frames: FrameSet, systems: Sequence[FrameSet]) -> FrameSet:
    """Return validation or test frames with their atoms in the order of a system with the same bonds."""
    ordered = [(system, in_order_of(frames, system)) for system in systems]
    fitting = [(system, own) for system, own in ordered if own is not None]
    if not fitting or any(np.array_equal(own.positions, frames.positions) for _, own in fitting):
        return frames
    system, own = fitting[0]
    warnings.warn(
        f"{frames.name}: the atoms of all {len(frames)} frames are brought into the order of {system.name} "
        "(--reorder)",
        stacklevel=2,
    )
    return own


def _difference(frames: FrameSet, system: FrameSet) -> str | None:
    """Return how the level of theory or the charge of frames differs from that of a system."""
    for key in OF_THE_SYSTEM:
        own, there = getattr(frames, key), getattr(system, key)
        if own is not None and there is not None and own != there:
            return f"{key} {own}, but {there} in {system.name}"
    return None


def _of_files(config: RunConfig) -> SplitOptions:
    """Return the split of the frames of [data] that have no file of their own."""
    given = [part for part in ("validation", "test") if getattr(config.data, part) is not None]
    if not given:
        return config.split
    shares = [getattr(config.split, part) for part in PARTS]
    if not all(isinstance(share, float) for share in shares):
        counts: SplitOptions = config.split.model_copy(update=dict.fromkeys(given, 0))
        return counts
    fractions: SplitOptions = config.split.model_copy(update=dict.fromkeys(given, 0.0))
    if sum(shares) < 1 - 1e-9:  # frames are to be left out
        return fractions
    held_out = sum(getattr(fractions, part) for part in PARTS[1:])
    whole: SplitOptions = fractions.model_copy(update={"train": 1.0 - held_out})
    return whole


def _with_own_parts(split: Split, own: Parts) -> Split:
    """Return a split with the validation and test frames that come from files of their own."""
    parts = {part: own.get(part, getattr(split, part)) for part in PARTS[1:]}
    return Split(split.train, **parts)
