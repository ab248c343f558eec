"""Temperature of frames from forces along bonds, to compare with the stated one."""

import numpy as np

from mdaug.data.verification.bond_stiffness import bond_pulls, lasting_bonds, vibrating
from mdaug.frames import FloatArray, FrameSet, evenly_spaced
from mdaug.units import BOLTZMANN_EV_K
from mdaug.verdicts import Verdict

NAME, STEADY_NAME = "temperature", "one temperature"

MIN_FRAMES = 20

TOLERANCE = 0.15
"""Allowed deviation from the stated temperature, relative to it, beside three standard errors."""

MAX_ERROR = 0.07
"""Standard error, relative to the stated temperature, beyond which nothing can be said."""

DOUBT = 0.25
"""Deviation plus two standard errors, relative to the stated temperature, beyond which nothing can be said:
the frames may be of a temperature that differs by so much."""

WRONG = (
    ": the temperature is wrong, the frames are not of equilibrium, or the forces are of another "
    "level of theory than the dynamics; state the temperature of the dynamics with --temperature"
)

THERMAL = 0.1
"""Temperature, relative to the stated one, below which frames are none of MD."""

NOT_THERMAL = (
    ": a scan, a path or an optimization has no temperature, and so no springs and augmented frames; "
    "take frames of MD, or train with --no-augment"
)

N_BLOCKS = 10
"""Blocks of consecutive frames for the standard error, as frames may be correlated."""

MIN_CHANGE, CERTAIN = 0.4, 5.0
"""Change of the temperature from the first to the last frames, relative to its mean and its standard error,
from which on frames are of several temperatures."""

FEWEST_BLOCKS = 2
"""Blocks before and after a step of the temperature, at least."""

SOUGHT = 1.2
"""Factor of the standard error of a step, which is the clearest of several."""

MAX_BONDS = 200


Virials = tuple[FloatArray, FloatArray]
"""v·∇U/k_B (K) and ∇·v of each frame, of all bonds together."""


def bond_temperature(frames: FrameSet) -> tuple[float, float] | None:
    """Return the temperature of the bonds' vibrations and its standard error, K; None without bonds.

    For any vector field v of the positions ⟨v·∇U⟩ = k_B T ⟨∇·v⟩ (O. G. Jepps, G. Ayton, D. J. Evans,
    DOI 10.1103/PhysRevE.62.4757). Moving one atom of a bond along it by its stretch, v = (d − d₀) r̂ with
    ∇·v = 1 + 2 (d − d₀)/d, gives a temperature for each end of each bond, also in cells.
    """
    virials = _virials(frames)
    return None if virials is None else _ratio(*virials)


def _virials(frames: FrameSet) -> Virials | None:
    """Return v·∇U/k_B (K) and ∇·v of each frame, summed over bonds; None without bonds that vibrate."""
    idx_i, idx_j = lasting_bonds(frames)
    if len(idx_i) == 0:
        return None
    some = evenly_spaced(len(idx_i), MAX_BONDS)
    d_ij, pull = bond_pulls(frames, idx_i[some], idx_j[some])
    use = vibrating(d_ij)
    if not use.any():
        return None
    d_ij, pull = d_ij[:, use], pull[:, use]
    stretch = d_ij - d_ij.mean(axis=0)
    return np.sum(stretch * pull, axis=1) / BOLTZMANN_EV_K, np.sum(2 + 4 * stretch / d_ij, axis=1)


def _steady_verdict(frames: FrameSet, virials: Virials | None) -> Verdict:
    if len(frames) < MIN_FRAMES or virials is None:
        text = f"needs at least {MIN_FRAMES} frames, with bonds that vibrate"
        return Verdict(STEADY_NAME, "cannot tell", None, None, text)
    steps = np.diff(frames.energies)
    if (steps >= 0).all() or (steps <= 0).all():
        return Verdict(STEADY_NAME, "cannot tell", None, None, "frames are in order of their energies")
    temperature, _ = _ratio(*virials)
    if temperature <= THERMAL * (frames.temperature_K or 0.0):
        return Verdict(STEADY_NAME, "cannot tell", None, None, "no bond vibrates as at a temperature")
    blocks = zip(*(np.array_split(term, N_BLOCKS) for term in virials), strict=True)
    of_blocks = np.array([numerator.sum() / denominator.sum() for numerator, denominator in blocks])
    first, last, error = max(
        (_ramp(of_blocks), _step(of_blocks)), key=lambda change: abs(change[1] - change[0]) / change[2]
    )
    change = last - first
    limit = max(MIN_CHANGE * abs(temperature), CERTAIN * error)
    text = f"bonds vibrate at {first:.0f} K in the first frames, {last:.0f} K in the last (± {error:.0f})"
    if abs(change) <= limit:
        return Verdict(STEADY_NAME, "ok", change, limit, text)
    text += (
        ": a ramp, or several temperatures in one file; springs need one: put the frames of each temperature "
        "into a file of their own, and state it with --temperature or [[data.sources]]"
    )
    return Verdict(STEADY_NAME, "warning", change, limit, text)


def _ramp(of_blocks: FloatArray) -> tuple[float, float, float]:
    """Return the temperatures at the ends of a straight line through those of the blocks, and the standard
    error of their difference, K."""
    slope, covariance = np.polyfit(np.linspace(-0.5, 0.5, N_BLOCKS), of_blocks, 1, cov=True)
    mean = float(of_blocks.mean())
    return mean - float(slope[0]) / 2, mean + float(slope[0]) / 2, float(np.sqrt(covariance[0, 0])) + 1e-9


def _step(of_blocks: FloatArray) -> tuple[float, float, float]:
    """Return the mean temperatures before and after the block at which they differ most clearly, and the
    standard error of their difference, K.

    Through two temperatures a straight line fits badly: its slope is at most five times its own error.
    """
    steps = []
    for n in range(FEWEST_BLOCKS, N_BLOCKS - FEWEST_BLOCKS + 1):
        before, after = of_blocks[:n], of_blocks[n:]
        squares = float(np.sum((before - before.mean()) ** 2) + np.sum((after - after.mean()) ** 2))
        error = np.sqrt(squares / (N_BLOCKS - 2) * (1 / n + 1 / (N_BLOCKS - n)))
        steps.append((float(before.mean()), float(after.mean()), SOUGHT * float(error) + 1e-9))
    return max(steps, key=lambda one: abs(one[1] - one[0]) / one[2])


def temperature_verdicts(frames: FrameSet) -> tuple[Verdict, Verdict]:
    """Return whether forces and bond lengths agree with the stated temperature, and whether that of the bonds
    is the same from the first to the last frame.

    Frames of a ramp, and joined files of two temperatures, have no spring constants k_B T/σ². Frames in
    random order, or in that of their energies, do not show it.

    Parameters
    ----------
    frames
        Without outliers, in the order of the file; in eV and Å.
    """
    virials = _virials(frames) if len(frames) >= MIN_FRAMES else None
    return _stated_verdict(frames, virials), _steady_verdict(frames, virials)


def _stated_verdict(frames: FrameSet, virials: Virials | None) -> Verdict:
    stated = frames.temperature_K
    if stated is None:
        return Verdict(NAME, "cannot tell", None, None, "no temperature is stated (--temperature)")
    if len(frames) < MIN_FRAMES:
        return Verdict(NAME, "cannot tell", None, stated, f"needs at least {MIN_FRAMES} frames")
    if virials is None:
        return Verdict(
            NAME, "cannot tell", None, stated, "no bonds that vibrate, so no temperature can be measured"
        )
    value, error = _ratio(*virials)
    text = f"bonds vibrate at {value:.0f} ± {error:.0f} K, stated {stated:g} K"
    if 0 < value < stated:  # the error is proportional to the temperature: if the stated one is right, larger
        error *= stated / value
    if abs(value - stated) <= max(TOLERANCE * stated, 3 * error):
        if error > MAX_ERROR * stated or abs(value - stated) + 2 * error > DOUBT * stated:
            return Verdict(NAME, "cannot tell", value, stated, f"{text}: too noisy to decide")
        return Verdict(NAME, "ok", value, stated, text)
    text += NOT_THERMAL if value < THERMAL * stated else WRONG
    return Verdict(NAME, "warning", value, stated, text)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> tuple[float, float]:
    """Return Σ numerator / Σ denominator and its standard error by blocks, at least that of single frames."""
    value = float(numerator.sum() / denominator.sum())
    deviation = (numerator - value * denominator) / denominator.mean()
    blocks = np.array([block.mean() for block in np.array_split(deviation, N_BLOCKS)])
    error = max(blocks.std(ddof=1) / np.sqrt(N_BLOCKS), deviation.std(ddof=1) / np.sqrt(len(deviation)))
    return value, float(error)
