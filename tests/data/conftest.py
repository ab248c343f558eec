"""Frames for the tests of this room."""

from pathlib import Path

import numpy as np
import pytest

from mdaug.data import load_frames
from mdaug.frames import FrameSet


@pytest.fixture(scope="session")
def ethanol() -> FrameSet:
    """The embedded frames."""
    return load_frames("ethanol")


@pytest.fixture(scope="session")
def chain() -> FrameSet:
    """Twenty frames of a periodic chain of argon atoms: small, with a cell and stresses."""
    rng = np.random.default_rng(3)
    n_frames, n_atoms = 20, 4
    positions = np.array([[3.5 * i, 0, 0] for i in range(n_atoms)]) + rng.normal(
        0, 0.1, (n_frames, n_atoms, 3)
    )
    stresses = rng.normal(0, 0.01, (n_frames, 3, 3))
    return FrameSet(
        atomic_numbers=np.full(n_atoms, 18),
        positions=positions,
        energies=rng.normal(-4.0, 0.01, n_frames),
        forces=rng.normal(0, 0.05, (n_frames, n_atoms, 3)),
        cells=np.repeat(np.diag([14.0, 9.0, 10.0])[None], n_frames, axis=0),
        pbc=(True, True, True),
        stresses=(stresses + stresses.transpose(0, 2, 1)) / 2,
        name="chain",
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, so that no test sees the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MDAUG_CACHE", str(folder))
    return folder
