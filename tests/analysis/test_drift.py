from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import lfilter

from mdaug.analysis.drift import TimestepScaling, energy_drift, timestep_scaling
from mdaug.analysis.thermo_log import ThermoLog
from mdaug.errors import DataError

pytestmark = pytest.mark.slow

SLOPE = 0.01  # meV/atom/ps
N_ATOMS = 9


def remembering_noise(n: int, memory: float, rng: np.random.Generator) -> np.ndarray:
    """AR(1): x_t = a x_{t−1} + …, correlation exp(−t/memory), unit variance."""
    a = np.exp(-1.0 / memory)
    return np.sqrt(1 - a**2) * lfilter([1.0], [1.0, -a], rng.standard_normal(n + 2000))[2000:]


def log(energy_meV_per_atom: np.ndarray, interval_ps: float = 0.005, **changes) -> ThermoLog:
    n = len(energy_meV_per_atom)
    content = {
        "time_ps": interval_ps * np.arange(n),
        "total_eV": -4000.0 + N_ATOMS * energy_meV_per_atom / 1000.0,
        "kinetic_eV": 0.3 + 0.05 * np.sin(np.arange(n)),
        "timestep_fs": 0.5,
        "n_atoms": N_ATOMS,
        "source": "made",
    }
    return ThermoLog(**(content | changes))


@pytest.mark.parametrize("memory", [0.01, 10.0, 100.0, 1000.0])
@pytest.mark.parametrize("walk", [0.0, 0.01, 0.1])
def test_the_intervals_hold_the_true_slope(memory: float, walk: float) -> None:
    """Noise without memory, or with 10 to 1000 rows of it in 16,000; a fast vibration on top; and energy
    that wanders as a random walk does, by `walk` of the noise in a row (then 91 to 94 % of them do)."""
    rng, n, trials = np.random.default_rng(7), 16_000, 200
    time, held = 0.005 * np.arange(n), 0
    for _ in range(trials):
        vibration = 3.0 * np.sin(2 * np.pi * time / 0.0093 + 6 * rng.random())
        noise = remembering_noise(n, memory, rng) + walk * np.cumsum(rng.standard_normal(n))
        low, high = energy_drift(log(noise + vibration + SLOPE * time)).slope_ci95_meV_per_atom_ps
        held += low <= SLOPE <= high
    assert held / trials >= (0.86 if walk else 0.92)


def test_the_interval_is_no_wider_than_the_noise_asks_for() -> None:
    """Of white noise about twice as wide as that of a line through all rows."""
    rng, n = np.random.default_rng(3), 16_000
    time, widths = 0.005 * np.arange(n), []
    for _ in range(20):
        low, high = energy_drift(log(rng.standard_normal(n))).slope_ci95_meV_per_atom_ps
        widths.append(high - low)
    assert np.median(widths) < 2.2 * 2 * 1.96 * np.sqrt(12 / n) / time[-1]


def test_a_run_whose_energy_wanders_says_so() -> None:
    rng = np.random.default_rng(0)
    assert not energy_drift(log(remembering_noise(2000, 300.0, rng))).blocks_long_enough
    assert energy_drift(log(remembering_noise(20_000, 5.0, rng))).blocks_long_enough


def test_numbers_of_a_known_run() -> None:
    n = 10_001
    time = 0.005 * np.arange(n)
    swing = 0.2 * np.sin(2 * np.pi * time / 0.013)
    result = energy_drift(log(swing + 0.5 * time))
    assert result.slope_meV_per_atom_ps == pytest.approx(0.5, rel=1e-3)
    assert result.rms_fluctuation_meV_per_atom == pytest.approx(0.2 / np.sqrt(2), rel=1e-2)
    assert result.duration_ps == pytest.approx(50.0)
    assert result.drift_ratio == pytest.approx(0.5 * 50 * N_ATOMS / 1000 / (0.05 / np.sqrt(2)), rel=1e-2)
    low, high = result.slope_ci95_meV_per_atom_ps
    assert high - low < 1e-3  # what swings does not drift


def test_exponent_of_the_time_step() -> None:
    rng = np.random.default_rng(0)
    results = [
        energy_drift(log(0.3 * timestep**2 * rng.standard_normal(4000), timestep_fs=timestep))
        for timestep in (0.25, 0.5, 1.0)
    ]
    scaling = timestep_scaling(results)
    assert scaling.exponent == pytest.approx(2.0, abs=0.05)
    assert scaling.prefactor == pytest.approx(0.3, rel=0.05)
    assert timestep_scaling(results[:1]) is None
    assert timestep_scaling([results[0], results[0]]) is None


def test_what_is_missing_is_said() -> None:
    with pytest.raises(DataError, match="--n-atoms"):
        energy_drift(log(np.zeros(100), n_atoms=None))
    with pytest.raises(DataError, match="31 rows; a drift needs at least 32"):
        energy_drift(log(np.zeros(31)))


def verdict_of(slope: float, low: float, high: float):
    result = energy_drift(log(np.random.default_rng(0).standard_normal(100)))
    changes = {"slope_meV_per_atom_ps": slope, "slope_ci95_meV_per_atom_ps": (low, high), "duration_ps": 1.0}
    return replace(result, **changes).verdict


@pytest.mark.parametrize(
    ("interval", "verdict", "text"),
    [
        ((-0.0004, 0.0009), "ok", "The energy is conserved"),
        ((0.0002, 0.0009), "ok", "The energy is conserved"),
        ((-0.5, 0.7), "cannot tell", "1 ps are too short to tell"),
        ((-0.0004, 0.0011), "cannot tell", "1 ps are too short to tell"),
        (
            (0.0004, 0.0030),
            "cannot tell",
            "There is a drift, but the run is too short to tell whether it is below the limit.",
        ),
        ((0.0011, 0.0500), "warning", "The energy drifts"),
        ((-0.0500, -0.0011), "warning", "The energy drifts"),
        ((0.011, 0.013), "error", "The energy drifts"),
    ],
)
def test_the_verdict_compares_the_interval_with_the_limit(interval, verdict: str, text: str) -> None:
    given = verdict_of(sum(interval) / 2, *interval)
    assert given.verdict == verdict
    assert text in given.text
    assert given.limit == 0.001
    assert given.text.count("the limit is 0.001.") == 1


def test_the_verdict_is_in_the_json() -> None:
    result = energy_drift(log(np.random.default_rng(0).standard_normal(100)))
    assert result.to_json()["verdicts"] == [result.verdict.to_json()]


@pytest.mark.parametrize(("exponent", "verdict"), [(2.1, "ok"), (1.6, "warning"), (0.0, "warning")])
def test_the_exponent_is_compared_with_that_of_verlet(exponent: float, verdict: str) -> None:
    assert TimestepScaling(exponent, 1.0, np.ones(2), np.ones(2)).verdict.verdict == verdict
