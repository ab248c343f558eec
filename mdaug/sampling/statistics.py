"""Statistics of a sampling: autocorrelation times, kinetic and virial temperature."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdaug.frames import FloatArray
from mdaug.units import BOLTZMANN_EV_K


def autocorrelation(series: FloatArray) -> FloatArray:
    """Return the normalised autocorrelation C(t), C(0) = 1, of an equally spaced series, shape (n,)."""
    fluctuation = np.asarray(series, dtype=np.float64) - np.mean(series)
    n = len(fluctuation)
    spectrum = np.fft.rfft(fluctuation, n=2 * n)  # padded: no wrap-around
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / np.arange(n, 0, -1)
    return covariance / covariance[0] if covariance[0] > 0 else np.eye(1, n)[0]


def correlation_time(correlation: FloatArray, window: float = 5.0) -> float:
    """Return the integrated autocorrelation time ½ + Σ C(t), in steps, of a given C(t).

    The sum ends at the first t ≥ `window`·τ(t), where noise would begin to dominate (Sokal's automatic
    window, DOI 10.1007/978-1-4899-0319-8_6). Uncorrelated values have ½; a mean of n values has the error
    of a mean of n/(2τ) independent ones.
    """
    tau = np.cumsum(correlation) - 0.5
    beyond = np.arange(len(tau)) >= window * tau
    return float(max(tau[np.argmax(beyond)] if beyond.any() else tau[-1], 0.5))


@dataclass(frozen=True)
class SamplingStatistics:
    """What the thermometers read over all steps after equilibration; ``_error`` is one standard error."""

    kinetic_temperature_K: float
    kinetic_temperature_error_K: float
    virial_temperature_K: float | None
    virial_temperature_error_K: float | None
    energy_correlation_time_fs: float
    energy_correlation_at_spacing: float
    n_steps: int


def sampling_statistics(
    steps: Sequence[FloatArray], n_atoms: int, *, periodic: bool, timestep_fs: float, per_frame: int
) -> SamplingStatistics:
    """Read the thermometers: kinetic over 3N degrees of freedom, virial −⟨Σ r·F⟩/k_B over 3N − 3.

    The potential is blind to translation alone: rotations count in the virial, as Σ r·∂U/∂r is taken over
    all 3N − 3 Cartesian coordinates relative to the centre.

    Parameters
    ----------
    steps
        For each replica an array (n_steps, 3): potential and kinetic energy, virial −Σ r·F, eV.
    per_frame
        Steps between frames.
    """
    dof = 3 * n_atoms
    kinetic_mean, kinetic_error = _mean_and_error([one[:, 1] * 2 / (dof * BOLTZMANN_EV_K) for one in steps])
    virial_mean = virial_error = None
    if not periodic and n_atoms > 1:
        virial = [one[:, 2] / ((dof - 3) * BOLTZMANN_EV_K) for one in steps]
        virial_mean, virial_error = _mean_and_error(virial)
    correlation = _mean_autocorrelation([one[:, 0] for one in steps])
    return SamplingStatistics(
        kinetic_temperature_K=kinetic_mean,
        kinetic_temperature_error_K=kinetic_error,
        virial_temperature_K=virial_mean,
        virial_temperature_error_K=virial_error,
        energy_correlation_time_fs=correlation_time(correlation) * timestep_fs,
        energy_correlation_at_spacing=float(correlation[min(per_frame, len(correlation) - 1)]),
        n_steps=sum(len(one) for one in steps),
    )


def _mean_and_error(series: list[FloatArray]) -> tuple[float, float]:
    """Return the mean over replicas and its standard error from the series' correlation times."""
    values = np.concatenate(series)
    tau = correlation_time(_mean_autocorrelation(series))
    return float(values.mean()), float(values.std() * np.sqrt(2 * tau / len(values)))


def _mean_autocorrelation(series: list[FloatArray]) -> FloatArray:
    """Return the autocorrelation averaged over replicas, as long as the shortest."""
    shortest = min(len(one) for one in series)
    mean: FloatArray = np.mean([autocorrelation(one[:shortest]) for one in series], axis=0)
    return mean
