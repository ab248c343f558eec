"""Frames for another trainer: of data, or of the folder of a training, split by system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.data import Split
from mdaug.data.splits import SplitOptions, refuse_empty_parts
from mdaug.data.trainers.training_data import DELTA
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.workflows.settings.config import CONFIG, load_config
from mdaug.workflows.settings.options import DataOptions
from mdaug.workflows.training.data import SPLIT, load_training_data
from mdaug.workflows.training.delta_frames import FOLDER, recorded_frames
from mdaug.workflows.training.records import SYSTEMS
from mdaug.workflows.use_model import recorded_systems


@dataclass(frozen=True)
class TrainerSets:
    """Frames of one system for another trainer.

    Parameters
    ----------
    label
        Name of the system in files.
    split
        Indices of the frames of each part in the data.
    raw, validation, test
        These frames; `test` may be empty.
    delta
        Frames of Δ-learning made from `raw`; None for none.
    isolated_atoms
        Energies (eV) of isolated atoms by symbol; empty if the data have none.
    """

    label: str
    split: Split
    raw: FrameSet
    validation: FrameSet
    test: FrameSet
    delta: FrameSet | None = None
    isolated_atoms: Mapping[str, float] = field(default_factory=dict)


def sets_of_data(sources: Sequence[str], reading: DataOptions, options: SplitOptions) -> list[TrainerSets]:
    """Read frames and split those of each system for another trainer.

    Parameters
    ----------
    sources
        Files, folders, patterns or names of sets.
    reading
        How they are read.
    options
        Sizes of the training, validation and test sets.

    Raises
    ------
    DataError
        If the frames cannot be used, or are too few for the split.
    """
    given: dict[str, Any] = reading.model_dump(exclude_unset=True)
    one = {"source": sources[0]} if len(sources) == 1 else {"sources": [{"source": name} for name in sources]}
    systems = load_training_data(
        load_config(changes={"data": given | one, "split": options.model_dump(exclude_unset=True)})
    )
    sets = []
    for system in systems:
        frames, split = system.frames, system.split
        # frames of weight 0 are not trained on, and NEP refuses them
        split = replace(split, train=split.train[frames.weights[split.train] > 0])
        if len(systems) == 1 or not len(split.train):
            refuse_empty_parts(frames, split)
        sets.append(_sets(system.label, frames, split, isolated_atoms=system.isolated_atoms))
    if not any(len(each.validation) for each in sets):
        raise DataError(f"{', '.join(sources)}: the split leaves no frame for validation; give more frames")
    return sets


def sets_of_run(run: Path) -> list[TrainerSets]:
    """Return the frames of a run of `mdaug train`, in its split, with those of its Δ-learning.

    Parameters
    ----------
    run
        The run folder.

    Raises
    ------
    DataError
        If its frames are not found or have changed.
    """
    systems = recorded_systems(run / "model.pt")
    sets = []
    for label, (frames, split) in systems.items():
        place = run if len(systems) == 1 else run / SYSTEMS / label
        delta = recorded_frames(place / FOLDER, frames.temperature_K)
        if delta is not None:
            delta = replace(delta, info={"kind": np.full(len(delta), DELTA)})
        sets.append(_sets(label, frames, split, delta=delta))
    return sets


def _sets(label: str, frames: FrameSet, split: Split, **others: Any) -> TrainerSets:
    raw, validation, test = (frames.select(part) for part in (split.train, split.validation, split.test))
    return TrainerSets(label, split, raw, validation, test, **others)


def is_run(path: Path) -> bool:
    """Return whether `path` is a run folder of `mdaug train`.

    Parameters
    ----------
    path
        A file or folder.
    """
    return (path / CONFIG).is_file() and (path / SPLIT).is_file()
