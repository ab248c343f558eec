"""Training: loss, loop, exponential moving average of the weights (EMA), checkpoints, several processes."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.training.evaluation import predict
    from mdaug.training.loop import TrainResult, TrainState, pick_device, train
    from mdaug.training.options import TrainOptions
    from mdaug.training.parallel import ProcessGroup, join_group

__all__ = [
    "ProcessGroup",
    "TrainOptions",
    "TrainResult",
    "TrainState",
    "join_group",
    "pick_device",
    "predict",
    "train",
]

_MODULES = {
    "ProcessGroup": "mdaug.training.parallel",
    "TrainOptions": "mdaug.training.options",
    "TrainResult": "mdaug.training.loop",
    "TrainState": "mdaug.training.loop",
    "join_group": "mdaug.training.parallel",
    "pick_device": "mdaug.training.loop",
    "predict": "mdaug.training.evaluation",
    "train": "mdaug.training.loop",
}
__getattr__ = lazy_exports(__name__, _MODULES)
