"""How fast an NVE run gains or loses energy, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mdaug.analysis.random_walk import slope_with_interval
from mdaug.analysis.thermo_log import ThermoLog
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.sampling.statistics import autocorrelation, correlation_time

N_BINS = 400
"""The run is averaged over this many bins before its correlation time is measured: vibrations average out."""

N_BLOCKS = 32
"""A line through fewer means tells scatter from wandering badly; more would hardly narrow the interval."""


@dataclass(frozen=True)
class DriftResult:
    """Drift and fluctuation of the total energy of one run.

    Parameters
    ----------
    slope_meV_per_atom_ps, slope_ci95_meV_per_atom_ps
        Of the line through the block means of the `fitted` energy, and its 95 % interval (low, high).
    fitted
        ``"shadow energy"`` where the run recorded it, else ``"total energy"``.
    rms_fluctuation_meV_per_atom
        Root mean square distance of the total energy from that line.
    drift_ratio
        |drift over the whole run| / standard deviation of the kinetic energy.
    correlation_time_ps
        Of the energy about the line, vibrations averaged out.
    time_ps, energy_meV_per_atom
        Shape (n_rows,): the total energy less its mean. `line_meV_per_atom` is the fitted line there.
    block_time_ps, block_energy_meV_per_atom
        Shape (n_blocks,): the means that the line is fitted to.
    blocks_long_enough
        False if a block is shorter than the correlation time: the energy wanders, and the interval is wide.
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
        }


@dataclass(frozen=True)
class TimestepScaling:
    """Fluctuation ∝ Δt^exponent; velocity Verlet has 2 as long as the time step resolves the vibrations."""

    exponent: float
    prefactor: float
    timesteps_fs: FloatArray
    rms_fluctuations: FloatArray

    def to_json(self) -> dict[str, Any]:
        """Return what ``drift.json`` holds of it."""
        return {
            "exponent": self.exponent,
            "timesteps_fs": self.timesteps_fs.tolist(),
            "rms_fluctuations_meV_per_atom": self.rms_fluctuations.tolist(),
        }


def energy_drift(log: ThermoLog) -> DriftResult:
    """Fit a line to the total energy.

    The energy of velocity Verlet swings fast about a line, and wanders slowly, as vibrations exchange energy;
    rows are anything but independent. So the run is cut into 32 blocks (Flyvbjerg and Petersen, DOI
    10.1063/1.457480), whose means are taken as a line with scatter and a random walk about it
    (`slope_with_interval`): the interval holds what the walk may have added to the slope.

    Where ``shadow.csv`` lies beside the table the line is fitted to that energy, which velocity Verlet
    conserves: it does not follow the slow exchange of energy between vibrations, so the interval is several
    times narrower. Fluctuations are always those of the total energy.

    Raises
    ------
    DataError
        If the number of atoms is unknown or the run has too few rows.
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
    kinetic_spread = float(log.kinetic_eV.std()) * 1000.0 / log.n_atoms
    return DriftResult(
        slope_meV_per_atom_ps=slope,
        slope_ci95_meV_per_atom_ps=interval,
        rms_fluctuation_meV_per_atom=float(np.sqrt(np.mean((energy - line) ** 2))),
        drift_ratio=abs(slope) * duration / kinetic_spread if kinetic_spread > 0 else 0.0,
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


def _per_atom(energy_eV: FloatArray, n_atoms: int) -> FloatArray:
    """Energies less their mean, meV/atom."""
    return (energy_eV - energy_eV.mean()) * 1000.0 / n_atoms


def timestep_scaling(results: Sequence[DriftResult]) -> TimestepScaling | None:
    """Fit fluctuation = prefactor · Δt^exponent; None without two different known time steps."""
    known = [result for result in results if result.timestep_fs and result.rms_fluctuation_meV_per_atom > 0]
    timesteps = np.array([result.timestep_fs for result in known], dtype=np.float64)
    if len(np.unique(timesteps)) < 2:
        return None
    rms = np.array([result.rms_fluctuation_meV_per_atom for result in known])
    exponent, constant = np.polyfit(np.log(timesteps), np.log(rms), 1)
    return TimestepScaling(float(exponent), float(np.exp(constant)), timesteps, rms)


def _slow_correlation_time(time: FloatArray, energy: FloatArray) -> float:
    """Return the integrated correlation time (ps) of the energy about its line, averaged over short bins."""
    bins = _means(energy, min(N_BINS, len(energy)))
    position = np.arange(len(bins))
    residual = bins - np.polyval(np.polyfit(position, bins, 1), position)
    width = (time[-1] - time[0]) / len(bins)
    return correlation_time(autocorrelation(residual)) * float(width)


def _means(series: FloatArray, n_blocks: int) -> FloatArray:
    """Return the means of `n_blocks` contiguous blocks, as equal in length as can be."""
    edges = np.linspace(0, len(series), n_blocks + 1).astype(int)
    return np.add.reduceat(series, edges[:-1]) / np.diff(edges)
