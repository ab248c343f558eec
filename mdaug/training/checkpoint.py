"""checkpoint.pt: written atomically, read without executing anything; the model of a checkpoint."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mdaug.archives import damaged_member, open_zip
from mdaug.errors import DataError
from mdaug.files import atomic_path
from mdaug.models import SchNet, SchNetOptions
from mdaug.models.pair_prior import PairPrior
from mdaug.pickles import check_pickle
from mdaug.training.step import FlatParameters

FORMAT = "mdaug checkpoint 1"


def save_checkpoint(path: Path, state: dict[str, Any], fingerprint: str) -> None:
    """Write a checkpoint atomically.

    Parameters
    ----------
    path
        The file.
    state
        Tensors and plain values.
    fingerprint
        Identifies the options and frames of the training.
    """
    with atomic_path(path) as temporary:
        torch.save({"format": FORMAT, "fingerprint": fingerprint, "state": state}, temporary)


def load_checkpoint(path: Path, fingerprint: str | None = None) -> dict[str, Any]:
    """Read a checkpoint; only tensors and plain values are unpickled.

    Parameters
    ----------
    path
        The file.
    fingerprint
        Expected fingerprint; None accepts any.

    Returns
    -------
    dict
        The `state` that was saved.

    Raises
    ------
    DataError
        The file is not a checkpoint of mdaug, or belongs to other options or frames.
    """
    try:
        with open_zip(path) as archive:
            for name in archive.namelist():
                if name.endswith(".pkl"):
                    check_pickle(archive.read(name))
        damaged = damaged_member(path)
        content = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a broken file makes zipfile and torch raise errors of many kinds
        reason = (str(error).splitlines() or ["it ends too early"])[0]
        raise DataError(
            f"{path} is not a readable checkpoint ({reason}); use another copy, or train again"
        ) from error
    if damaged is not None:
        raise DataError(f"{path} is damaged (wrong checksum of {damaged}); use another copy, or train again")
    if not isinstance(content, dict) or content.get("format") != FORMAT or "state" not in content:
        raise DataError(
            f"{path} is not a checkpoint of this version (expected format {FORMAT!r}); use the version of "
            "mdaug that wrote it, or train again"
        )
    if fingerprint is not None and content.get("fingerprint") != fingerprint:
        raise DataError(
            f"{path} was written with other options or frames; resume with the same ones and the same "
            "version of mdaug, or start anew with --overwrite"
        )
    return content["state"]


def restore_model(checkpoint: Path, options: SchNetOptions, atomic_numbers: Sequence[int]) -> SchNet:
    """Return the model of a checkpoint with its best EMA weights so far, in evaluation mode.

    Parameters
    ----------
    checkpoint
        The file.
    options
        Options of the model that was trained.
    atomic_numbers
        Elements of the model, ascending.

    Raises
    ------
    DataError
        The file is not a checkpoint, or belongs to a model of other sizes or elements.
    """
    state = load_checkpoint(checkpoint)
    if not isinstance(state, dict) or not isinstance(state.get("best"), Tensor) or "model" not in state:
        raise DataError(
            f"{checkpoint}: contains no weights of a training; expected one that `mdaug train` wrote"
        )
    prior = None if options.prior == "none" else PairPrior.blank(atomic_numbers, options.cutoff)
    zeros = [0.0] * len(atomic_numbers)
    try:
        n_atom_types = len(state["model"]["network.embedding.weight"]) - len(atomic_numbers)
        scales = state["model"].get("output_scales")
        model = SchNet(
            options,
            atomic_numbers,
            zeros,
            1.0,
            prior,
            n_atom_types=n_atom_types,
            output_scales=None if scales is None else scales.tolist(),
        )
        model = model.to(state["best"].dtype)
        model.load_state_dict(state["model"])
        FlatParameters(model).assign(state["best"])
    except (RuntimeError, TypeError, KeyError, AttributeError) as error:
        raise DataError(
            f"{checkpoint}: does not fit the model in config.toml beside it; use both of one run"
        ) from error
    return model.eval()
