"""Water frames and springs made by hand."""

import numpy as np
import pytest

from mdaug.frames.frame_set import FrameSet
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
def springs():
    def pair(distance, k, weight):
        k = np.array(k)
        sigma = np.sqrt(BOLTZMANN_EV_K * TEMPERATURE_K / k)
        return PairSprings(np.array(distance), k, np.array(weight), sigma)

    return Springs(
        TEMPERATURE_K,
        {"H-O": pair([0.95, 1.02], [30.0, 20.0], [0.6, 0.4]), "H-H": pair([1.52], [5.0], [1.0])},
    )
