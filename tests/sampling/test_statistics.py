"""Correlation times of series whose correlation is known."""

import numpy as np
import pytest

from mdaug.sampling.statistics import autocorrelation, correlation_time


def test_white_noise_has_half_a_step() -> None:
    noise = np.random.default_rng(0).normal(size=20_000)
    assert correlation_time(autocorrelation(noise)) == pytest.approx(0.5, abs=0.05)


def test_an_autoregressive_series_has_its_closed_form() -> None:
    """x' = a x + noise has C(t) = aᵗ, so τ = ½ + a/(1 − a)."""
    rng, a = np.random.default_rng(1), 0.9
    series = np.empty(100_000)
    series[0] = 0.0
    for t, kick in enumerate(rng.normal(size=len(series) - 1)):
        series[t + 1] = a * series[t] + kick
    correlation = autocorrelation(series)
    assert correlation[:4] == pytest.approx(a ** np.arange(4), abs=0.02)
    assert correlation_time(correlation) == pytest.approx(0.5 + a / (1 - a), rel=0.1)


def test_a_constant_series_is_uncorrelated() -> None:
    assert correlation_time(autocorrelation(np.ones(10))) == 0.5
