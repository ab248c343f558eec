"""Cases of batches: training steps, and energies and forces of many molecules at once."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch

from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.lower_bounds import bare_products, evaluation_products, filter_products, training_products
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, local_case, repeated
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.deployment import load_model
from mdaug.frames import FrameSet
from mdaug.geometry.pairs import molecule_pairs
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions
from mdaug.training.loop import Trainer

TRAINING_RATIOS = (
    ("training", "products"),
    ("schnetpack_step", "training"),
    ("schnetpack_flushed", "training"),
    ("schnetpack_loader", "training"),
)
"""Pairs of cases whose times are divided, if both were measured."""

INFERENCE_RATIOS = (
    ("core", "products"),
    ("torchscript", "core"),
    ("schnetpack", "core"),
    ("schnetpack", "torchscript"),
)
"""Pairs of cases whose times are divided, for inference."""


def training_cases(sizes: SchNetOptions, frames: FrameSet, options: BenchOptions) -> list[Case]:
    """Return epochs of training, and the products of a step, for each number of threads.

    Each epoch assembles its batches from the frames, as in `mdaug train`; validation and checkpoints are not
    included.

    Parameters
    ----------
    sizes
        Sizes of the network.
    frames
        Training frames.
    options
        Batch size, threads, device, precision.
    """
    device, size = torch.device(options.device), options.batch_size
    trainer = make_trainer(sizes, frames, options)
    products = training_products(sizes, size * frames.n_atoms)
    filters = [p for p in filter_products(sizes) for _ in range(3)]
    lower_bound = bare_products(products, getattr(torch, options.dtype), device)
    filter_bound = bare_products(filters, getattr(torch, options.dtype), device)
    cases = []
    for threads in options.threads:
        make_case = partial(local_case, threads=threads, device=device)
        cases += [
            make_case("products", f"bare products of a step of {size}", repeated(lower_bound), items=size),
            make_case("filter_products", "filter networks among these", repeated(filter_bound), items=size),
            make_case("training", "training", repeated(trainer.train_epoch), items=len(frames)),
        ]
    return cases


def make_trainer(sizes: SchNetOptions, frames: FrameSet, options: BenchOptions) -> Trainer:
    """Return a training with the recommended settings and the batch size of the measurement.

    Parameters
    ----------
    sizes
        Sizes of the network.
    frames
        Training frames.
    options
        Batch size, precision, device.
    """
    training = TrainOptions(batch_size=options.batch_size, dtype=options.dtype)
    return Trainer(frames, frames.select(slice(0, 2)), sizes, training, torch.device(options.device))


def inference_cases(model: BenchmarkModel, options: BenchOptions) -> list[Case]:
    """Return the evaluation of many molecules for each number of threads, without the core if unavailable.

    Parameters
    ----------
    model
        The model.
    options
        Number of molecules, threads, device, precision.
    """
    n, device = options.inference, torch.device(options.device)
    products = evaluation_products(model.sizes, n * len(model.atoms))
    lower_bound = bare_products(products, getattr(torch, options.dtype), device)
    script = _script(model, options)
    cases = []
    for threads in options.threads:
        make_case = partial(local_case, items=n, threads=threads, device=device)
        cases.append(make_case("products", "bare products", repeated(lower_bound)))
        core = _core(model, options, threads)
        if core is not None:
            cases.append(make_case("core", "C++ core", repeated(core)))
        cases.append(make_case("torchscript", "TorchScript", repeated(script)))
    return cases


def _core(model: BenchmarkModel, options: BenchOptions, threads: int) -> Callable[[], object] | None:
    try:
        core = model.make_core(options.dtype, options.device, threads)
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
