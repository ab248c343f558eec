"""Water frames and springs made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.frames import FrameSet
from mdaug.springs import PairSprings, Springs
from mdaug.units import BOLTZMANN_EV_K

N_FRAMES = 60
TEMPERATURE_K = 400.0


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    water = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = water + 0.05 * rng.standard_normal((N_FRAMES, 3, 3))
    forces = rng.standard_normal((N_FRAMES, 3, 3))
    return FrameSet(
        np.array([8, 1, 1]),
        positions,
        rng.standard_normal(N_FRAMES),
        forces - forces.mean(axis=1, keepdims=True),
        temperature_K=TEMPERATURE_K,
        group=np.arange(N_FRAMES) // 2,
        name="water",
    )


@pytest.fixture
def vibrating(frames):
    """The frames with the energies and forces of springs between the atoms."""
    energies, forces = np.zeros(len(frames)), np.zeros_like(frames.forces)
    for i, j, length, k in ((0, 1, 0.96, 30.0), (0, 2, 0.96, 30.0), (1, 2, 1.52, 8.0)):
        vector = frames.positions[:, j] - frames.positions[:, i]
        d = np.linalg.norm(vector, axis=-1, keepdims=True)
        pull = k * (d - length) * vector / d
        energies += 0.5 * k * (d[:, 0] - length) ** 2
        forces[:, i] += pull
        forces[:, j] -= pull
    return replace(frames, energies=energies, forces=forces)


@pytest.fixture
def crystal():
    """Silicon on a simple cubic grid, each atom bonded to six, through all faces of the cell."""
    rng = np.random.default_rng(0)
    grid = 2.35 * np.stack(np.meshgrid(*3 * [np.arange(4)], indexing="ij"), axis=-1).reshape(-1, 3)
    n_frames, forces = 8, rng.standard_normal((8, 64, 3))
    return FrameSet(
        np.full(64, 14),
        grid + 0.05 * rng.standard_normal((n_frames, 64, 3)),
        rng.standard_normal(n_frames),
        forces - forces.mean(axis=1, keepdims=True),
        cells=np.tile(9.4 * np.eye(3), (n_frames, 1, 1)),
        pbc=(True,) * 3,
        temperature_K=TEMPERATURE_K,
        name="silicon",
    )


@pytest.fixture
def crystal_springs():
    k = np.array([10.0])
    sigma = np.sqrt(BOLTZMANN_EV_K * TEMPERATURE_K / k)
    return Springs(TEMPERATURE_K, {"Si-Si": PairSprings(np.array([2.4]), k, np.array([1.0]), sigma)})


@pytest.fixture
def springs():
    def pair(distance, k, weight):
        k = np.array(k)
        sigma = np.sqrt(BOLTZMANN_EV_K * TEMPERATURE_K / k)
        return PairSprings(np.array(distance), k, np.array(weight), sigma)

    return Springs(
        TEMPERATURE_K,
        {"H-O": pair([0.95, 1.02], [30.0, 20.0], [0.6, 0.4]), "H-H": pair([1.52], [5.0], [1.0])},
    )
