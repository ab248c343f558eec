"""Training: steps as `mdaug train` takes them, beside the products of a step."""

from functools import partial

import torch

from mdaug.bench.lower_bounds import bare_products, filter_products, training_products
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Case, local_case, repeated
from mdaug.frames import FrameSet
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions
from mdaug.training.loop import Trainer

RATIOS = (
    ("training", "products"),
    ("schnetpack_step", "training"),
    ("schnetpack_flushed", "training"),
    ("schnetpack_loader", "training"),
)


def training_cases(sizes: SchNetOptions, frames: FrameSet, options: BenchOptions) -> list[Case]:
    """Return epochs on `frames`, and the products of a step, for each number of threads.

    Batches are put together from the frames in every epoch, as in `mdaug train`; validation and checkpoints
    are not in it.
    """
    device, size = torch.device(options.device), options.batch_size
    trainer = make_trainer(sizes, frames, options)
    products = training_products(sizes, size * frames.n_atoms)
    filters = [p for p in filter_products(sizes) for _ in range(3)]
    lower_bound = bare_products(products, getattr(torch, options.dtype), device)
    of_filters = bare_products(filters, getattr(torch, options.dtype), device)
    cases = []
    for threads in options.threads:
        here = partial(local_case, threads=threads, device=device)
        cases += [
            here("products", f"bare products of a step of {size}", repeated(lower_bound), items=size),
            here("filter_products", "of these, filter networks", repeated(of_filters), items=size),
            here("training", "training", repeated(trainer.train_epoch), items=len(frames)),
        ]
    return cases


def make_trainer(sizes: SchNetOptions, frames: FrameSet, options: BenchOptions) -> Trainer:
    """Return a training with the recommended settings, with the batch size of the measurement."""
    training = TrainOptions(batch_size=options.batch_size, dtype=options.dtype)
    return Trainer(frames, frames.select(slice(0, 2)), sizes, training, torch.device(options.device))
