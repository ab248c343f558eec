"""The systems of a training from its settings: read, split, with springs and augmented frames."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mdaug.augmentation.force_matching.assessment import FEW_FRAMES
from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.shared_parameters import Donor, Donors
from mdaug.augmentation.generate import make_augmentation, with_numbers
from mdaug.augmentation.numbers import AugmentedNumbers, numbers_together
from mdaug.data.load import read_frames
from mdaug.data.splits import refuse_empty_parts
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.options import MANY_SYSTEMS
from mdaug.springs import SpringAnalysis
from mdaug.springs.pooled import PooledSprings
from mdaug.workflows.alike_warnings import alike_warnings_once
from mdaug.workflows.progress import ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.data import System, load_training_data
from mdaug.workflows.training.levels import check_levels
from mdaug.workflows.training.sets import Sets, TrainingCallbacks

LEAST_FRAMES = 4
"""Frames from which on a system with few frames gives its parameters to others."""


class Shared(NamedTuple):
    """What a system takes from all systems of a training.

    Attributes
    ----------
    springs
        Returns its springs.
    donors
        Force-matched fields whose parameters it may share.
    numbers
        Its default numbers of augmented frames; None for those that it has alone.
    """

    springs: Callable[[], SpringAnalysis]
    donors: Sequence[Donor]
    numbers: AugmentedNumbers | None


def prepare_systems(config: RunConfig, callbacks: TrainingCallbacks) -> tuple[Sets, ...]:
    """Read, split and augment the frames of each system.

    Parameters
    ----------
    config
        All settings.
    callbacks
        Functions that are called on the way.

    Raises
    ------
    DataError
        If the frames cannot be used, are too few for the split, or settings are for one system, or if no
        system can be augmented.
    """
    systems = load_training_data(config)
    failures: dict[str, str] | None = None if len(systems) == 1 else {}
    many = len(systems) > MANY_SYSTEMS
    if many:
        callbacks.stage(_frames_of(systems))
    with alike_warnings_once() as names:
        names += [system.frames.name for system in systems]
        if len(systems) == 1:
            refuse_empty_parts(systems[0].frames, systems[0].split)
        else:
            _check_several(systems, config)
        sets = _prepared(systems, config, callbacks, failures)
    if failures and len(failures) == len(systems):
        reasons = "; ".join(f"{label}: {reason}" for label, reason in failures.items())
        raise DataError(
            f"no system can be augmented ({reasons}); --no-augment trains on the raw frames alone"
        )
    if many and config.augment.enabled:
        callbacks.stage(_augmented_of(sets))
    return sets


def _prepared(
    systems: Sequence[System],
    config: RunConfig,
    callbacks: TrainingCallbacks,
    failures: dict[str, str] | None,
) -> tuple[Sets, ...]:
    """Return the frames of all systems; of many with a bar instead of lines for each."""
    raw = [system.frames.select(system.split.train) for system in systems]
    springs = PooledSprings(
        raw, config.spring_options, started=partial(_report_springs, callbacks), progress=callbacks.springs
    )
    few = first_fields(raw, config, callbacks)
    alone, many = len(systems) == 1, len(systems) > MANY_SYSTEMS
    has_own = alone or not config.augment.enabled or config.augment.sets_all_numbers
    numbers = None if has_own else numbers_together(raw)
    donors: Donors | None = None
    made: dict[int, Sets] = {}
    for n in sorted(range(len(systems)), key=lambda n: len(raw[n]) < FEW_FRAMES):  # those with donors last
        own: Sequence[Donor] = ()
        if len(raw[n]) < FEW_FRAMES:
            donors = donors or Donors([*_donors(made.values()), *few.values()])
            own = donors.without(len(donors) - len(few) + list(few).index(n)) if n in few else donors
        shared = Shared(partial(springs.of, n), own, None if numbers is None else numbers[n])
        quiet = replace(callbacks, stage=ignore) if many else callbacks
        made[n] = _prepare(systems[n], config, quiet, failures, shared)
        if many and config.augment.enabled:
            callbacks.part("augmented frames", len(made), len(systems))
    return tuple(made[n] for n in range(len(systems)))


def _report_springs(callbacks: TrainingCallbacks, n_systems: int, temperature_K: float) -> None:
    of = f" of {n_systems} systems at {temperature_K:g} K" * (n_systems > 1)
    callbacks.stage(f"fitting springs to the training frames{of}")


def _frames_of(systems: Sequence[System]) -> str:
    """Return the numbers of systems and of frames for each purpose."""
    numbers = [
        sum(len(getattr(system.split, part)) for system in systems)
        for part in ("train", "validation", "test")
    ]
    purposes = "{} training, {} validation, {} test".format(*numbers)
    return f"{sum(numbers)} frames of {len(systems)} systems: {purposes}"


def _augmented_of(systems: Sequence[Sets]) -> str:
    """Return how many systems have augmented frames, and why the others have none that are trained on."""
    made = [sets.augmentation for sets in systems]
    used = [each for each in made if each is not None and each.failed is None]
    n_frames = sum(len(each.frames) for each in used)
    text = f"{n_frames} augmented frames of {len(used)} of {len(systems)} systems"
    why_not = Counter(
        "no springs" if each is None else each.failed
        for each in made
        if each is None or each.failed is not None
    )
    reasons = ", ".join(f"{reason} ({n})" for reason, n in why_not.most_common())
    return f"{text}; what failed of the others: {reasons}" if reasons else text


def first_fields(
    systems: Sequence[FrameSet], config: RunConfig, callbacks: TrainingCallbacks = TrainingCallbacks()
) -> dict[int, Donor]:
    """Return force-matched fields of the systems with few frames, by their places.

    They are fitted to each system alone, and not assessed: as priors of the others they are used only where
    held-out errors fall. None is needed if a single system has few frames.

    Parameters
    ----------
    systems
        Training frames of each system.
    config
        Settings of the training.
    callbacks
        Of many systems, the part "force fields" is reported.
    """
    few = [n for n, frames in enumerate(systems) if LEAST_FRAMES <= len(frames) < FEW_FRAMES]
    if len(few) < 2 or not config.augment.enabled or config.augment.rule != "force-matched":
        return {}
    fields = {}
    for done, n in enumerate(few, 1):
        with suppress(DataError):  # no bonds, or too narrow a cell: said when its augmented frames are made
            field = match_forces(systems[n], cutoff=config.augment_options.cutoff)
            fields[n] = Donor(field, len(systems[n]))
        if len(few) > MANY_SYSTEMS:
            callbacks.part("force fields", done, len(few))
    return fields


def _donors(systems: Iterable[Sets]) -> list[Donor]:
    """Return the sound force-matched fields of systems with enough frames."""
    return [
        Donor(sets.augmentation.field, len(sets.train))
        for sets in systems
        if sets.augmentation is not None and sets.augmentation.field is not None
        if len(sets.train) >= FEW_FRAMES
    ]


def _check_several(systems: Sequence[System], config: RunConfig) -> None:
    """Refuse what is not possible for several systems, and systems without training frames."""
    labels = ", ".join(system.label for system in systems)
    if config.augment.explored is not None:
        raise DataError(
            f"augment.explored: for one system, and these are {len(systems)} ({labels}); leave it out"
        )
    for system in systems:
        if not len(system.split.train):
            raise DataError(
                f"{system.frames.name}: of {len(system.frames)} frame(s) the split leaves none for train; "
                "give more frames of this system, or leave it out"
            )
    if not any(len(system.split.validation) for system in systems):
        raise DataError(f"{labels}: the split leaves no frame for validation, which needs one; give more")
    check_levels([system.frames for system in systems])


def _prepare(
    system: System,
    config: RunConfig,
    callbacks: TrainingCallbacks,
    failures: dict[str, str] | None,
    shared: Shared,
) -> Sets:
    """Return the frames of one system.

    One that cannot be augmented stays raw, and its label and the reason are added to `failures`; with None it
    raises an error.
    """
    frames, split = system.frames, system.split
    raw, validation, test = (frames.select(part) for part in (split.train, split.validation, split.test))
    parts = f"{len(raw)} training, {len(validation)} validation, {len(test)} test"
    callbacks.stage(f"{len(frames)} frames of {frames.name}: {parts}")
    sets = Sets(split, raw, validation, test, label=system.label, isolated_atoms=system.isolated_atoms)
    if config.augment.enabled:
        try:
            sets = _augmented(sets, config, callbacks, shared)
        except DataError as error:
            if failures is None:
                raise
            failures[system.label] = str(error)
            callbacks.stage(f"no augmented frames of {system.label}: {error}")
    if sets.augmentation is not None and sets.augmented is None:
        of_system = "" if failures is None else f" of {system.label}"
        callbacks.stage(f"no augmented frames{of_system}: {sets.augmentation.reason}")
    if config.augment.explored is not None:
        explored = read_explored(config.augment.explored, raw)
        callbacks.stage(f"{len(explored)} explored frames")
        sets = replace(sets, explored=explored)
    return sets


def _augmented(
    sets: Sets,
    config: RunConfig,
    callbacks: TrainingCallbacks,
    shared: Shared,
) -> Sets:
    """Return the frames of a system with the springs of its training frames, and augmented ones."""
    springs = shared.springs()
    options = config.augment_options
    options = options if shared.numbers is None else with_numbers(options, shared.numbers)
    augmentation = make_augmentation(sets.train, springs.springs, options, shared.donors, stand_in=False)
    if len(augmentation.frames) == 0:
        return replace(sets, springs=springs, augmentation=augmentation)
    callbacks.stage(f"{len(augmentation.frames)} augmented frames by rule {augmentation.rule!r}")
    return replace(sets, springs=springs, augmented=augmentation.frames, augmentation=augmentation)


def read_explored(path: Path, raw: FrameSet) -> FrameSet:
    """Return the frames of `mdaug explore`.

    They are not of an equilibrium, and in spurious minima atoms may have other neighbors, so that the checks
    of data do not apply.

    Parameters
    ----------
    path
        An explored.xyz.
    raw
        The raw training frames.

    Raises
    ------
    DataError
        The frames are of other atoms than `raw`.
    """
    frames = read_frames(path, units="eV", temperature_K=raw.temperature_K).frames
    if not np.array_equal(frames.atomic_numbers, raw.atomic_numbers) or frames.periodic != raw.periodic:
        raise DataError(
            f"{path}: other atoms than those of {raw.name}; give the explored.xyz that "
            "`mdaug explore` wrote for these frames"
        )
    return frames
