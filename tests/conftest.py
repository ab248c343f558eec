"""Fixtures shared by all rooms."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from mdaug.model import SchNet


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the checkout."""
    return Path(__file__).parents[1].parent / "shared" / "data"


@pytest.fixture
def make_model() -> Callable[..., "SchNet"]:
    """Make a small SchNet of H, C and O with random weights, float64; options may be overridden."""
    import torch

    from mdaug.model import SchNet, SchNetOptions

    torch.set_num_threads(1)
    small: dict[str, Any] = {
        "n_atom_basis": 12,
        "n_filters": 16,
        "n_gaussians": 8,
        "n_interactions": 2,
        "cutoff": 4.0,
        "n_knots": 64,
    }

    def make(seed: int = 0, **options: Any) -> SchNet:
        torch.manual_seed(seed)
        model = SchNet(SchNetOptions(**small | options), [1, 6, 8], [-13.0, -1030.0, -2040.0], 0.7).double()
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name.endswith("bias"):
                    parameter.uniform_(-0.5, 0.5)
        return model.eval()

    return make
