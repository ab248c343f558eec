"""Training: loss, loop, averaged weights, checkpoints, resume."""

from mdaug.train.loop import TrainResult, TrainState, pick_device, train
from mdaug.train.options import TrainOptions
from mdaug.train.parallel import Group, join_group
from mdaug.train.predict import predict

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
