"""Which engine evaluates a model.pt: the C++ core where it can, TorchScript elsewhere; the same function."""

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

Engine = Literal["auto", "core", "torchscript"]
Evaluator = Callable[[IntArray, FloatArray, tuple[Tensor, Tensor, Tensor]], dict[str, FloatArray]]
"""From species, positions and pairs (idx_i, idx_j, shifts) to what `DeployedModel.evaluate` returns."""


def make_evaluator(
    model: str | Path, dtype: Precision | None, device: str, threads: int, engine: Engine
) -> tuple[Evaluator, Literal["core", "torchscript"]]:
    """Return what evaluates `model`, and its name; parameters as for `MDAugCalculator`.

    Raises
    ------
    DataError
        The core is asked for by name and is not to be had; `load_model` refuses the file.
    """
    if engine != "torchscript":
        try:
            return _with_core(make_core(model, dtype, device, threads)), "core"
        except CoreUnavailableError as error:
            if engine == "core":
                raise DataError(f"{model}: the C++ core cannot evaluate it ({error})") from error
            instead = _with_torchscript(model, dtype, device, threads)  # refuses what is wrong with the file
            if device == "cpu":
                warnings.warn(f"using TorchScript, slower than the C++ core: {error}", stacklevel=3)
            return instead, "torchscript"
    return _with_torchscript(model, dtype, device, threads), "torchscript"


def make_core(model: str | Path, dtype: Precision | None, device: str, threads: int) -> Core:
    """Return the core for `model`; CoreUnavailableError where it cannot serve."""
    if device != "cpu":
        raise CoreUnavailableError(f"it runs on the CPU, not on {device}")
    return Core(model, dtype, threads or torch.get_num_threads())


def _with_core(core: Core) -> Evaluator:
    def evaluate(
        species: IntArray, positions: FloatArray, pairs: tuple[Tensor, Tensor, Tensor]
    ) -> dict[str, FloatArray]:
        idx_i, idx_j, shifts = (tensor.numpy() for tensor in pairs)
        return core.evaluate(species, positions, idx_i, idx_j, shifts)

    return evaluate


def _with_torchscript(model: str | Path, dtype: Precision | None, device: str, threads: int) -> Evaluator:
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
