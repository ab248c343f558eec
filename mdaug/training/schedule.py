"""Learning rate: warm-up, then cosine, plateau or constant."""

import math
from dataclasses import asdict, dataclass

from mdaug.training.options import TrainOptions


@dataclass
class Schedule:
    """Gives the learning rate of every step; its state is four numbers that a checkpoint keeps."""

    options: TrainOptions
    steps_per_epoch: int
    factor: float = 1.0
    best: float = math.inf
    bad_epochs: int = 0
    epochs_since_best: int = 0

    def learning_rate(self, step: int) -> float:
        """Learning rate of step `step`, counted from 0."""
        options = self.options
        total = options.epochs * self.steps_per_epoch
        warmup = min(options.warmup_epochs * self.steps_per_epoch, total / 2)
        rate = options.learning_rate * self.factor
        if step < warmup:
            return rate * (step + 1) / (warmup + 1)
        if options.schedule == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        return rate

    def epoch_done(self, error: float) -> bool:
        """Take note of an epoch's validation error; True if it is the best so far."""
        if error < self.best:
            self.best, self.bad_epochs, self.epochs_since_best = error, 0, 0
            return True
        self.bad_epochs += 1
        self.epochs_since_best += 1
        if self.options.schedule == "plateau" and self.bad_epochs > self.options.plateau_patience:
            self.factor *= self.options.plateau_factor
            self.bad_epochs = 0
        return False

    @property
    def stop(self) -> bool:
        """Whether early stopping ends the training."""
        patience = self.options.early_stopping
        return patience > 0 and self.epochs_since_best >= patience

    def state(self) -> dict[str, float | int]:
        kept = asdict(self)
        return {key: kept[key] for key in ("factor", "best", "bad_epochs", "epochs_since_best")}

    def restore(self, state: dict[str, float | int]) -> None:
        for key, value in state.items():
            setattr(self, key, value)
