"""Augmented frames of a set of frames, with the springs that label them."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.numbers import augmented_numbers
from mdaug.data import Split, split_frames, write_extxyz
from mdaug.data.splits import SplitOptions, refuse_empty_parts
from mdaug.data.trainers import TrainerName, TrainingData, trainer_of
from mdaug.data.trainers.readme import write_readme
from mdaug.data.trainers.training_data import DELTA
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet
from mdaug.springs import SpringOptions, Springs, fit_springs, write_springs
from mdaug.springs.options import SpringSettings
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.config import CONFIG
from mdaug.workflows.training.data import SPLIT
from mdaug.workflows.training.delta_frames import FOLDER, recorded_frames
from mdaug.workflows.use_model import recorded_systems

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
    augmented = _augmented(
        frames, options, folder, springs=springs, springs_file=springs_file, progress=progress
    )
    return _kinds(frames, augmented)


@dataclass(frozen=True)
class TrainerSets:
    """Frames of the data for another trainer, and those of Δ-learning.

    Parameters
    ----------
    split
        Indices of the frames of each part in the data.
    raw, validation, test
        These frames; `test` may be empty.
    delta
        Frames of Δ-learning made from `raw`; None for none.
    """

    split: Split
    raw: FrameSet
    validation: FrameSet
    test: FrameSet
    delta: FrameSet | None = None


def sets_of_data(frames: FrameSet, options: SplitOptions) -> TrainerSets:
    """Split the frames for another trainer.

    Parameters
    ----------
    frames
        All frames.
    options
        Sizes of the training, validation and test sets.

    Raises
    ------
    DataError
        If there are too few frames for the split.
    """
    split = split_frames(frames, options)
    # frames of weight 0 are not trained on, and NEP refuses them
    split = replace(split, train=split.train[frames.weights[split.train] > 0])
    refuse_empty_parts(frames, split)
    return _sets(frames, split)


def sets_of_run(run: Path) -> TrainerSets:
    """Return the frames of a run of `mdaug train`, in its split, with those of its Δ-learning.

    Parameters
    ----------
    run
        The run folder.

    Raises
    ------
    DataError
        If the run is of several systems, or its frames are not found or have changed.
    """
    systems = recorded_systems(run / "model.pt")
    if len(systems) > 1:
        raise DataError(f"{run}: trained on several systems ({', '.join(systems)}); give the frames of one")
    ((frames, split),) = systems.values()
    delta = recorded_frames(run / FOLDER, frames.temperature_K)
    if delta is not None:
        delta = replace(delta, info={"kind": np.full(len(delta), DELTA)})
    return _sets(frames, split, delta)


def _sets(frames: FrameSet, split: Split, delta: FrameSet | None = None) -> TrainerSets:
    raw, validation, test = (frames.select(part) for part in (split.train, split.validation, split.test))
    return TrainerSets(split, raw, validation, test, delta)


def is_run(path: Path) -> bool:
    """Return whether `path` is a run folder of `mdaug train`.

    Parameters
    ----------
    path
        A file or folder.
    """
    return (path / CONFIG).is_file() and (path / SPLIT).is_file()


def augment_for_trainer(
    sets: TrainerSets,
    options: AugmentOptions,
    folder: Path,
    trainer: TrainerName,
    *,
    repeats: int | None = None,
    springs: SpringSettings | None = None,
    springs_file: Path | None = None,
    progress: Progress = ignore,
) -> list[AugmentedKind]:
    """Augment the training frames, and write the files that another trainer reads.

    Besides the files of `augment_data`, `folder` gets split.json, README.md and the files of the trainer.

    Parameters
    ----------
    sets
        Frames of each part; only training frames are augmented.
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
    options = options_for_trainers(options, sets.raw)
    augmented = _augmented(
        sets.raw, options, folder, springs=springs, springs_file=springs_file, progress=progress
    )
    write_json(folder / SPLIT, sets.split.to_json())
    data = TrainingData(sets.raw, augmented, sets.validation, sets.test, sets.delta)
    writer = trainer_of(trainer)
    write_readme(folder, writer, data, writer.write(data, folder, repeats))
    return _kinds(sets.raw, augmented)


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


def _augmented(
    frames: FrameSet,
    options: AugmentOptions,
    folder: Path,
    *,
    springs: SpringSettings | None,
    springs_file: Path | None,
    progress: Progress,
) -> FrameSet:
    """Return augmented frames, and write them and their springs."""
    if springs_file is not None:
        fitted = Springs.read(springs_file)
        fitted.write(folder / "springs.json")
    else:
        settings = (springs or SpringSettings()).model_dump(exclude_unset=True)
        spring_options = SpringOptions(**settings, cutoff=options.cutoff)
        fitted = fit_springs(frames, spring_options, progress=partial(progress, "springs"))
        write_springs(fitted, frames, folder / "springs.json")
    augmented = augment(frames, fitted, options)
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
