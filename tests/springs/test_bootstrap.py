"""Intervals come from resampled frames."""

import numpy as np
import pytest

from mdaug.springs.bootstrap import bootstrap_mixtures
from mdaug.springs.likelihood import Mixture


def one(distances):
    return Mixture(np.array([distances.mean()]), np.array([distances.std()]), np.ones(1))


def test_spread_of_independent_distances_is_the_standard_error():
    distances = np.random.default_rng(0).normal(1.5, 0.1, 1000)
    resampled = bootstrap_mixtures(distances, np.arange(1000), one(distances), 400, 0)
    assert resampled.means.std() == pytest.approx(0.1 / np.sqrt(1000), rel=0.15)
    assert resampled.sigmas.std() == pytest.approx(0.1 / np.sqrt(2000), rel=0.15)


def test_frames_are_drawn_not_pairs():
    # ten equal distances in every frame are no more information than one
    distances = np.repeat(np.random.default_rng(0).normal(1.5, 0.1, 100), 10)
    resampled = bootstrap_mixtures(distances, np.repeat(np.arange(100), 10), one(distances), 400, 0)
    assert resampled.means.std() == pytest.approx(0.1 / np.sqrt(100), rel=0.2)


def test_same_seed_same_intervals():
    distances = np.random.default_rng(0).normal(1.5, 0.1, 50)
    first, second = (bootstrap_mixtures(distances, np.arange(50), one(distances), 5, 7) for _ in range(2))
    np.testing.assert_array_equal(first.sigmas, second.sigmas)
