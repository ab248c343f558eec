"""Evaluators of a model.pt: the C++ core where it is available, TorchScript elsewhere; both give the same."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from mdaug.calculators.core import Core, CoreUnavailableError
from mdaug.deployment import load_model
from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.options import Precision

EvaluatorName = Literal["auto", "core", "torchscript"]
Evaluate = Callable[[IntArray, FloatArray, tuple[Tensor, Tensor, Tensor]], dict[str, FloatArray]]
"""Takes species, positions, pairs (idx_i, idx_j, shifts); returns what `DeployedModel.evaluate` returns."""


def make_evaluator(
    model: str | Path, dtype: Precision | None, device: str, threads: int, evaluator: EvaluatorName
) -> tuple[Evaluate, Literal["core", "torchscript"]]:
    """Return the function that evaluates `model`, and the name of the evaluator.

    Parameters
    ----------
    model, dtype, device, threads, evaluator
        As for `MDAugCalculator`.

    Raises
    ------
    DataError
        `evaluator` is ``core`` and the core is not available; `load_model` refuses the file.
    """
    if evaluator != "torchscript":
        try:
            return _with_core(make_core(model, dtype, device, threads)), "core"
        except CoreUnavailableError as error:
            if evaluator == "core":
                raise DataError(f"{model}: the C++ core cannot evaluate it ({error})") from error
            evaluate = _with_torchscript(model, dtype, device, threads)  # raises if the file itself is wrong
            if device == "cpu":
                warnings.warn(f"using TorchScript, slower than the C++ core: {error}", stacklevel=3)
            return evaluate, "torchscript"
    return _with_torchscript(model, dtype, device, threads), "torchscript"


def make_core(model: str | Path, dtype: Precision | None, device: str, threads: int) -> Core:
    """Return the C++ core with `model` loaded.

    Parameters
    ----------
    model, dtype, device, threads
        As for `MDAugCalculator`.

    Raises
    ------
    CoreUnavailableError
        The device is not the CPU, there is no core on this machine, or it cannot evaluate this model.
    """
    if device != "cpu":
        raise CoreUnavailableError(f"it runs on the CPU, not on {device}")
    return Core(model, dtype, threads or torch.get_num_threads())


def _with_core(core: Core) -> Evaluate:
    def evaluate(
        species: IntArray, positions: FloatArray, pairs: tuple[Tensor, Tensor, Tensor]
    ) -> dict[str, FloatArray]:
        idx_i, idx_j, shifts = (tensor.numpy() for tensor in pairs)
        return core.evaluate(species, positions, idx_i, idx_j, shifts)

    return evaluate


def _with_torchscript(model: str | Path, dtype: Precision | None, device: str, threads: int) -> Evaluate:
    if threads > 0:
        torch.set_num_threads(threads)
    script = load_model(model, dtype, device)

    def evaluate(
        species: IntArray, positions: FloatArray, pairs: tuple[Tensor, Tensor, Tensor]
    ) -> dict[str, FloatArray]:
        with torch.inference_mode():
            arrays = (torch.from_numpy(values).to(device) for values in (species, positions))
            return {name: tensor.cpu().numpy() for name, tensor in script.evaluate(*arrays, *pairs).items()}

    return evaluate
