"""Whether all frames are in the same units, with forces of the same sign: joined files may not be.

A mean over frames of two units does not show them: it lies between, and may look like a third unit. Each
frame has a length and a force scale of its own, from all of its bonds: the common factor of their lengths,
and the restoring force for their stretch, both relative to the other frames.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.bond_stiffness import bond_pulls, lasting_bonds, vibrating
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.units import EV_PER_ENERGY_UNIT
from mdaug.verdicts import Verdict

NAME = "one unit in all frames"

MIN_FRAMES = 20

LENGTH_FACTOR = 1.5
"""All bonds of a frame in another length unit are longer or shorter by this factor at least (Bohr: 1.89)."""

COMMON = 1.6
"""Largest ratio of two of these factors in one frame: bonds that break are not all stretched alike."""

FORCE_FACTOR = 10.0
"""Forces of another unit differ by a greater factor (Ry: 13.6, kcal/mol: 23). Frames of clean sets are within
0.11 (a hot ion pair) and 2."""

CLEAR, MIN_STRAIN = 0.8, 0.3
"""Correlation of restoring forces with stretches, over the bonds of a frame, and strain energy relative to
the median, from which on a frame has a force scale. In clean sets no such frame has the wrong sign."""

MIN_SHARE, LEAST_FRAMES = 0.05, 3
"""Fewer frames are outliers, which other checks find."""

SAME_UNIT = 0.3
"""Difference of the logarithms of two factors up to which they are taken for the same."""


def common_units_verdict(frames: FrameSet, usable: IntArray, stated: StatedUnits) -> Verdict:
    """Return whether lengths and forces of all frames have one unit and sign.

    Parameters
    ----------
    frames
        All frames; lengths in Å where all have one unit.
    usable
        Indices of the frames without outliers.
    stated
        Units in which the frames were read.
    """
    some = frames.select(usable)
    if len(some) < MIN_FRAMES:
        return Verdict(NAME, "cannot tell", None, None, f"needs at least {MIN_FRAMES} frames")
    idx_i, idx_j = lasting_bonds(some)
    if len(idx_i) == 0:
        return Verdict(NAME, "cannot tell", None, None, "no bonds to compare frames by")
    d_ij, pull = bond_pulls(some, idx_i, idx_j)
    off = other_lengths(d_ij)
    if _are_several(off, len(some)):
        factor = float(np.median(np.median(d_ij[off], axis=0) / np.median(d_ij, axis=0)))
        what = f"all bonds of {_some_frames(some, off)} are {_times(factor, 'longer', 'shorter')}"
        return _error(what, "lengths", "--length-units", factor, usable[off])
    use = vibrating(d_ij)
    if not use.any() or not np.median(np.abs(pull[:, use]), axis=0).all():
        return Verdict(NAME, "cannot tell", None, None, "no bonds whose stretch forces answer")
    scale, is_clear = force_scales(d_ij[:, use], pull[:, use])
    return _judge_forces(some, scale, is_clear, usable, stated)


@dataclass(frozen=True)
class BondAnswers:
    """How the bonds of each frame answer their stretch.

    Parameters
    ----------
    scale
        Shape (n_frames,): force over that of bonds with the given stiffness.
    correlation
        Shape (n_frames,): of force and stretch, over the bonds.
    strain
        Shape (n_frames,), eV.
    """

    scale: FloatArray
    correlation: FloatArray
    strain: FloatArray

    def are_clear(self, least: float) -> BoolArray:
        """Return the frames that are strained and have at least this correlation, shape (n_frames,)."""
        clear: BoolArray = np.abs(self.correlation) > least
        return clear & (self.strain > MIN_STRAIN * np.median(self.strain))


def bond_answers(stretch: FloatArray, pull: FloatArray, stiffness: FloatArray) -> BondAnswers:
    """Return how the bonds of each frame answer their stretch.

    Parameters
    ----------
    stretch, pull
        Shape (n_frames, n_bonds): lengths, Å, and forces that shorten the bonds, eV/Å, less their medians.
    stiffness
        Shape (n_bonds,), eV/Å².
    """
    work = np.sum(stretch * pull, axis=1)
    strain = np.sum(stiffness * stretch**2, axis=1)
    answer = np.sum(pull**2 / stiffness, axis=1)
    correlation = work / np.sqrt(np.maximum(strain * answer, 1e-300))
    return BondAnswers(work / np.maximum(strain, 1e-300), correlation, strain)


def force_scales(d_ij: FloatArray, pull: FloatArray) -> tuple[FloatArray, BoolArray]:
    """Return the force scale of each frame and whether it is clear, both of shape (n_frames,).

    Parameters
    ----------
    d_ij
        Shape (n_frames, n_bonds), Å.
    pull
        Shape (n_frames, n_bonds): forces that shorten the bonds.
    """
    stretch = d_ij - np.median(d_ij, axis=0)
    pull = pull - np.median(pull, axis=0)  # frames about a structure that is no minimum have a mean force
    stiffness = np.median(np.abs(pull), axis=0) / np.maximum(np.median(np.abs(stretch), axis=0), 1e-12)
    answers = bond_answers(stretch, pull, stiffness)
    return answers.scale, answers.are_clear(CLEAR)


def _judge_forces(
    some: FrameSet, scale: FloatArray, is_clear: BoolArray, usable: IntArray, stated: StatedUnits
) -> Verdict:
    clear = scale[is_clear]
    if len(clear) < MIN_FRAMES // 2:
        text = "the forces of too few frames answer the stretch of their bonds"
        return Verdict(NAME, "cannot tell", float(len(clear)), MIN_FRAMES // 2, text)
    sign = 1.0 if np.mean(clear > 0) >= 0.5 else -1.0
    # an element of the array: the mean of the two in the middle may be of neither unit
    typical = float(np.quantile(clear[sign * clear > 0], 0.5, method="lower"))
    ratio = scale / typical
    turned = is_clear & (ratio < 0)
    other = is_clear & (np.abs(np.log(np.maximum(np.abs(ratio), 1e-300))) > np.log(FORCE_FACTOR))
    if _are_several(other, len(some)):
        factor = float(np.median(ratio[other]) / np.median(ratio[is_clear & ~other]))
        what = (
            f"forces of at least {_some_frames(some, other)} are "
            f"{_times(abs(factor), 'larger', 'smaller')} for the same stretch of bonds"
            f"{_likely_unit(abs(factor), stated)}"
        )
        return _error(what, "forces", "--force-units", factor, usable[other])
    if _are_several(turned, len(some)):
        numbers = tuple(usable[turned].tolist())
        text = (
            f"forces of at least {_some_frames(some, turned)} have the opposite sign: they push "
            "stretched bonds apart where those of the others restore them: gradients and forces in one file; "
            "expected F = −∂E/∂r in every frame: change the sign of these"
        )
        return Verdict(NAME, "error", float(np.median(ratio[turned])), 1 / FORCE_FACTOR, text, numbers)
    smallest = float(np.abs(ratio[is_clear]).min())
    text = f"forces of all frames answer the stretch of bonds alike, by factors of {smallest:.2g} and more"
    return Verdict(NAME, "ok", smallest, 1 / FORCE_FACTOR, text)


def other_lengths(d_ij: FloatArray) -> BoolArray:
    """Return the frames (n_frames,) whose bonds all are longer, or all shorter; two bonds at least.

    Parameters
    ----------
    d_ij
        Shape (n_frames, n_bonds).
    """
    if d_ij.shape[1] < 2:
        return np.zeros(len(d_ij), np.bool_)
    factor = d_ij / np.median(d_ij, axis=0)
    least, most = factor.min(axis=1), factor.max(axis=1)
    other: BoolArray = ((least > LENGTH_FACTOR) | (most < 1 / LENGTH_FACTOR)) & (most < COMMON * least)
    return other


def _are_several(off: BoolArray, n_frames: int) -> bool:
    return bool(off.sum() >= max(LEAST_FRAMES, MIN_SHARE * n_frames))


def _some_frames(frames: FrameSet, off: BoolArray) -> str:
    return f"{off.sum()} of {len(frames)} frames ({shown(frames, np.flatnonzero(off))})"


def _times(factor: float, more: str, less: str) -> str:
    by, word = (factor, more) if factor > 1 else (1 / factor, less)
    return f"about {by:.3g} times {word} than those of the others"


def _likely_unit(factor: float, stated: StatedUnits) -> str:
    """Return the unit in which forces are larger by `factor` than in the stated one, for the message."""
    units = [StatedUnits(e, e, length) for e, length in product(EV_PER_ENERGY_UNIT, ("Angstrom", "Bohr"))]
    off = [abs(np.log(factor * unit.ev_a_per_force / stated.ev_a_per_force)) for unit in units]
    nearest = int(np.argmin(off))
    return f" ({units[nearest].force} for {stated.force}?)" if off[nearest] < SAME_UNIT else ""


def _error(what: str, quantity: str, option: str, value: float, numbers: IntArray) -> Verdict:
    text = (
        f"{what}: {quantity} of two units in one file; expected one: convert these frames, or put them into "
        f"a file of their own and state its unit with {option}"
    )
    return Verdict(NAME, "error", value, None, text, tuple(numbers.tolist()))
