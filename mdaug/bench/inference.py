"""Energies and forces of many molecules at once."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.lower_bounds import bare_products, evaluation_products
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, local_case, repeated
from mdaug.calculators.core import CoreUnavailableError
from mdaug.calculators.evaluators import make_core
from mdaug.deployment import load_model
from mdaug.geometry.pairs import molecule_pairs

RATIOS = (
    ("core", "products"),
    ("torchscript", "core"),
    ("schnetpack", "core"),
    ("schnetpack", "torchscript"),
)


def inference_cases(model: BenchmarkModel, options: BenchOptions) -> list[Case]:
    """Return the cases for each number of threads; without the core where it cannot serve."""
    n, device = options.inference, torch.device(options.device)
    products = evaluation_products(model.sizes, n * len(model.atoms))
    lower_bound = bare_products(products, getattr(torch, options.dtype), device)
    script = _script(model, options)
    cases = []
    for threads in options.threads:
        here = partial(local_case, items=n, threads=threads, device=device)
        cases.append(here("products", "bare products", repeated(lower_bound)))
        core = _core(model, options, threads)
        if core is not None:
            cases.append(here("core", "C++ core", repeated(core)))
        cases.append(here("torchscript", "TorchScript", repeated(script)))
    return cases


def _core(model: BenchmarkModel, options: BenchOptions, threads: int) -> Callable[[], object] | None:
    try:
        core = make_core(model.path, options.dtype, options.device, threads)
    except CoreUnavailableError:
        return None
    species, positions = model.species, model.rattled(options.inference)
    return lambda: core.evaluate_molecules(species, positions)


def _script(model: BenchmarkModel, options: BenchOptions) -> Callable[[], object]:
    n, n_atoms, device = options.inference, len(model.atoms), torch.device(options.device)
    script = load_model(model.path, options.dtype, options.device)
    idx_i, idx_j = molecule_pairs(n_atoms)
    first_atom = np.repeat(np.arange(n) * n_atoms, len(idx_i))
    arrays = (
        np.tile(model.species, n),
        model.rattled(n).reshape(-1, 3),
        np.tile(idx_i, n) + first_atom,
        np.tile(idx_j, n) + first_atom,
        np.zeros((n * len(idx_i), 3)),
    )
    tensors = [torch.from_numpy(np.ascontiguousarray(values)).to(device) for values in arrays]

    def evaluate() -> None:
        with torch.inference_mode():
            script.evaluate(*tensors)["forces"].cpu()

    return evaluate
