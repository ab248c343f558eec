"""Evaluators of a model.pt: the C++ core where it is available, TorchScript elsewhere; both give the same."""

import operator
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from mdaug.calculators.core import Core, CoreUnavailableError
from mdaug.deployment import load_model
from mdaug.errors import DataError, SettingsError
from mdaug.frames import FloatArray, IntArray
from mdaug.options import PRECISIONS, Precision

EvaluatorName = Literal["auto", "core", "torchscript"]
Evaluate = Callable[[IntArray, FloatArray, tuple[Tensor, Tensor, Tensor]], dict[str, FloatArray]]
"""Takes species, positions, pairs (idx_i, idx_j, shifts); returns what `DeployedModel.evaluate` returns."""


def check_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `MDAugCalculator`, the path of the model made absolute.

    Parameters
    ----------
    arguments
        All arguments by name.

    Raises
    ------
    SettingsError
        There is no such argument, or it cannot have this value.
    """
    unknown = sorted(set(arguments) - set(ARGUMENTS))
    if unknown:
        raise SettingsError(f"MDAugCalculator has no argument {unknown[0]}; expected {', '.join(ARGUMENTS)}")
    for name, (is_right, expected) in ARGUMENTS.items():
        try:
            right = is_right(arguments[name])
        except (TypeError, ValueError, RuntimeError):
            right = False
        if not right:
            raise SettingsError(f"{name} = {arguments[name]!r}: expected {expected}")
    return arguments | {"model": str(Path(arguments["model"]).absolute())}


ARGUMENTS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (lambda value: bool(os.fspath(value)), "the path of a model.pt"),
    "device": (lambda value: torch.device(value).type in ("cpu", "cuda"), "cpu or cuda"),
    "dtype": (lambda value: value is None or value in PRECISIONS, f"{' or '.join(PRECISIONS)}, or None"),
    "threads": (lambda value: operator.index(value) >= 0, "a whole number, at least 0"),
    "skin": (lambda value: 0 <= float(value) < float("inf"), "a number of at least 0, Å"),
    "evaluator": (lambda value: value in get_args(EvaluatorName), "auto, core or torchscript"),
    "reference": (lambda value: value in (True, False), "True or False"),
    "strict": (lambda value: value in (True, False, None), "True, False or None"),
}
"""Arguments of `MDAugCalculator`: the check of each value, and a description of valid values."""


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


def lone_atom_energies(evaluate: Evaluate, n_elements: int, device: torch.device) -> FloatArray:
    """Return the energies (n_elements,), eV, of single atoms of each element.

    Parameters
    ----------
    evaluate
        Function that evaluates a model.
    n_elements
        Number of elements of the model.
    device
        Device of the model.
    """
    index = torch.empty(0, dtype=torch.int64, device=device)
    none = index, index, torch.empty((0, 3), dtype=torch.float64, device=device)
    return evaluate(np.arange(n_elements), np.zeros((n_elements, 3)), none)["atomic_energies"]


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
