"""Published protocols of stability with the numbers of their sources, and the criteria by which runs fail."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from mdaug.analysis.stability import stability
from mdaug.analysis.thermo_log import thermo_rows
from mdaug.analysis.trajectory import open_trajectory
from mdaug.examination.options import ProtocolName
from mdaug.frames import FloatArray
from mdaug.geometry.pairs import minimum_image
from mdaug.geometry.training_bonds import TrainingBonds

HYDROGEN = 1


@dataclass(frozen=True)
class Failure:
    """When and why a run failed.

    Parameters
    ----------
    time_ps
        Time of the failure.
    text
        What happened.
    score
        Score of the run, 0 to 1, where the protocol has one.
    """

    time_ps: float
    text: str
    score: float | None = None


Criterion = Callable[[Path, TrainingBonds, float], Failure | None]
"""Called with the folder of a run, the bonds of the frames, and the length of a complete run, ps."""


@dataclass(frozen=True)
class Protocol:
    """A protocol.

    Parameters
    ----------
    title
        Name of the source.
    doi
        DOI of the source, without the resolver.
    molecule
        What the source runs it for.
    temperatures_K
        Temperatures of the thermostat; there are runs at each.
    timestep_fs, length_ps
        Time step and length of each run.
    n_runs
        Runs at each temperature.
    record_every
        Steps between the frames that are judged.
    criterion
        Decides whether a run has failed.
    friction_per_ps
        Friction of Langevin dynamics; None for Nosé–Hoover dynamics.
    relaxation_fs
        Relaxation time of Nosé–Hoover dynamics.
    last_K
        Temperature at the end of a ramp.
    has_score
        Whether the source gives a score.
    """

    title: str
    doi: str
    molecule: str
    temperatures_K: tuple[float, ...]
    timestep_fs: float
    length_ps: float
    n_runs: int
    record_every: int
    criterion: Criterion
    friction_per_ps: float | None = None
    relaxation_fs: float | None = None
    last_K: float | None = None
    has_score: bool = False

    @property
    def n_steps(self) -> int:
        """Steps of each run."""
        return round(1000.0 * self.length_ps / self.timestep_fs)


BROKEN_A = 0.5
"""Largest deviation of a bond from its mean in the frames, in two of the protocols."""

TARGET_K, LOST_A, EXPLODED_K, JUMP = 300.0, 2.5, 10_000.0, 100.0
"""MLIPAudit: temperature of the thermostat, distance of a lost hydrogen from every heavier atom, temperature
above the target, and ratio of two successive temperatures of an explosion."""


def broken_bond(folder: Path, bonds: TrainingBonds, length_ps: float) -> Failure | None:
    """Return the first frame in which a bond deviates by more than 0.5 Å from its mean.

    Parameters
    ----------
    folder
        Folder of the run.
    bonds
        Bonds of the frames.
    length_ps
        Length of a complete run.
    """
    judged = stability(open_trajectory(folder), bonds, tolerance_A=BROKEN_A)
    far = np.flatnonzero(judged.deviation_A > BROKEN_A)
    if len(far):
        return Failure(float(judged.times_ps[far[0]]), f"a bond deviates by more than {BROKEN_A:g} Å")
    last = float(judged.times_ps[-1])
    return Failure(last, "the run ended early") if last < length_ps - 0.1 else None


def explosion_or_lost_hydrogen(folder: Path, bonds: TrainingBonds, length_ps: float) -> Failure | None:
    """Return the frame of an explosion, or else that of the first hydrogen that is lost for good.

    Parameters
    ----------
    folder
        Folder of the run.
    bonds
        Bonds of the frames.
    length_ps
        Length of a complete run.
    """
    thermo = thermo_rows(folder)
    times, temperatures = thermo["time_fs"] / 1000.0, thermo["temperature_K"]
    hot = temperatures > TARGET_K + EXPLODED_K
    hot[1:] |= temperatures[1:] > JUMP * np.maximum(temperatures[:-1], 1e-9)
    hot |= ~np.isfinite(temperatures)
    if hot.any() or times[-1] < length_ps - 0.2:
        at = float(times[np.flatnonzero(hot)[0]]) if hot.any() else float(times[-1])
        text = "the temperature exploded" if hot.any() else "the run ended early"
        return Failure(at, text, 0.5 * at / length_ps)
    universe = open_trajectory(folder)
    positions = np.array([frame.positions.copy() for frame in universe.trajectory], dtype=np.float64)
    lost = lost_hydrogens(positions, bonds)
    if lost.any():
        at = length_ps * float(np.flatnonzero(lost)[0]) / max(len(positions) - 1, 1)
        return Failure(at, "a hydrogen is lost", 0.5 + 0.5 * at / length_ps)
    return None


def lost_hydrogens(positions: FloatArray, bonds: TrainingBonds) -> np.ndarray:
    """Return for each frame whether a hydrogen is more than 2.5 Å from every heavier atom, then and later.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    bonds
        The elements.
    """
    hydrogens = np.flatnonzero(bonds.atomic_numbers == HYDROGEN)
    heavy = np.flatnonzero(bonds.atomic_numbers != HYDROGEN)
    if not len(hydrogens) or not len(heavy):
        return np.zeros(len(positions), dtype=bool)
    vectors = minimum_image(positions[:, hydrogens, None] - positions[:, None, heavy], None)
    away = (np.linalg.norm(vectors, axis=-1) > LOST_A).all(axis=2)
    for_good = np.logical_and.accumulate(away[::-1], axis=0)[::-1]
    return np.asarray(for_good.any(axis=1))


def ended_early(folder: Path, bonds: TrainingBonds, length_ps: float) -> Failure | None:
    """Return the end of a run whose energy, temperature or positions stopped being finite.

    Parameters
    ----------
    folder
        Folder of the run.
    bonds
        Not used.
    length_ps
        Length of a complete run.
    """
    del bonds
    thermo = thermo_rows(folder)
    last = float(thermo["time_fs"][-1]) / 1000.0
    if last >= length_ps - 0.1 and np.isfinite(thermo["total_eV"]).all():
        return None
    return Failure(last, "the run ended early", last / length_ps)


PROTOCOLS: dict[ProtocolName, Protocol] = {
    "forces-are-not-enough": Protocol(
        title="Forces are not enough (Fu et al.)",
        doi="10.48550/arXiv.2210.07237",
        molecule="ethanol and other molecules of MD17",
        temperatures_K=(500.0,),
        timestep_fs=0.5,
        length_ps=300.0,
        n_runs=1,
        record_every=100,
        criterion=broken_bond,
        # ttime of 20 time steps in a thermostat whose force has half of the usual size: τ = √2 · 20 · 0.5 fs
        relaxation_fs=14.14,
    ),
    "stable": Protocol(
        title="StABlE training (Raja et al.)",
        doi="10.48550/arXiv.2402.13984",
        molecule="aspirin",
        temperatures_K=(500.0, 700.0),
        timestep_fs=0.5,
        length_ps=1000.0,
        n_runs=256,
        record_every=2000,
        criterion=broken_bond,
        friction_per_ps=0.1,
    ),
    "mlipaudit": Protocol(
        title="MLIPAudit, stability",
        doi="10.48550/arXiv.2511.20487",
        molecule="small molecules, peptides, proteins",
        temperatures_K=(TARGET_K,),
        timestep_fs=1.0,
        length_ps=100.0,
        n_runs=1,
        record_every=100,
        criterion=explosion_or_lost_hydrogen,
        friction_per_ps=10.0,
        has_score=True,
    ),
    "ramp": Protocol(
        title="MLIP Arena, heating",
        doi="10.48550/arXiv.2509.20630",
        molecule="random mixtures",
        temperatures_K=(300.0,),
        timestep_fs=0.5,
        length_ps=10.0,
        n_runs=1,
        record_every=10,
        criterion=ended_early,
        relaxation_fs=25.0,
        last_K=3000.0,
        has_score=True,
    ),
}
"""Name -> protocol. Numbers are those of the sources' papers and code."""

assert set(PROTOCOLS) == set(get_args(ProtocolName))
