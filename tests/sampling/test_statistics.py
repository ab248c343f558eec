"""Correlation times of series whose correlation is known."""

import numpy as np
import pytest

from mdaug.sampling.statistics import (
    autocorrelation,
    correlation_time,
    sampling_statistics,
    temperature_verdict,
)
from mdaug.units import BOLTZMANN_EV_K


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


@pytest.mark.parametrize(
    ("measured", "error", "n_samples", "verdict"),
    [
        (-963.0, 459.0, 200, "cannot tell"),  # both were printed as an agreement
        (4435.0, 2555.0, 200, "cannot tell"),
        (310.0, 8.0, 200, "ok"),
        (225.0, 8.0, 200, "ok"),  # 25 % off: a thermostat, or an expansion in the bonds' anharmonicity
        (300.0, 45.0, 200, "cannot tell"),  # the interval of 176 K is wider than half of 300 K
        (390.0, 35.0, 200, "cannot tell"),  # 30 % off, but by less than three standard errors
        (480.0, 40.0, 200, "warning"),
        (-300.0, 50.0, 200, "warning"),
        (3000.0, 500.0, 200, "warning"),  # imprecise, but certainly not 300 K
        (300.0, 1.0, 2, "ok"),
        (300.0, 8.0, 2, "cannot tell"),  # two samples: 95 % within 102 K
        (480.0, 10.0, 2, "cannot tell"),  # two samples may be close together by chance
        (480.0, 10.0, 200, "warning"),
    ],
)
def test_temperatures_agree_only_where_they_are_precise(measured, error, n_samples, verdict) -> None:
    found = temperature_verdict("virial temperature", measured, error, 300.0, n_samples=n_samples)
    assert found.verdict == verdict
    assert found.text.startswith(f"virial temperature {measured:.0f} ± {error:.0f} K ")
    assert (found.value, found.limit) == (measured, 300.0)


def test_temperatures_of_a_sampling_have_verdicts() -> None:
    rng = np.random.default_rng(0)
    kT = BOLTZMANN_EV_K * 300.0
    kinetic, virial = rng.gamma(9, 1.5 * kT / 2, 4000), rng.normal(6 * kT, 4 * kT, 4000)  # 1.5 times too hot
    steps = [np.stack([rng.normal(size=4000), kinetic, virial], axis=1)]
    statistics = sampling_statistics(steps, 3, periodic=False, timestep_fs=1.0, per_frame=10)
    names = [(verdict.name, verdict.verdict) for verdict in statistics.verdicts(300.0)]
    assert names == [("kinetic temperature", "warning"), ("virial temperature", "ok")]
