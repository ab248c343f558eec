"""Molecules with one or two vibrations, whose energies vary more than those of many, raise no alarm."""

from dataclasses import replace

import numpy as np

from mdaug.data.verification.outliers import outlier_verdicts
from mdaug.data.verification.temperature import temperature_verdicts
from mdaug.frames import FrameSet
from mdaug.units import BOLTZMANN_EV_K

STIFFNESS, LENGTH, TEMPERATURE_K = 60.0, 0.93, 300.0


def diatomic(n_frames: int, seed: int) -> FrameSet:
    """Independent frames of a harmonic HF in equilibrium, turned at random."""
    rng = np.random.default_rng(seed)
    stretch = rng.normal(scale=np.sqrt(BOLTZMANN_EV_K * TEMPERATURE_K / STIFFNESS), size=n_frames)
    axis = rng.normal(size=(n_frames, 3))
    axis /= np.linalg.norm(axis, axis=1)[:, None]
    half = axis * (LENGTH + stretch)[:, None] / 2
    pull = STIFFNESS * stretch[:, None] * axis
    positions, forces = np.stack([-half, half], axis=1), np.stack([pull, -pull], axis=1)
    energies = 0.5 * STIFFNESS * stretch**2
    return FrameSet(np.array([9, 1]), positions, energies, forces, temperature_K=TEMPERATURE_K)


def test_the_long_tail_of_one_vibration_is_no_outlier() -> None:
    found = [v for seed in range(10) for v in outlier_verdicts(diatomic(1000, seed)) if v.frames]
    assert not found


def test_an_energy_beyond_the_tail_is_one() -> None:
    frames = diatomic(1000, 0)
    energies = frames.energies.copy()
    energies[7] += 25 * BOLTZMANN_EV_K * TEMPERATURE_K
    energy, *_ = outlier_verdicts(replace(frames, energies=energies))
    assert energy.frames == (7,)


def test_few_frames_of_one_vibration_do_not_decide_on_the_temperature() -> None:
    told = [temperature_verdicts(diatomic(20, seed))[0].verdict for seed in range(100)]
    assert told.count("warning") <= 1


def test_a_temperature_far_from_the_stated_one_is_told() -> None:
    for factor in (0.2, 5.0):
        frames = replace(diatomic(1000, 0), temperature_K=factor * TEMPERATURE_K)
        assert temperature_verdicts(frames)[0].verdict == "warning"
