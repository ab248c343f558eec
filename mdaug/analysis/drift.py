"""Energy drift of NVE runs with its 95 % interval, its verdict, and its dependence on the time step."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, stats

from mdaug.analysis.thermo_log import ThermoLog
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.sampling.statistics import autocorrelation, correlation_time
from mdaug.verdicts import Level, Verdict

N_BINS = 400
"""Number of bins over which the energy is averaged before its correlation time is measured: vibrations
average out."""

N_BLOCKS = 32
"""Number of block means. Fewer cannot separate scatter from a random walk; more would hardly narrow the
interval."""

WALK_RATIOS = np.concatenate([[0.0], np.logspace(-4.0, 3.0, 15)])
"""Ratios that are considered: variance of a step of the random walk / variance of the scatter, of block
means."""

DRIFT_LIMIT_MEV_PER_ATOM_PS = 0.001
"""Largest acceptable drift: 1 meV/atom in a nanosecond, a heating by about 4 K."""

DRIFT_ERROR_MEV_PER_ATOM_PS = 0.01
"""A drift above this is an error: it heats by more than 4 K in 100 ps."""

VERLET_EXPONENT_WITHIN = 0.3
"""Largest deviation of the exponent of the fluctuation from 2, the value for velocity Verlet."""


@dataclass(frozen=True)
class DriftResult:
    """Drift and fluctuation of the total energy of one run.

    Parameters
    ----------
    slope_meV_per_atom_ps, slope_ci95_meV_per_atom_ps
        Slope of the line through the block means of the `fitted` energy, and its 95 % interval (low, high).
    fitted
        ``"shadow energy"`` where the run recorded it, else ``"total energy"``.
    rms_fluctuation_meV_per_atom
        Root mean square distance of the total energy from that line.
    drift_ratio
        |drift over the whole run| / standard deviation of the kinetic energy.
    correlation_time_ps
        Correlation time of the energy about the line, after averaging over vibrations.
    n_atoms
        Atoms of the system.
    duration_ps
        From the first row to the last.
    n_blocks
        Number of block means that the line is fitted to.
    blocks_long_enough
        False if a block is shorter than the correlation time: the energy moves as a random walk, and the
        interval is wide.
    timestep_fs
        None if the table does not state it.
    source
        Path of the table.
    time_ps, energy_meV_per_atom, line_meV_per_atom
        Shape (n_rows,): the total energy less its mean, and the fitted line.
    block_time_ps, block_energy_meV_per_atom
        Shape (n_blocks,): the means that the line is fitted to.
    """

    slope_meV_per_atom_ps: float
    slope_ci95_meV_per_atom_ps: tuple[float, float]
    rms_fluctuation_meV_per_atom: float
    drift_ratio: float
    n_atoms: int
    duration_ps: float
    n_blocks: int
    correlation_time_ps: float
    blocks_long_enough: bool
    timestep_fs: float | None
    source: str
    fitted: str
    time_ps: FloatArray
    energy_meV_per_atom: FloatArray
    line_meV_per_atom: FloatArray
    block_time_ps: FloatArray
    block_energy_meV_per_atom: FloatArray

    @property
    def verdict(self) -> Verdict:
        """Whether the drift is below `DRIFT_LIMIT_MEV_PER_ATOM_PS`, from its 95 % interval.

        ``"ok"`` if the whole interval is below the limit, ``"warning"`` (``"error"``) if all of it is beyond
        the limit (beyond `DRIFT_ERROR_MEV_PER_ATOM_PS`), ``"cannot tell"`` if the limit lies within the
        interval.
        """
        low, high = self.slope_ci95_meV_per_atom_ps
        smallest = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
        limit = DRIFT_LIMIT_MEV_PER_ATOM_PS
        level: Level = "ok"
        if max(abs(low), abs(high)) <= limit:
            finding = "The energy is conserved"
        elif smallest > DRIFT_ERROR_MEV_PER_ATOM_PS:
            level, finding = "error", "The energy drifts"
        elif smallest > limit:
            level, finding = "warning", "The energy drifts"
        else:
            level, finding = "cannot tell", f"{self.duration_ps:g} ps are too short to tell"
        measured = f"{self.slope_meV_per_atom_ps:.2g} meV/atom/ps, 95 % interval {low:.2g} to {high:.2g}"
        text = f"{finding}: {measured.replace('-', '−')}; the limit is {limit:g}."
        if level == "cannot tell" and smallest > 0.0:
            text += " There is a drift, but the run is too short to tell whether it is below the limit."
        return Verdict("energy drift", level, self.slope_meV_per_atom_ps, limit, text)

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``drift.json`` for this run."""
        return {
            "slope_meV_per_atom_ps": self.slope_meV_per_atom_ps,
            "slope_ci95_meV_per_atom_ps": list(self.slope_ci95_meV_per_atom_ps),
            "rms_fluctuation_meV_per_atom": self.rms_fluctuation_meV_per_atom,
            "drift_ratio": self.drift_ratio,
            "n_atoms": self.n_atoms,
            "duration_ps": self.duration_ps,
            "timestep_fs": self.timestep_fs,
            "n_rows": len(self.time_ps),
            "n_blocks": self.n_blocks,
            "correlation_time_ps": self.correlation_time_ps,
            "blocks_long_enough": self.blocks_long_enough,
            "fitted": self.fitted,
            "thermo": self.source,
            "verdicts": [self.verdict.to_json()],
        }


@dataclass(frozen=True)
class TimestepScaling:
    """Fluctuation = prefactor · Δt^exponent over several runs.

    Velocity Verlet has the exponent 2 as long as the time step resolves the vibrations.

    Parameters
    ----------
    exponent
        Slope of log(fluctuation) against log(time step).
    prefactor
        Fluctuation in meV/atom at a time step of 1 fs.
    timesteps_fs, rms_fluctuations
        Shape (n_runs,), fs and meV/atom.
    """

    exponent: float
    prefactor: float
    timesteps_fs: FloatArray
    rms_fluctuations: FloatArray

    @property
    def verdict(self) -> Verdict:
        """Whether the exponent is that of velocity Verlet, 2 ± `VERLET_EXPONENT_WITHIN`."""
        agrees = abs(self.exponent - 2.0) <= VERLET_EXPONENT_WITHIN
        text = f"The fluctuation grows as the time step to the power {self.exponent:.2f}; expected is 2."
        if not agrees:
            text += " The longest time step is too long, or round-off dominates."
        return Verdict("time step", "ok" if agrees else "warning", self.exponent, 2.0, text)

    def to_json(self) -> dict[str, Any]:
        """Return the entry ``"timestep_scaling"`` of ``drift.json``."""
        return {
            "exponent": self.exponent,
            "timesteps_fs": self.timesteps_fs.tolist(),
            "rms_fluctuations_meV_per_atom": self.rms_fluctuations.tolist(),
        }


def energy_drift(log: ThermoLog) -> DriftResult:
    """Fit a line to the conserved energy of an NVE run.

    The energy of velocity Verlet oscillates fast about a line, and changes slowly as vibrations exchange
    energy; rows are not independent. The run is divided into 32 blocks (Flyvbjerg and Petersen, DOI
    10.1063/1.457480), whose means are modeled as a line with scatter and a random walk
    (`slope_with_interval`): the interval includes the possible contribution of the walk to the slope.

    If ``shadow.csv`` is in the folder of the table, the line is fitted to the shadow energy, which velocity
    Verlet conserves: it does not follow the slow exchange of energy between vibrations, so the interval is
    several times narrower. Fluctuations are always those of the total energy.

    Parameters
    ----------
    log
        Energies at equal intervals, with the number of atoms.

    Raises
    ------
    DataError
        If the number of atoms is unknown or the run has fewer than 32 rows.
    """
    if log.n_atoms is None:
        raise DataError(f"{log.source}: the number of atoms is unknown; give --n-atoms")
    if len(log.time_ps) < N_BLOCKS:
        raise DataError(f"{log.source}: {len(log.time_ps)} rows; a drift needs at least {N_BLOCKS}")
    energy = _per_atom(log.total_eV, log.n_atoms)
    conserved = energy if log.shadow_eV is None else _per_atom(log.shadow_eV, log.n_atoms)
    time, duration = log.time_ps, float(log.time_ps[-1] - log.time_ps[0])
    tau = _slow_correlation_time(time, conserved)
    block_time, block_energy = _means(time, N_BLOCKS), _means(conserved, N_BLOCKS)
    slope, interval = slope_with_interval(block_time, block_energy)
    line = slope * (time - time.mean())
    kinetic_std = float(log.kinetic_eV.std()) * 1000.0 / log.n_atoms
    return DriftResult(
        slope_meV_per_atom_ps=slope,
        slope_ci95_meV_per_atom_ps=interval,
        rms_fluctuation_meV_per_atom=float(np.sqrt(np.mean((energy - line) ** 2))),
        drift_ratio=abs(slope) * duration / kinetic_std if kinetic_std > 0 else 0.0,
        n_atoms=log.n_atoms,
        duration_ps=duration,
        n_blocks=N_BLOCKS,
        correlation_time_ps=tau,
        blocks_long_enough=duration / N_BLOCKS >= tau,
        timestep_fs=log.timestep_fs,
        source=log.source,
        fitted="total energy" if log.shadow_eV is None else "shadow energy",
        time_ps=time,
        energy_meV_per_atom=energy,
        line_meV_per_atom=line,
        block_time_ps=block_time,
        block_energy_meV_per_atom=block_energy,
    )


def timestep_scaling(results: Sequence[DriftResult]) -> TimestepScaling | None:
    """Fit fluctuation = prefactor · Δt^exponent.

    Parameters
    ----------
    results
        Runs of one system; those without a known time step or without fluctuation are left out.

    Returns
    -------
    TimestepScaling or None
        None without two different time steps.
    """
    usable = [result for result in results if result.timestep_fs and result.rms_fluctuation_meV_per_atom > 0]
    timesteps = np.array([result.timestep_fs for result in usable], dtype=np.float64)
    if len(np.unique(timesteps)) < 2:
        return None
    rms = np.array([result.rms_fluctuation_meV_per_atom for result in usable])
    exponent, constant = np.polyfit(np.log(timesteps), np.log(rms), 1)
    return TimestepScaling(float(exponent), float(np.exp(constant)), timesteps, rms)


def slope_with_interval(x: FloatArray, means: FloatArray) -> tuple[float, tuple[float, float]]:
    """Return the slope of a series that scatters about a line and moves away from it as a random walk.

    The series is modeled as line + scatter + random walk (the local level model with a trend: Harvey, DOI
    10.1017/CBO9781107049994). For each ratio of walk to scatter generalized least squares give the slope and
    Student's t with n − 2 degrees of freedom. As the ratio is unknown, the answer is the mean over
    `WALK_RATIOS`, each weighted by the restricted likelihood of the data.

    Parameters
    ----------
    x
        Centers of n ≥ 4 blocks of equal length, shape (n,).
    means
        Mean of the series in each block, shape (n,).

    Returns
    -------
    slope : float
        In units of `means` per unit of `x`.
    interval : tuple of float
        95 % interval (low, high) of the slope.
    """
    n = len(means)
    design = np.stack([np.ones(n), x - x.mean()], axis=1)
    walk = _covariance_of_means(n)
    fits = [_generalized_fit(design, means, np.eye(n) + ratio * walk) for ratio in WALK_RATIOS]
    log_likelihoods, slopes, errors = map(np.array, zip(*fits, strict=True))
    weights = np.exp(log_likelihoods - log_likelihoods.max())
    weights /= weights.sum()
    slope = float(weights @ slopes)
    reach = abs(slopes - slope).max() + 1e3 * errors.max()

    def quantile(p: float) -> float:
        def excess(value: float) -> float:
            return float(weights @ stats.t.cdf((value - slopes) / errors, n - 2)) - p

        return float(optimize.brentq(excess, slope - reach, slope + reach, xtol=1e-9 * reach))

    return slope, (quantile(0.025), quantile(0.975)) if errors.max() > 0 else (slope, slope)


def _covariance_of_means(n: int) -> FloatArray:
    """Return the covariance (n, n) of block means of a Brownian motion that gains unit variance in a
    block."""
    block = np.arange(n)
    covariance = np.minimum(block[:, None], block) + 0.5
    covariance[block, block] = block + 1.0 / 3.0
    return covariance


def _generalized_fit(design: FloatArray, means: FloatArray, covariance: FloatArray) -> tuple[float, ...]:
    """Return the log restricted likelihood, the slope and its standard error."""
    lower = np.linalg.cholesky(covariance)
    whitened, target = np.linalg.solve(lower, design), np.linalg.solve(lower, means)
    normal = whitened.T @ whitened
    line = np.linalg.solve(normal, whitened.T @ target)
    residual = target - whitened @ line
    freedom = len(means) - 2
    variance = float(residual @ residual) / freedom
    log_likelihood = (
        -np.log(np.diag(lower)).sum()
        - 0.5 * np.linalg.slogdet(normal)[1]
        - 0.5 * freedom * np.log(max(variance, np.finfo(float).tiny))
    )
    return log_likelihood, line[1], float(np.sqrt(variance * np.linalg.inv(normal)[1, 1]))


def _per_atom(energy_eV: FloatArray, n_atoms: int) -> FloatArray:
    """Return energies less their mean, meV/atom."""
    return (energy_eV - energy_eV.mean()) * 1000.0 / n_atoms


def _slow_correlation_time(time: FloatArray, energy: FloatArray) -> float:
    """Return the integrated correlation time (ps) of the energy about its line, averaged over short bins."""
    bins = _means(energy, min(N_BINS, len(energy)))
    position = np.arange(len(bins))
    residual = bins - np.polyval(np.polyfit(position, bins, 1), position)
    width = (time[-1] - time[0]) / len(bins)
    return correlation_time(autocorrelation(residual)) * float(width)


def _means(series: FloatArray, n_blocks: int) -> FloatArray:
    """Return the means of `n_blocks` contiguous blocks of (nearly) equal length."""
    edges = np.linspace(0, len(series), n_blocks + 1).astype(int)
    return np.add.reduceat(series, edges[:-1]) / np.diff(edges)
