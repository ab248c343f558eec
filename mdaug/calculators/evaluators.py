"""Evaluators of a model.pt: the C++ core where it is available, TorchScript elsewhere; both give the same."""

import operator
import os
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from ase import Atoms
from torch import Tensor

from mdaug.calculators.core import Core
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.calculators.molecules import MoleculeFinder, Molecules, n_atom_types
from mdaug.deployment import load_model, read_manifest
from mdaug.errors import DataError, SettingsError
from mdaug.frames import FloatArray, IntArray
from mdaug.options import PRECISIONS, Precision

EvaluatorName = Literal["auto", "core", "torchscript"]
PairTensors = tuple[Tensor, Tensor, Tensor]
Evaluate = Callable[[IntArray, FloatArray, PairTensors, Molecules | None], dict[str, FloatArray]]
"""Takes species, positions, pairs (idx_i, idx_j, shifts) and, for a model with a baseline, the molecules;
returns what `DeployedModel.evaluate` returns, and ``extrapolation`` (n_atoms,) if the model has it."""


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
    "network": (lambda value: operator.index(value) >= 0, "a whole number, at least 0"),
}
"""Arguments of `MDAugCalculator`: the check of each value, and a description of valid values."""


def make_evaluator(
    model: str | Path,
    dtype: Precision | None,
    device: str,
    threads: int,
    evaluator: EvaluatorName,
    *,
    network: int = 0,
) -> tuple[Evaluate, Literal["core", "torchscript"]]:
    """Return the function that evaluates `model`, and the name of the evaluator.

    Parameters
    ----------
    model, dtype, device, threads, evaluator, network
        As for `MDAugCalculator`.

    Raises
    ------
    DataError
        `evaluator` is ``core`` and the core is not available; `load_model` refuses the file.
    """
    script = partial(_with_torchscript, model, dtype, device, threads, network)
    if evaluator != "torchscript":
        try:
            return _with_core(make_core(model, dtype, device, threads, network)), "core"
        except CoreUnavailableError as error:
            if evaluator == "core":
                raise DataError(f"{model}: the C++ core cannot evaluate it ({error})") from error
            evaluate = script()  # raises if the file itself is wrong
            if device == "cpu":
                warnings.warn(f"using TorchScript, slower than the C++ core: {error}", stacklevel=3)
            return evaluate, "torchscript"
    return script(), "torchscript"


def make_core(
    model: str | Path, dtype: Precision | None, device: str, threads: int, network: int = 0
) -> Core:
    """Return the C++ core with `model` loaded.

    Parameters
    ----------
    model, dtype, device, threads, network
        As for `MDAugCalculator`.

    Raises
    ------
    CoreUnavailableError
        The device is not the CPU, there is no core on this machine, or it cannot evaluate this model.
    """
    if device != "cpu":
        raise CoreUnavailableError(f"it runs on the CPU, not on {device}")
    return Core(model, dtype, threads or torch.get_num_threads(), network)


def make_finder(manifest: Mapping[str, Any]) -> MoleculeFinder | None:
    """Return what finds the molecules of structures; None for a model without baseline.

    Parameters
    ----------
    manifest
        Of the model.
    """
    return MoleculeFinder(manifest) if manifest.get("baseline") else None


def find_molecules(manifest: Mapping[str, Any], atoms: Atoms) -> Molecules | None:
    """Return the molecules of one structure; None for a model without baseline.

    Parameters
    ----------
    manifest
        Of the model.
    atoms
        The structure.

    Raises
    ------
    StructureError
        It is not made of molecules of the model.
    """
    finder = make_finder(manifest)
    return None if finder is None else finder.find(atoms)


def set_molecules(core: Core, molecules: Molecules | None) -> None:
    """Assign the molecules of the next evaluations to a core; None changes nothing.

    Parameters
    ----------
    core
        The core.
    molecules
        Of the structure that will be evaluated.
    """
    if molecules is None:
        return
    templates = np.repeat(np.arange(len(molecules.atoms)), [len(atoms) for atoms in molecules.atoms])
    atoms = np.concatenate([part.ravel() for part in molecules.atoms])
    core.set_molecules(templates, atoms, molecules.offsets)


def lone_atom_energies(evaluate: Evaluate, manifest: Mapping[str, Any], device: torch.device) -> FloatArray:
    """Return the energies (n_species,), eV, of single atoms of each element and atom type, without baseline.

    Parameters
    ----------
    evaluate
        Function that evaluates a model.
    manifest
        Manifest of the model.
    device
        Device of the model.
    """
    index = torch.empty(0, dtype=torch.int64, device=device)
    none = index, index, torch.empty((0, 3), dtype=torch.float64, device=device)
    kinds = manifest.get("baseline") or []
    n_species = len(manifest["elements"]) + n_atom_types(kinds)
    no_molecules = tuple(np.empty((0, len(kind["atomic_numbers"])), dtype=np.int64) for kind in kinds)
    molecules = Molecules(no_molecules) if kinds else None
    return evaluate(np.arange(n_species), np.zeros((n_species, 3)), none, molecules)["atomic_energies"]


def _with_core(core: Core) -> Evaluate:
    assigned: Molecules | None = None
    if core.has_extrapolation:
        core.compute_extrapolation()

    def evaluate(
        species: IntArray, positions: FloatArray, pairs: PairTensors, molecules: Molecules | None
    ) -> dict[str, FloatArray]:
        nonlocal assigned
        if molecules is not assigned:
            set_molecules(core, molecules)
            assigned = molecules
        idx_i, idx_j, shifts = (tensor.numpy() for tensor in pairs)
        values = core.evaluate(species, positions, idx_i, idx_j, shifts)
        extrapolation = core.extrapolation(len(species))
        return values if extrapolation is None else values | {"extrapolation": extrapolation}

    return evaluate


def _with_torchscript(
    model: str | Path, dtype: Precision | None, device: str, threads: int, network: int
) -> Evaluate:
    if threads > 0:
        torch.set_num_threads(threads)
    script = load_model(model, dtype, device, network)
    with_extrapolation = "extrapolation" in read_manifest(model, network)

    def on_device(values: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(values)).to(device)

    def evaluate(
        species: IntArray, positions: FloatArray, pairs: PairTensors, molecules: Molecules | None
    ) -> dict[str, FloatArray]:
        with torch.inference_mode():
            given = on_device(species), on_device(positions), *pairs
            if molecules is None:
                out = script.evaluate(*given)
            else:
                atoms = [on_device(part) for part in molecules.atoms]
                offsets = None if molecules.offsets is None else on_device(molecules.offsets)
                out = script.evaluate_molecules(*given, atoms, offsets)
            if with_extrapolation and "extrapolation" not in out:  # a file of an earlier version
                out["extrapolation"] = script.extrapolation(*given)
            return {name: tensor.cpu().numpy() for name, tensor in out.items()}

    return evaluate
