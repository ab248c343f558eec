"""Training: loss, loop, averaged weights, checkpoints, resume."""

from mdaug.training.loop import TrainResult, TrainState, pick_device, train
from mdaug.training.options import TrainOptions
from mdaug.training.parallel import Group, join_group
from mdaug.training.predict import predict

__all__ = [
    "Group",
    "TrainOptions",
    "TrainResult",
    "TrainState",
    "join_group",
    "pick_device",
    "predict",
    "train",
]
