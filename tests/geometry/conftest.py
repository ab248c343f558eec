"""A molecule and a small deployed model."""

from pathlib import Path

import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.deployment import export_model


@pytest.fixture
def ethanol() -> Atoms:
    """ASE's ethanol: C0 (methyl), C1, O2, H3 (hydroxyl), H4 H5 on C1, H6 H7 H8 on C0."""
    return molecule("CH3CH2OH")


@pytest.fixture
def model_path(make_model, tmp_path) -> Path:
    """Return a model.pt of H, C and O with a cutoff of 4 Å, run in float64."""
    return export_model(make_model(), tmp_path / "model.pt", training={"data": "none"})
