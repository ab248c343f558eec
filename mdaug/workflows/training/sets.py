"""The frames of a training by origin: of the data (split), augmented, explored, and by Δ-learning."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from mdaug.augmentation.generate import Augmentation
from mdaug.data import Split
from mdaug.frames import FrameSet, join_frames
from mdaug.springs import SpringAnalysis
from mdaug.training import TrainState
from mdaug.workflows.progress import ignore
from mdaug.workflows.training.augmentation_choice import AugmentationChoice
from mdaug.workflows.training.baseline import NO_BASELINE, BaselineChoice

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
