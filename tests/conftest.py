"""Fixtures shared by all rooms."""

import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mdaug.models import SchNet
    from mdaug.models.pair_prior import PairPrior


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    return Path(__file__).parents[1].parent / "shared" / "data"


def make_test_prior(atomic_numbers: list[int], cutoff: float) -> "PairPrior":
    """Return a prior with a function of its own for most pairs of elements."""
    from mdaug.models.pair_functions import wall, well
    from mdaug.models.pair_prior import make_prior

    functions = {
        (1, 1): partial(wall, height=0.3, at=1.4, cutoff=0.9 * cutoff),
        (1, 6): partial(well, r0=1.1, a=1.8, start=1.3, end=2.4),
        (1, 8): partial(well, r0=0.96, a=2.2, start=1.1, end=3.0),
        (6, 8): partial(well, r0=1.4, a=1.7, start=1.6, end=0.8 * cutoff),
        (14, 14): partial(well, r0=2.35, a=1.2, start=2.5, end=0.9 * cutoff),
    }
    return make_prior("pair", atomic_numbers, cutoff, functions, {(1, 8): {"r0_A": 0.96}})


@pytest.fixture
def make_model() -> Callable[..., "SchNet"]:
    """Make a small SchNet of H, C and O with random weights, float64; options may be overridden.

    With a prior of any name it gets wells and walls by hand.
    """
    import torch

    from mdaug.models import SchNet, SchNetOptions

    torch.set_num_threads(1)
    small: dict[str, Any] = {
        "n_atom_basis": 12,
        "n_filters": 16,
        "n_gaussians": 8,
        "n_interactions": 2,
        "cutoff": 4.0,
        "n_knots": 64,
        "trainable_gaussians": True,
        "prior": "none",
    }

    def make(seed: int = 0, **options: Any) -> SchNet:
        torch.manual_seed(seed)
        chosen = SchNetOptions(**small | options)
        prior = None if chosen.prior == "none" else make_test_prior([1, 6, 8], chosen.cutoff)
        model = SchNet(chosen, [1, 6, 8], [-13.0, -1030.0, -2040.0], 0.7, prior).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter.uniform_(-0.5, 0.5)
        return model.eval()

    return make


@pytest.fixture
def flip_a_weight() -> Callable[[Path, Path], Path]:
    """Copy a model.pt with one bit of its largest tensor turned over, and the sums of the zip made right."""

    def copy(model: Path, target: Path) -> Path:
        with zipfile.ZipFile(model) as source, zipfile.ZipFile(target, "w") as changed:
            tensors = [item for item in source.infolist() if "/data/" in item.filename]
            largest = max(tensors, key=lambda item: item.file_size)
            for item in source.infolist():
                content = bytearray(source.read(item))
                if item is largest:
                    content[len(content) // 2] ^= 1
                changed.writestr(item.filename, bytes(content))
        return target

    return copy
