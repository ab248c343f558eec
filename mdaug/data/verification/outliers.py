"""Frames whose energy or forces stand out from the others, by robust statistics."""

import numpy as np

from mdaug.data.verification.messages import shown
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.verdicts import Verdict

MIN_FRAMES = 20

ENERGY_DEVIATIONS = 15.0
"""Robust standard deviations of the energy from its median beyond which a frame stands out."""

FORCE_FACTOR = 6.0
"""Root mean square force over the median of the frames beyond which a frame stands out."""

ZERO_FORCES = "frames without forces"

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
    off = deviation > ENERGY_DEVIATIONS * scale + 1e-9
    if scale < 1e-12 or not off.any() or off.mean() > MAX_SHARE:
        worst = float(deviation.max() / scale) if scale > 1e-12 else 0.0
        text = f"the farthest energy is {worst:.1f} robust standard deviations from the median"
        return Verdict(name, "ok", worst, ENERGY_DEVIATIONS, text)
    numbers = tuple(np.flatnonzero(off).tolist())
    text = (
        f"energies of {len(numbers)} frames are up to {deviation.max():.4g} eV from the median, where the "
        f"others scatter by {scale:.2g} eV: look at frames {shown(numbers)}, "
        "or leave them out with --drop-outliers"
    )
    return Verdict(name, "warning", float(deviation.max() / scale), ENERGY_DEVIATIONS, text, numbers)


def _forces(frames: FrameSet) -> Verdict:
    name = "outliers of the forces"
    if len(frames) < MIN_FRAMES:
        return _too_few(name)
    rms = _rms_forces(frames)
    typical = float(np.median(rms[rms > 0])) if (rms > 0).any() else 0.0
    off = rms > FORCE_FACTOR * typical
    if typical == 0 or not off.any() or off.mean() > MAX_SHARE:
        ratio = float(rms.max() / typical) if typical else 0.0
        return Verdict(
            name,
            "ok",
            ratio,
            FORCE_FACTOR,
            f"the largest forces are {ratio:.2g} times those of a typical frame",
        )
    numbers = tuple(np.flatnonzero(off).tolist())
    text = (
        f"forces of {len(numbers)} frames are up to {rms.max() / typical:.3g} times those of a typical frame "
        f"({typical:.2g} eV/Å): look at frames {shown(numbers)}, or leave them out with --drop-outliers"
    )
    return Verdict(name, "warning", float(rms.max() / typical), FORCE_FACTOR, text, numbers)


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
        f"forces of {len(numbers)} frames are zero (frames {shown(numbers)}): not computed; leave these "
        "frames out with --drop-outliers"
    )
    return Verdict(
        name, "error" if len(frames) >= MIN_FRAMES else "warning", float(len(numbers)), 0.0, text, numbers
    )


def _rms_forces(frames: FrameSet) -> FloatArray:
    return np.sqrt(np.mean(frames.forces**2, axis=(1, 2)))


def _too_few(name: str) -> Verdict:
    return Verdict(name, "cannot tell", None, None, f"needs at least {MIN_FRAMES} frames")
