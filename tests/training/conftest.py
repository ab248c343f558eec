"""A toy: three atoms on springs, whose energies and forces are known."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mdaug.frames import FrameSet
from mdaug.models import SchNetOptions
from mdaug.training import TrainOptions

REST = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def make_frames() -> Callable[..., FrameSet]:
    """Make frames of water with E = Σ ½ k (d − d₀)² + offset (eV) and its exact forces."""

    def make(n: int = 24, seed: int = 0, offset: float = 0.0) -> FrameSet:
        positions = REST + 0.08 * np.random.default_rng(seed).standard_normal((n, 3, 3))
        energies, forces = np.zeros(n), np.zeros((n, 3, 3))
        for i, j, k in ((0, 1, 30.0), (0, 2, 30.0), (1, 2, 5.0)):
            vectors = positions[:, j] - positions[:, i]
            d = np.linalg.norm(vectors, axis=1)
            stretch = d - np.linalg.norm(REST[j] - REST[i])
            energies += 0.5 * k * stretch**2
            pull = (k * stretch / d)[:, None] * vectors
            forces[:, i] += pull
            forces[:, j] -= pull
        return FrameSet(np.array([8, 1, 1]), positions, energies + offset, forces, name="toy water")

    return make


@pytest.fixture
def model_options() -> SchNetOptions:
    """Return a network of some hundred weights."""
    return SchNetOptions(
        n_atom_basis=16,
        n_filters=16,
        n_gaussians=10,
        n_interactions=2,
        cutoff=3.0,
        n_knots=64,
        prior="none",
    )


@pytest.fixture
def make_options() -> Callable[..., TrainOptions]:
    """Make options of a short training in float64."""
    return lambda **changed: TrainOptions(**({"epochs": 6, "batch_size": 8, "dtype": "float64"} | changed))
