"""What can be chosen about the training."""

from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.options import PAPER_SETTINGS, Count, Options, Positive, Precision, Seed

Share = Annotated[float, Field(ge=0, lt=1)]
NotNegative = Annotated[float, Field(ge=0, le=1e9)]


class TrainOptions(Options):
    """Optimisation of the network."""

    epochs: Positive = 800
    """Passes over the training frames."""

    batch_size: Positive = 20
    """Frames a step."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Highest learning rate."""

    optimizer: Annotated[Literal["adam", "adamw"], Parameter(group=PAPER_SETTINGS)] = "adam"
    """Adam, or AdamW with weight_decay."""

    weight_decay: Annotated[NotNegative, Parameter(group=PAPER_SETTINGS)] = 0.0
    """Decoupled weight decay (AdamW only)."""

    schedule: Literal["cosine", "plateau", "constant"] = "cosine"
    """How the learning rate falls: half a cosine to zero, by plateaus of the validation error, or not."""

    warmup_epochs: NotNegative = 1.0
    """Epochs over which the learning rate rises from zero."""

    plateau_patience: Count = 50
    """Epochs without a better validation error before the learning rate is multiplied by plateau_factor."""

    plateau_factor: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Factor on the learning rate at a plateau."""

    energy_weight: NotNegative = 0.01
    """Weight of the squared energy errors (a frame) in the loss."""

    force_weight: NotNegative = 1.0
    """Weight of the squared force errors (a component) in the loss, energies and forces in the same unit."""

    loss: Annotated[Literal["mse", "huber"], Parameter(group=PAPER_SETTINGS)] = "mse"
    """Squared errors, or Huber's: linear beyond huber_delta."""

    huber_delta: Annotated[float, Field(gt=0), Parameter(group=PAPER_SETTINGS)] = 0.02
    """Where Huber's loss turns linear, in units of `scale`."""

    ema_decay: Share = 0.999
    """Decay a step of the averaged weights that are validated and kept; 0 keeps the last weights."""

    clip_norm: NotNegative = 10.0
    """Longest gradient that is not shortened; 0 never shortens."""

    early_stopping: Count = 0
    """Stop after so many epochs without a better validation error; 0 never stops early."""

    reference: Annotated[Literal["mean", "element"], Parameter(group=PAPER_SETTINGS)] = "mean"
    """Energies taken off before training: one mean an atom, or least squares an element."""

    scale: Literal["forces", "kcal/mol", "eV"] = "forces"
    """Unit of the network's output: the rms force of all frames that are trained on (copies too, less the
    prior's) times 1 Å, or a fixed one."""

    dtype: Precision = "float32"
    """Precision of training."""

    threads: Annotated[int, Field(ge=0, le=1024)] = 1
    """CPU threads; 0 takes all. Batches of small molecules gain little from a second one."""

    seed: Seed = 0
    """Seed of weights, batches and dropout."""
