"""Learning rate: warm-up, then cosine, plateau or constant; early stopping."""

import math
from dataclasses import asdict, dataclass

from mdaug.training.options import TrainOptions


@dataclass
class Schedule:
    """Learning rate of every step; four numbers of its state are saved in a checkpoint.

    Parameters
    ----------
    options
        Options of the training.
    steps_per_epoch
        Steps of an epoch.
    factor
        Product of the plateau factors so far.
    best
        Lowest validation error so far.
    bad_epochs
        Epochs since the best one or the last plateau.
    epochs_since_best
        Epochs since the best one.
    """

    options: TrainOptions
    steps_per_epoch: int
    factor: float = 1.0
    best: float = math.inf
    bad_epochs: int = 0
    epochs_since_best: int = 0

    def learning_rate(self, step: int) -> float:
        """Return the learning rate of a step.

        Parameters
        ----------
        step
            Index of the step in the whole training.
        """
        options = self.options
        total = options.n_epochs * self.steps_per_epoch
        warmup = min(options.warmup_epochs * self.steps_per_epoch, total / 2)
        rate = options.rate * self.factor
        if step < warmup:
            return rate * (step + 1) / (warmup + 1)
        if options.schedule == "cosine":
            return rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))
        return rate

    def epoch_done(self, error: float) -> bool:
        """Record the validation error of an epoch, and return whether it is the lowest so far.

        Parameters
        ----------
        error
            Any error measure; lower is better.
        """
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
        """Return the numbers that a checkpoint saves."""
        state = asdict(self)
        return {key: state[key] for key in ("factor", "best", "bad_epochs", "epochs_since_best")}

    def restore(self, state: dict[str, float | int]) -> None:
        """Set the numbers from a checkpoint.

        Parameters
        ----------
        state
            From `state`.
        """
        for key, value in state.items():
            setattr(self, key, value)
