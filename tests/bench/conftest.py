"""The smallest measurement that has every part in it."""

from typing import Any

import pytest

from mdaug.bench import BenchOptions


@pytest.fixture
def tiny() -> dict[str, Any]:
    """Options of a bench that takes a second or two."""
    return {
        "width": 16,
        "interactions": 2,
        "gaussians": 8,
        "knots": 32,
        "rounds": 1,
        "block": 1e-3,
        "frames": 4,
        "batch_size": 2,
        "inference": 3,
        "replicas": 2,
        "bulk_atoms": (60,),
    }


@pytest.fixture
def options(tiny) -> BenchOptions:
    return BenchOptions(**tiny)


@pytest.fixture(autouse=True)
def no_time_lost(monkeypatch):
    """No warming up and small arrays: nothing that is measured here is looked at."""
    monkeypatch.setattr("mdaug.bench.timing.WARM_UP_CALLS", 1)
    monkeypatch.setattr("mdaug.bench.bulk.SWEEP_BYTES", 4096)
