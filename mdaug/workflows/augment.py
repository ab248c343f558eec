"""Augmented frames of a set of frames, with the springs that label them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.numbers import augmented_numbers
from mdaug.data import write_extxyz
from mdaug.data.trainers import SystemFrames, TrainerName, TrainingData, trainer_of
from mdaug.data.trainers.readme import write_readme
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.springs import SpringOptions, Springs, fit_springs, write_springs
from mdaug.springs.options import SpringSettings
from mdaug.springs.pooled import PooledSprings
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.trainer_sets import TrainerSets
from mdaug.workflows.training.data import SPLIT, write_splits
from mdaug.workflows.training.records import SYSTEMS

TRAINER_WEIGHT, TRAINER_ERROR_SCALE = 0.5, 20.0
"""`weight` and `error_scale` (kcal/mol/Å) for other trainers, whose networks have no baseline, and learn the
shape of stretched bonds from the augmented frames alone. (MACE, ethanol: docs/trainers.md.)"""


@dataclass(frozen=True)
class AugmentedKind:
    """Statistics of the augmented frames of one kind.

    Parameters
    ----------
    name
        The kind.
    n_frames
        Number of augmented frames.
    rule
        The rule that labeled them.
    mean_change_kcal_mol, std_change_kcal_mol
        Energy of a frame minus that of its parent: mean and standard deviation.
    mean_weight
        Their weight in a training.
    """

    name: str
    n_frames: int
    rule: str
    mean_change_kcal_mol: float
    std_change_kcal_mol: float
    mean_weight: float


def augment_data(
    frames: FrameSet,
    options: AugmentOptions,
    folder: Path,
    *,
    springs: SpringSettings | None = None,
    springs_file: Path | None = None,
    progress: Progress = ignore,
) -> list[AugmentedKind]:
    """Write augmented.xyz and springs.json into `folder`, and return what was made.

    Parameters
    ----------
    frames
        The frames to augment.
    options
        Numbers and kinds of augmented frames, and their label rule.
    folder
        Output folder.
    springs
        Options of the spring fit; the cutoff is that of `options`.
    springs_file
        A springs.json to use instead.
    progress
        Called with the stage "springs" and the numbers of element pairs done and in all.

    Raises
    ------
    DataError
        As `fit_springs` and `mdaug.augmentation.augment` do.
    """
    own = _springs([frames], options, springs, springs_file, progress)(0)
    return _kinds(frames, _augmented(frames, options, folder, own, fitted=springs_file is None))


@dataclass(frozen=True)
class AugmentedSystem:
    """Outcome of the augmentation of one system.

    Parameters
    ----------
    label
        Name of the system.
    n_moved
        Number of atoms that are displaced in a frame.
    kinds
        Statistics of its augmented frames.
    failure
        Why it has no augmented frames; empty if it has.
    """

    label: str
    n_moved: int
    kinds: list[AugmentedKind]
    failure: str = ""


def augment_for_trainer(
    sets: Sequence[TrainerSets],
    options: AugmentOptions,
    folder: Path,
    trainer: TrainerName,
    *,
    repeats: int | None = None,
    springs: SpringSettings | None = None,
    springs_file: Path | None = None,
    progress: Progress = ignore,
) -> list[AugmentedSystem]:
    """Augment the training frames of each system, and write the files that another trainer reads.

    Besides the files of `augment_data`, `folder` gets split.json, README.md and the files of the trainer. Of
    several systems those of `augment_data` are in folders of their own, and springs are pooled by element
    pair over the systems at the same temperature. One of several that cannot be augmented stays raw.

    Parameters
    ----------
    sets
        Frames of each part of each system; only training frames are augmented.
    options, folder, springs, springs_file, progress
        As for `augment_data`.
    trainer
        Name of the trainer.
    repeats
        As `mdaug.data.trainers.options.RepeatOptions.repeats`.

    Raises
    ------
    DataError
        As `augment_data` does, or if the trainer cannot read such frames.
    """
    outcomes, systems = [], []
    springs_of = _springs([one.raw for one in sets], options, springs, springs_file, progress)
    for n, one in enumerate(sets):
        place = folder if len(sets) == 1 else folder / SYSTEMS / one.label
        n_moved = options.n_displaced or one.raw.n_atoms
        try:
            own = options_for_trainers(options, one.raw)
            augmented = _augmented(one.raw, own, place, springs_of(n), fitted=springs_file is None)
            outcomes.append(AugmentedSystem(one.label, n_moved, _kinds(one.raw, augmented)))
        except DataError as error:
            if len(sets) == 1:
                raise
            augmented = one.raw.select(slice(0))
            outcomes.append(AugmentedSystem(one.label, n_moved, [], str(error)))
        systems.append(SystemFrames(one.raw, augmented, one.validation, one.test, one.delta, one.label))
    if all(outcome.failure for outcome in outcomes):
        reasons = "; ".join(f"{outcome.label}: {outcome.failure}" for outcome in outcomes)
        raise DataError(f"no system can be augmented ({reasons})")
    write_splits([(one.label, one.split) for one in sets], folder / SPLIT, resume=False)
    data = TrainingData(tuple(systems), sets[0].isolated_atoms)
    writer = trainer_of(trainer)
    write_readme(folder, writer, data, writer.write(data, folder, repeats))
    return outcomes


def options_for_trainers(options: AugmentOptions, raw: FrameSet) -> AugmentOptions:
    """Return options in which what is not set suits other trainers: as many augmented as raw frames, with
    larger weights than in a training of mdaug.

    Parameters
    ----------
    options
        As set.
    raw
        The training frames.
    """
    defaults: dict[str, float] = {"weight": TRAINER_WEIGHT, "error_scale": TRAINER_ERROR_SCALE}
    if (options.n_frames, options.n_stretched, options.n_impulses) == (None, None, None):
        numbers = augmented_numbers(raw, len(raw))[:3]
        share = min(1.0, len(raw) / sum(numbers))
        scaled = (round(share * number) for number in numbers)
        defaults |= dict(zip(("n_frames", "n_stretched", "n_impulses"), scaled, strict=True))
    given = options.model_fields_set
    return options.model_copy(update={name: value for name, value in defaults.items() if name not in given})


def _springs(
    systems: Sequence[FrameSet],
    options: AugmentOptions,
    settings: SpringSettings | None,
    file: Path | None,
    progress: Progress,
) -> Callable[[int], Springs]:
    """Return what gives the springs of the system of a number: those of a file, or fitted ones, which are
    pooled over the systems at the same temperature."""
    if file is not None:
        springs = Springs.read(file)
        return lambda _: springs
    given = (settings or SpringSettings()).model_dump(exclude_unset=True)
    spring_options = SpringOptions(**given, cutoff=options.cutoff)
    shown = partial(progress, "springs")
    if len(systems) == 1:
        return lambda _: fit_springs(systems[0], spring_options, progress=shown)
    without_intervals = spring_options.model_copy(update={"bootstrap": 0})
    pooled = PooledSprings(systems, without_intervals, progress=shown)
    return lambda number: pooled.of(number).springs


def _augmented(
    frames: FrameSet, options: AugmentOptions, folder: Path, springs: Springs, *, fitted: bool
) -> FrameSet:
    """Return augmented frames, and write them and their springs, with their consistency if they were fitted
    to the frames."""
    folder.mkdir(parents=True, exist_ok=True)
    if fitted:
        write_springs(springs, frames, folder / "springs.json")
    else:
        springs.write(folder / "springs.json")
    augmented = augment(frames, springs, options)
    write_extxyz(augmented, folder / "augmented.xyz")
    return augmented


def _kinds(frames: FrameSet, augmented: FrameSet) -> list[AugmentedKind]:
    change = (augmented.energies - frames.energies[augmented.info["parent"]]) * KCAL_MOL_PER_EV
    kinds = augmented.info["kind"]
    rule = str(augmented.info["rule"][0])
    return [
        AugmentedKind(
            str(kind),
            int(np.sum(kinds == kind)),
            rule,
            float(np.mean(change[kinds == kind])),
            float(np.std(change[kinds == kind])),
            float(np.mean(augmented.weights[kinds == kind])),
        )
        for kind in dict.fromkeys(kinds)
    ]
