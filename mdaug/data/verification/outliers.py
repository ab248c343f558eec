"""Frames whose energy or forces stand out from the others, by robust statistics."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from ase import Atoms
from scipy.stats import chi2

from mdaug.data.origin import shown
from mdaug.data.verification.regression import robust_std
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.rigid_motion import degrees_of_freedom
from mdaug.verdicts import Verdict

MIN_FRAMES = 20

ENERGY_DEVIATIONS = 15.0
"""Robust standard deviations of the energy from its median beyond which a frame stands out."""

FORCE_FACTOR = 6.0
"""Root mean square force over the median of the frames beyond which a frame stands out."""

N_QUANTILES = 2000

ZERO_FORCES = "frames without forces"

CHANCE = 1e-6
"""Largest share of frames in equilibrium beyond the limits. It raises those of one or two vibrations, whose
energies have a chi-squared distribution with a long tail."""

MAX_SHARE = 0.2
"""More frames than this share do not stand out: they are a second population."""


def outlier_verdicts(frames: FrameSet) -> list[Verdict]:
    """Return the verdicts on energies, forces and forces that are zero; their frames are the outliers."""
    return [_energies(frames), _forces(frames), _zero_forces(frames)]


def outliers(verdicts: list[Verdict]) -> IntArray:
    """Return the frames of all `verdicts` that are a warning or an error, ascending."""
    numbers = {n for verdict in verdicts if verdict.verdict in ("warning", "error") for n in verdict.frames}
    return np.array(sorted(numbers), dtype=np.int64)


def _energies(frames: FrameSet) -> Verdict:
    name = "outliers of the energy"
    if len(frames) < MIN_FRAMES:
        return _too_few(name)
    deviation = np.abs(frames.energies - np.median(frames.energies))
    scale = 1.4826 * float(np.median(deviation))
    limit = max(ENERGY_DEVIATIONS, _tail(_n_vibrations(frames)).deviations)
    off = deviation > limit * scale + 1e-9
    if scale < 1e-12 or not off.any() or off.mean() > MAX_SHARE:
        worst = float(deviation.max() / scale) if scale > 1e-12 else 0.0
        text = f"the farthest energy is {worst:.1f} robust standard deviations from the median"
        return Verdict(name, "ok", worst, limit, text)
    numbers = tuple(np.flatnonzero(off).tolist())
    text = (
        f"energies of {len(numbers)} frames are up to {deviation.max():.4g} eV from the median, where the "
        f"others scatter by {scale:.2g} eV: look at {shown(frames, numbers)}, "
        "or leave them out with --drop-outliers"
    )
    return Verdict(name, "warning", float(deviation.max() / scale), limit, text, numbers)


def _forces(frames: FrameSet) -> Verdict:
    name = "outliers of the forces"
    if len(frames) < MIN_FRAMES:
        return _too_few(name)
    rms = _rms_forces(frames)
    typical = float(np.median(rms[rms > 0])) if (rms > 0).any() else 0.0
    limit = max(
        FORCE_FACTOR, _tail(frames.n_atoms - 1).factor
    )  # the bonds of a chain have the greatest forces
    off = rms > limit * typical
    if typical == 0 or not off.any() or off.mean() > MAX_SHARE:
        ratio = float(rms.max() / typical) if typical else 0.0
        return Verdict(
            name,
            "ok",
            ratio,
            limit,
            f"the largest forces are {ratio:.2g} times those of a typical frame",
        )
    numbers = tuple(np.flatnonzero(off).tolist())
    text = (
        f"forces of {len(numbers)} frames are up to {rms.max() / typical:.3g} times those of a typical frame "
        f"({typical:.2g} eV/Å): look at {shown(frames, numbers)}, or leave them out with --drop-outliers"
    )
    return Verdict(name, "warning", float(rms.max() / typical), limit, text, numbers)


def _zero_forces(frames: FrameSet) -> Verdict:
    name = ZERO_FORCES
    rms = _rms_forces(frames)
    zero = rms == 0
    if not zero.any():
        return Verdict(name, "ok", 0.0, 0.0, "every frame has forces")
    numbers = tuple(np.flatnonzero(zero).tolist())
    if zero.all():
        text = "all forces are zero: expected F = −∂E/∂r in every frame"
        is_one_atom = frames.n_atoms == 1
        return Verdict(name, "ok" if is_one_atom else "warning", float(len(numbers)), 0.0, text)
    text = (
        f"forces of {len(numbers)} frames are zero ({shown(frames, numbers)}): not computed; leave these "
        "frames out with --drop-outliers"
    )
    return Verdict(
        name, "error" if len(frames) >= MIN_FRAMES else "warning", float(len(numbers)), 0.0, text, numbers
    )


@dataclass(frozen=True)
class _Tail:
    """Limits that a share `CHANCE` of frames of harmonic vibrations exceeds."""

    deviations: float
    """Of the energy from the median, in robust standard deviations."""
    factor: float
    """Of the force over the median force."""


@cache
def _tail(n_vibrations: int) -> _Tail:
    energies = chi2(max(n_vibrations, 1))  # in units of k_B T / 2
    median, highest = float(energies.median()), float(energies.isf(CHANCE))
    spread = robust_std(energies.ppf(np.linspace(0, 1, N_QUANTILES + 2)[1:-1]))
    return _Tail((highest - median) / spread, float(np.sqrt(highest / median)))


def _n_vibrations(frames: FrameSet) -> int:
    return degrees_of_freedom(Atoms(frames.atomic_numbers, frames.positions[0], pbc=frames.pbc))


def _rms_forces(frames: FrameSet) -> FloatArray:
    return np.sqrt(np.mean(frames.forces**2, axis=(1, 2)))


def _too_few(name: str) -> Verdict:
    return Verdict(name, "cannot tell", None, None, f"needs at least {MIN_FRAMES} frames")
