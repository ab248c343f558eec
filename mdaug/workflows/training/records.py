"""What a training records before its first epoch: settings, split, springs, choices, augmented frames."""

from collections.abc import Sequence
from pathlib import Path

from mdaug.data import write_extxyz
from mdaug.springs import write_springs
from mdaug.workflows.settings.config import CONFIG, RunConfig, save_config
from mdaug.workflows.training.augmentation_choice import record_choice, recorded_choice
from mdaug.workflows.training.baseline import record_baseline, recorded_baseline
from mdaug.workflows.training.choice import TrainingChoice
from mdaug.workflows.training.data import SPLIT, write_splits
from mdaug.workflows.training.sets import Sets

AUGMENTED, SYSTEMS = "augmented.xyz", "systems"
"""File of the augmented frames, and folder of the files of each of several systems."""


def system_folder(folder: Path, sets: Sets, systems: Sequence[Sets]) -> Path:
    """Return the folder for the files of one system: the run folder if there is no other.

    Parameters
    ----------
    folder
        The run folder.
    sets
        The system.
    systems
        All systems.
    """
    return folder if len(systems) == 1 else folder / SYSTEMS / sets.label


def record_sets(systems: Sequence[Sets], config: RunConfig, folder: Path, *, resume: bool) -> None:
    """Write config.toml, split.json and, for an augmented model, springs.json.

    Parameters
    ----------
    systems
        The frames of each system.
    config
        All settings.
    folder
        The run folder.
    resume
        Whether the run is continued: then its split must be the same.

    Raises
    ------
    DataError
        If the split of a resumed run is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    save_config(config, folder / CONFIG)
    write_splits([(sets.label, sets.split) for sets in systems], folder / SPLIT, resume=resume)
    for sets in systems:
        if sets.springs is not None and sets.augmented is not None:
            place = system_folder(folder, sets, systems)
            place.mkdir(parents=True, exist_ok=True)
            write_springs(sets.springs.springs, sets.train, place / "springs.json")


def record_augmented(systems: Sequence[Sets], folder: Path) -> None:
    """Write augmented.xyz: the augmented frames of each system that are trained on, if any are.

    Parameters
    ----------
    systems
        The frames of each system, those by Δ-learning included, beside which there are more augmented ones.
    folder
        The run folder.
    """
    for sets in systems:
        if sets.augmented is not None:
            write_extxyz(sets.augmented, system_folder(folder, sets, systems) / AUGMENTED)


def record_choices(choices: Sequence[TrainingChoice], systems: Sequence[Sets], folder: Path) -> None:
    """Write baseline.json and, for an augmented model, augmentation.json of each system.

    Parameters
    ----------
    choices
        Choices for the systems, in their order.
    systems
        The systems.
    folder
        The run folder.
    """
    for sets, choice in zip(systems, choices, strict=True):
        place = system_folder(folder, sets, systems)
        place.mkdir(parents=True, exist_ok=True)
        record_baseline(choice.baseline, place)
        if choice.augmentation is not None:
            record_choice(choice.augmentation, place)


def recorded_choices(folder: Path, systems: Sequence[Sets]) -> list[TrainingChoice] | None:
    """Return the choices that a run recorded; None if it was stopped before.

    Parameters
    ----------
    folder
        The run folder.
    systems
        The systems.
    """
    choices = []
    for sets in systems:
        place = system_folder(folder, sets, systems)
        baseline = recorded_baseline(place)
        augmentation = None if sets.augmentation is None else recorded_choice(place)
        if baseline is None or (augmentation is None) != (sets.augmentation is None):
            return None
        choices.append(TrainingChoice(augmentation, baseline))
    return choices
