"""Training: loss, loop, averaged weights, checkpoints, resume."""

from mdaug.train.loop import TrainResult, TrainState, train
from mdaug.train.options import TrainOptions
from mdaug.train.predict import predict

__all__ = ["TrainOptions", "TrainResult", "TrainState", "predict", "train"]
