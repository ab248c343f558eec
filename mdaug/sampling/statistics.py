"""Statistics of a sampling: autocorrelation times, kinetic and virial temperature and their verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from mdaug.frames import FloatArray
from mdaug.units import BOLTZMANN_EV_K
from mdaug.verdicts import Level, Verdict

LARGEST_DEVIATION = 0.25
"""A measured temperature disagrees if it deviates by more than this fraction of the expected one,"""

SIGNIFICANT_SIGMAS = 4.0
"""and by more than this number of standard errors (for few samples: by a deviation of the same
probability)."""

WIDEST_INTERVAL = 0.5
"""A 95 % confidence interval wider than this fraction of the expected temperature is too wide to show
agreement."""

WINDOW = 5.0
"""Times of a correlation that are summed, in units of its correlation time."""


@dataclass(frozen=True)
class SamplingStatistics:
    """Temperatures and correlation times over all steps after equilibration.

    Parameters
    ----------
    kinetic_temperature_K, virial_temperature_K
        Means; the virial one is None for a cell or a single atom.
    kinetic_temperature_error_K, virial_temperature_error_K
        Standard errors of these means.
    energy_correlation_time_fs
        Integrated autocorrelation time of the potential energy.
    energy_correlation_at_spacing
        Autocorrelation of the potential energy between one frame and the next.
    n_steps
        Number of steps over all replicas.
    """

    kinetic_temperature_K: float
    kinetic_temperature_error_K: float
    virial_temperature_K: float | None
    virial_temperature_error_K: float | None
    energy_correlation_time_fs: float
    energy_correlation_at_spacing: float
    n_steps: int

    def verdicts(self, temperature_K: float) -> list[Verdict]:
        """Return the `temperature_verdict` of each measured temperature.

        Parameters
        ----------
        temperature_K
            Temperature of the thermostat, K.
        """
        measured = [("kinetic temperature", self.kinetic_temperature_K, self.kinetic_temperature_error_K)]
        if self.virial_temperature_K is not None and self.virial_temperature_error_K is not None:
            measured.append(
                ("virial temperature", self.virial_temperature_K, self.virial_temperature_error_K)
            )
        return [temperature_verdict(*one, temperature_K) for one in measured]


def sampling_statistics(
    steps: Sequence[FloatArray], n_atoms: int, *, periodic: bool, timestep_fs: float, per_frame: int
) -> SamplingStatistics:
    """Return the kinetic temperature over 3N and the virial temperature over 3N − 3 degrees of freedom.

    The virial temperature is −⟨Σ r·F⟩/((3N − 3) k_B). The potential is invariant to translation only:
    rotations count in the virial, as Σ r·∂U/∂r runs over all 3N − 3 Cartesian coordinates relative to the
    center.

    Parameters
    ----------
    steps
        For each replica an array (n_steps, 3): potential and kinetic energy, virial −Σ r·F, eV.
    n_atoms
        Number of atoms.
    periodic
        Whether there is a cell, which has no virial as positions are not unique.
    timestep_fs
        Time between steps.
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


def temperature_verdict(
    name: str, measured_K: float, error_K: float, expected_K: float, *, n_samples: int | None = None
) -> Verdict:
    """Compare a measured temperature with the expected one, by significance and by precision.

    ``"warning"``: off by more than 25 % and by more than four standard errors. ``"ok"``: off by at most 25 %,
    and the 95 % confidence interval is at most half the expected temperature wide. ``"cannot tell"``:
    neither, as the measurement is too imprecise.

    Parameters
    ----------
    name
        Name of the check, for example ``"virial temperature"``.
    measured_K, error_K
        Mean and its standard error, K.
    expected_K
        Temperature of the thermostat, or that stated for the frames, K.
    n_samples
        Number of independent samples in the estimate of `error_K`; few samples give wide intervals (Student's
        t). None for many.
    """
    degrees = np.inf if n_samples is None else max(n_samples - 1, 1)
    half_width = -error_K * float(stdtrit(degrees, 0.025) if n_samples else ndtri(0.025))
    unlikely = ndtr(-SIGNIFICANT_SIGMAS)
    significant = -error_K * float(stdtrit(degrees, unlikely) if n_samples else ndtri(unlikely))
    off, limit = abs(measured_K - expected_K), LARGEST_DEVIATION * expected_K
    verdict: Level = "cannot tell"
    if off > limit and off > significant:
        verdict, conclusion = "warning", f"differs from {expected_K:g} K"
    elif off <= limit and 2 * half_width <= WIDEST_INTERVAL * expected_K:
        verdict, conclusion = "ok", f"agrees with {expected_K:g} K"
    else:
        conclusion = f"is too imprecise to be compared with {expected_K:g} K"
    return Verdict(
        name, verdict, measured_K, expected_K, f"{name} {measured_K:.0f} ± {error_K:.0f} K {conclusion}"
    )


def autocorrelation(series: FloatArray) -> FloatArray:
    """Return the normalized autocorrelation C(t), C(0) = 1, of an equally spaced series.

    Parameters
    ----------
    series
        Shape (n,).

    Returns
    -------
    correlation
        Shape (n,); that of a constant series is 1, 0, 0, ….
    """
    fluctuation = np.asarray(series, dtype=np.float64) - np.mean(series)
    n = len(fluctuation)
    spectrum = np.fft.rfft(fluctuation, n=2 * n)  # padded, so that the correlation does not wrap around
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / np.arange(n, 0, -1)
    return covariance / covariance[0] if covariance[0] > 0 else np.eye(1, n)[0]


def correlation_time(correlation: FloatArray) -> float:
    """Return the integrated autocorrelation time τ = ½ + Σ C(t), in steps.

    For uncorrelated values τ = ½; the mean of n values has the error of a mean of n/(2τ) independent values.
    The sum ends at the first t ≥ 5 τ(t), where noise would begin to dominate (Sokal's automatic window, DOI
    10.1007/978-1-4899-0319-8_6).

    Parameters
    ----------
    correlation
        C(t), shape (n,).
    """
    tau = np.cumsum(correlation) - 0.5
    beyond = np.arange(len(tau)) >= WINDOW * tau
    return float(max(tau[np.argmax(beyond)] if beyond.any() else tau[-1], 0.5))


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
