"""Energies and forces of many molecules at once."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from mdaug.bench.benchmark_model import Subject
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


def inference_cases(subject: Subject, options: BenchOptions) -> list[Case]:
    """Return the cases for each number of threads; without the core where it cannot serve."""
    n, device = options.inference, torch.device(options.device)
    products = evaluation_products(subject.sizes, n * len(subject.atoms))
    floor = bare_products(products, getattr(torch, options.dtype), device)
    script = _script(subject, options)
    cases = []
    for threads in options.threads:
        here = partial(local_case, items=n, threads=threads, device=device)
        cases.append(here("products", "bare products", repeated(floor)))
        core = _core(subject, options, threads)
        if core is not None:
            cases.append(here("core", "C++ core", repeated(core)))
        cases.append(here("torchscript", "TorchScript", repeated(script)))
    return cases


def _core(subject: Subject, options: BenchOptions, threads: int) -> Callable[[], object] | None:
    try:
        core = make_core(subject.path, options.dtype, options.device, threads)
    except CoreUnavailableError:
        return None
    species, positions = subject.species, subject.shaken(options.inference)
    return lambda: core.evaluate_molecules(species, positions)


def _script(subject: Subject, options: BenchOptions) -> Callable[[], object]:
    n, n_atoms, device = options.inference, len(subject.atoms), torch.device(options.device)
    script = load_model(subject.path, options.dtype, options.device)
    idx_i, idx_j = molecule_pairs(n_atoms)
    first_atom = np.repeat(np.arange(n) * n_atoms, len(idx_i))
    arrays = (
        np.tile(subject.species, n),
        subject.shaken(n).reshape(-1, 3),
        np.tile(idx_i, n) + first_atom,
        np.tile(idx_j, n) + first_atom,
        np.zeros((n * len(idx_i), 3)),
    )
    tensors = [torch.from_numpy(np.ascontiguousarray(values)).to(device) for values in arrays]

    def evaluate() -> None:
        with torch.inference_mode():
            script.evaluate(*tensors)["forces"].cpu()

    return evaluate
