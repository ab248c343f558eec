"""Files for other trainers, one module each: raw and augmented frames with the weights that they read."""

from importlib import import_module

from mdaug.data.trainers.options import TRAINER_NAMES, TrainerName
from mdaug.data.trainers.training_data import Instructions, SystemFrames, Trainer, TrainingData

__all__ = [
    "TRAINER_NAMES",
    "Instructions",
    "SystemFrames",
    "Trainer",
    "TrainerName",
    "TrainingData",
    "trainer_of",
]


def trainer_of(name: str) -> Trainer:
    """Return a trainer by its name.

    Parameters
    ----------
    name
        One of `TRAINER_NAMES`.
    """
    trainer: Trainer = import_module(f"mdaug.data.trainers.{name}").TRAINER
    return trainer
