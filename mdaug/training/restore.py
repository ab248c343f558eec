"""The model of a checkpoint, without its training."""

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from mdaug.errors import DataError
from mdaug.models import SchNet, SchNetOptions
from mdaug.models.pair_prior import PairPrior
from mdaug.training.checkpoint import load_checkpoint
from mdaug.training.flat_parameters import FlatParameters


def restore_model(checkpoint: Path, options: SchNetOptions, atomic_numbers: Sequence[int]) -> SchNet:
    """Return the best averaged weights so far, in evaluation mode.

    Parameters
    ----------
    options, atomic_numbers
        Of the training that wrote the checkpoint; the elements ascending.

    Raises
    ------
    DataError
        If the file is no checkpoint, or of a model of other sizes or elements.
    """
    state = load_checkpoint(checkpoint)
    if not isinstance(state, dict) or not isinstance(state.get("best"), Tensor) or "model" not in state:
        raise DataError(f"{checkpoint}: lacks the weights of a training")
    prior = None if options.prior == "none" else PairPrior.blank(atomic_numbers, options.cutoff)
    zeros = [0.0] * len(atomic_numbers)
    try:
        model = SchNet(options, atomic_numbers, zeros, 1.0, prior).to(state["best"].dtype)
        model.load_state_dict(state["model"])
        FlatParameters(model).assign(state["best"])
    except (RuntimeError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{checkpoint}: not of the model in config.toml beside it") from error
    return model.eval()
