"""A small deployed model."""

from pathlib import Path

import pytest

from mdaug.deployment import export_model


@pytest.fixture
def model_path(make_model, tmp_path) -> Path:
    """Return a model.pt of H, C and O with a cutoff of 4 Å, run in float64."""
    return export_model(make_model(), tmp_path / "model.pt", training={"data": "none"})
