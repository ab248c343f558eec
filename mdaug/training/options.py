"""Options of the training."""

from math import sqrt
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import BeforeValidator, Field

from mdaug.options import PAPER_SETTINGS, Count, Options, Positive, Precision, Seed
from mdaug.training.e0s import parse_e0s

Fraction = Annotated[float, Field(ge=0, lt=1)]
NonNegative = Annotated[float, Field(ge=0, le=1e9)]
E0s = dict[str, float]


DEFAULT_EPOCHS = 800
"""Epochs of a training without a baseline, where they are not set."""

STEPS_WITH_BASELINE = 16_000
"""Least steps for each system of a training with a baseline, where its epochs are not set (300 epochs of 1000
frames)."""

MOST_STEPS = 80_000
"""Most steps of a training, where its epochs are not set and these are more than `MIN_EPOCHS` (800 epochs of
2000 frames)."""

DEFAULT_RATE = 2e-3
"""Highest learning rate of a training on one system, where it is not set."""

MIN_EPOCHS, MAX_EPOCHS = 100, 1000
"""Limits of the number of epochs that follows from a number of steps."""


class TrainOptions(Options):
    """Optimization of the network."""

    epochs: Positive | None = None
    """Passes over the training frames [default: 800, or as many as make 80,000 steps if these are fewer;
    with a baseline, which leaves the network less to learn, as many as make 16,000 steps for each system of
    the frames, together at most 80,000 steps, and at most 1000 epochs; never fewer than 100]."""

    batch_size: Positive = 20
    """Frames per step."""

    learning_rate: Annotated[float, Field(gt=0)] | None = None
    """Highest learning rate [default: 0.002; with a baseline, where no epochs are set, divided by the root of
    the number of systems, or of 5 if these are more]."""

    optimizer: Annotated[Literal["adam", "adamw"], Parameter(group=PAPER_SETTINGS)] = "adam"
    """Adam, or AdamW with weight_decay."""

    weight_decay: Annotated[NonNegative, Parameter(group=PAPER_SETTINGS)] = 0.0
    """Decoupled weight decay (AdamW only)."""

    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    """Schedule of the learning rate: half a cosine to zero (cosine), lower when the validation error stops
    falling (plateau), or constant."""

    warmup_epochs: NonNegative = 1.0
    """Epochs over which the learning rate rises from zero."""

    plateau_patience: Count = 50
    """Epochs without a lower validation error before the learning rate is multiplied by plateau_factor."""

    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor on the learning rate at a plateau."""

    energy_weight: NonNegative = 0.1
    """Weight of the energy errors (per frame) in the loss."""

    force_weight: NonNegative = 1.0
    """Weight of the force errors (per component) in the loss, in the unit of the energies."""

    stress_weight: NonNegative = 0.003
    """Weight of the stress errors in the loss: of each of the nine components of volume times stress, in the
    unit of the energies. Frames without a stress, or not periodic in all directions, have none."""

    loss: Annotated[Literal["mse", "huber"], Parameter(group=PAPER_SETTINGS)] = "huber"
    """The Huber loss, which is linear beyond huber_delta, or mean squared errors (mse)."""

    huber_delta: Annotated[float, Field(gt=0), Parameter(group=PAPER_SETTINGS)] = 0.02
    """Error beyond which the Huber loss is linear, in units of `scale`."""

    ema_decay: Fraction = 0.999
    """Decay per step of the exponential moving average (EMA) of the weights, which is validated and kept; 0
    keeps the last weights."""

    clip_norm: NonNegative = 10.0
    """Largest norm of the gradient; longer gradients are scaled down. 0: no clipping."""

    early_stopping: Count = 0
    """Stop after this many epochs without a lower validation error; 0: never."""

    reference: Annotated[Literal["mean", "element"], Parameter(group=PAPER_SETTINGS)] = "mean"
    """Reference energies subtracted before training: one mean per atom (mean), or least squares per element
    (element), which those of several systems always are. See e0s for isolated atoms."""

    e0s: Annotated[E0s | None, BeforeValidator(parse_e0s), Parameter(parse=False)] = None
    """Energies of isolated atoms: a table by element, in eV unless its key units names another unit. They are
    subtracted, with the mean of what is left per atom, instead of `reference`. By default those of frames of
    isolated atoms, if the data have some of all elements."""

    scale: Literal["forces", "kcal/mol", "eV"] = "forces"
    """Unit of the network's output: the rms force (minus that of the prior) of all training frames, augmented
    ones included, times 1 Å (forces), or a fixed unit. With atom types, each of several systems has its own
    rms force."""

    dtype: Precision = "float32"
    """Precision of training."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 1
    """CPU threads; 0: all. A second thread hardly speeds up batches of small molecules."""

    seed: Seed = 0
    """Seed of weights, batches and dropout."""

    @property
    def n_epochs(self) -> int:
        """Epochs that are set, or the default without a baseline."""
        return DEFAULT_EPOCHS if self.epochs is None else self.epochs

    def fingerprint(self, *, stresses: bool) -> str:
        """Return the options as text, without those that make no difference and that earlier versions lack.

        Parameters
        ----------
        stresses
            Whether training frames have stresses.
        """
        unused = {"e0s": self.e0s is None, "stress_weight": not stresses}
        values = dict(self) | {"learning_rate": self.rate}
        used = (f"{name}={value!r}" for name, value in values.items() if not unused.get(name, False))
        return f"{type(self).__name__}({', '.join(used)})"

    @property
    def rate(self) -> float:
        """The highest learning rate that is set, or the default for one system."""
        return DEFAULT_RATE if self.learning_rate is None else self.learning_rate

    def with_defaults(self, n_frames: int, *, baseline: bool, n_systems: int = 1) -> "TrainOptions":
        """Return the options with the epochs and the learning rate that suit the frames, where none are set.

        Parameters
        ----------
        n_frames
            Number of training frames.
        baseline
            Whether the model has a baseline.
        n_systems
            Number of systems of the frames: one model of several needs as many passes over the frames of each
            as a model of one.
        """
        epochs, rate = self.epochs, self.learning_rate
        n_trainings = min(n_systems, MOST_STEPS // STEPS_WITH_BASELINE) if baseline and epochs is None else 1
        if epochs is None and baseline:
            epochs = epochs_of(n_trainings * STEPS_WITH_BASELINE, n_frames, self.batch_size)
        elif epochs is None:
            epochs = min(DEFAULT_EPOCHS, epochs_of(MOST_STEPS, n_frames, self.batch_size))
        if rate is None:  # gradients scatter more where a batch has fewer frames of each system
            rate = DEFAULT_RATE / sqrt(n_trainings)
        return self.model_copy(update={"epochs": epochs, "learning_rate": rate})


def epochs_of(n_steps: int, n_frames: int, batch_size: int) -> int:
    """Return the number of epochs, 100 to 1000, that have at least so many steps.

    Parameters
    ----------
    n_steps
        Number of steps.
    n_frames
        Number of training frames.
    batch_size
        Frames per step.
    """
    steps_per_epoch = -(-n_frames // batch_size)
    return min(max(-(-n_steps // steps_per_epoch), MIN_EPOCHS), MAX_EPOCHS)
