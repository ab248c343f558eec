"""The frames of a training by origin: of the data (split), augmented, explored, and by Δ-learning."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from mdaug.augmentation.force_matching.assessment import FEW_FRAMES
from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.shared_parameters import Donor, Donors
from mdaug.augmentation.generate import Augmentation, make_augmentation, with_numbers
from mdaug.augmentation.numbers import AugmentedNumbers, numbers_together
from mdaug.data import Split
from mdaug.data.load import read_frames
from mdaug.data.splits import refuse_empty_parts
from mdaug.errors import DataError
from mdaug.frames import FrameSet, join_frames
from mdaug.springs import SpringAnalysis
from mdaug.springs.pooled import PooledSprings
from mdaug.training import TrainState
from mdaug.workflows.progress import ignore
from mdaug.workflows.settings.config import RunConfig
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.baseline import NO_BASELINE, BaselineChoice
from mdaug.workflows.training.data import System, load_training_data
from mdaug.workflows.training.levels import check_levels

LEAST_FRAMES = 4
"""Frames from which on a system with few frames gives its parameters to others."""

ModelKind = Literal["raw", "with baseline", "Δ-learning", "augmented"]
"""Kinds of models, for names and colors in figures; a model is of the last one that applies to it."""


@dataclass(frozen=True)
class TrainingCallbacks:
    """Functions that are called during a training.

    Parameters
    ----------
    stage
        Called with a line of text at each stage.
    springs
        Called with the numbers of element pairs that are fitted and of all.
    epoch
        Called with the state of the training after each epoch.
    part
        Called with the name of another part and the numbers of items done and in all.
    """

    stage: Callable[[str], None] = ignore
    springs: Callable[[int, int], None] = ignore
    epoch: Callable[[TrainState], None] = ignore
    part: Callable[[str, int, int], None] = ignore


@dataclass(frozen=True)
class Sets:
    """The frames of one system of a training.

    Parameters
    ----------
    split
        Which frames of the data are for training, validation and test.
    train, validation, test
        These frames.
    springs
        Spring constants of the training frames; None without augmentation.
    augmented
        Augmented frames that are trained on, None for none.
    explored
        Frames of `mdaug explore` that are trained on, None for none.
    augmentation
        All augmented frames that were made, with their force-matched field, or why there are none; None
        without augmentation.
    choice
        Whether augmented frames are trained on; None before the choice, and where none were made.
    baseline
        Whether the model has a baseline.
    label
        Name of the system in files and tables.
    isolated_atoms
        Energies (eV) of isolated atoms by symbol; empty if the data have none.
    delta
        Frames by Δ-learning, None for none.
    n_without_delta
        Number of frames that would be trained on without Δ-learning, which adds augmented frames, too; None
        where `delta` is None.
    """

    split: Split
    train: FrameSet
    validation: FrameSet
    test: FrameSet
    springs: SpringAnalysis | None = None
    augmented: FrameSet | None = None
    explored: FrameSet | None = None
    augmentation: Augmentation | None = None
    choice: AugmentationChoice | None = None
    baseline: BaselineChoice = NO_BASELINE
    label: str = ""
    isolated_atoms: Mapping[str, float] = field(default_factory=dict)
    delta: FrameSet | None = None
    n_without_delta: int | None = None

    @property
    def added(self) -> list[FrameSet]:
        """Augmented and other frames beside the raw ones on which the network is trained."""
        return [frames for frames in (self.augmented, self.explored, self.delta) if frames is not None]

    @property
    def n_training(self) -> int:
        """Number of frames that the network is trained on."""
        return len(self.train) + sum(map(len, self.added))

    @property
    def counts(self) -> dict[str, int]:
        """Numbers of these frames as in results.json; those of `mdaug explore` count as augmented."""
        n_delta = 0 if self.delta is None else len(self.delta)
        n_augmented = self.n_training - len(self.train) - n_delta
        return {
            "n_raw_frames": len(self.train),
            "n_augmented_frames": n_augmented,
            "n_delta_frames": n_delta,
        }

    @property
    def all_training(self) -> FrameSet:
        """All frames that the network is trained on, raw ones first."""
        return join_frames([self.train, *self.added])


def kind_of_model(systems: Sequence[Sets]) -> ModelKind:
    """Return the kind of a model by its baseline, and by the frames that it is trained on beside the data.

    Parameters
    ----------
    systems
        Frames and baseline of each system. The model is one for all, and of one kind.
    """
    if any(sets.augmented is not None or sets.explored is not None for sets in systems):
        return "augmented"
    if any(sets.delta is not None for sets in systems):
        return "Δ-learning"
    return "with baseline" if any(sets.baseline.used for sets in systems) else "raw"


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
    if len(systems) == 1:
        refuse_empty_parts(systems[0].frames, systems[0].split)
    else:
        _check_several(systems, config)
    alone, failures = len(systems) == 1, dict[str, str]()
    raw = [system.frames.select(system.split.train) for system in systems]

    def started(n_systems: int, temperature_K: float) -> None:
        of = f" of {n_systems} systems at {temperature_K:g} K" * (n_systems > 1)
        callbacks.stage(f"fitting springs to the training frames{of}")

    springs = PooledSprings(raw, config.spring_options, started=started, progress=callbacks.springs)
    made: dict[int, Sets] = {}
    few = first_fields(raw, config)
    has_own = alone or not config.augment.enabled or config.augment.sets_all_numbers
    numbers = None if has_own else numbers_together(raw)
    donors: Donors | None = None
    for n in sorted(range(len(systems)), key=lambda n: len(raw[n]) < FEW_FRAMES):  # those with donors last
        own: Sequence[Donor] = ()
        if len(raw[n]) < FEW_FRAMES:
            donors = donors or Donors([*_donors(made.values()), *few.values()])
            own = donors.without(len(donors) - len(few) + list(few).index(n)) if n in few else donors
        shared = Shared(partial(springs.of, n), own, None if numbers is None else numbers[n])
        made[n] = _prepare(systems[n], config, callbacks, None if alone else failures, shared)
    sets = tuple(made[n] for n in range(len(systems)))
    if len(failures) == len(systems):
        reasons = "; ".join(f"{label}: {reason}" for label, reason in failures.items())
        raise DataError(
            f"no system can be augmented ({reasons}); --no-augment trains on the raw frames alone"
        )
    return sets


def first_fields(systems: Sequence[FrameSet], config: RunConfig) -> dict[int, Donor]:
    """Return force-matched fields of the systems with few frames, by their places.

    They are fitted to each system alone, and not assessed: as priors of the others they are used only where
    held-out errors fall. None is needed if a single system has few frames.

    Parameters
    ----------
    systems
        Training frames of each system.
    config
        Settings of the training.
    """
    few = [n for n, frames in enumerate(systems) if LEAST_FRAMES <= len(frames) < FEW_FRAMES]
    if len(few) < 2 or not config.augment.enabled or config.augment.rule != "force-matched":
        return {}
    fields = {}
    for n in few:
        try:
            field = match_forces(systems[n], cutoff=config.augment_options.cutoff)
        except DataError:  # no bonds, or too narrow a cell: said when its augmented frames are made
            continue
        fields[n] = Donor(field, len(systems[n]))
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
