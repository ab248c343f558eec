"""Which factor to Å the distances of frames imply: lengths in Bohr may have been read in Å, and the reverse.

A wrong unit changes the distances of every frame by its factor. Atoms that are apart may be far dimers, or a
bond that was broken on purpose: a part of the frames then has the distances of bonds.
"""

from collections.abc import Callable

import numpy as np

from mdaug.data.stated_units import A_PER_LENGTH_UNIT
from mdaug.data.verification.bond_stiffness import bonding_atoms, length_ratios
from mdaug.data.verification.regression import two_groups
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray

LENGTH_LIMITS = (0.72, 1.45)
"""Of the length ratio of bonded atoms; real systems have 0.9 to 1.15."""

BONDED_LIMITS = (0.82, 1.25)
"""Of the median length ratio, after conversion, of atoms that distances alone show to be bonded."""

MIN_BONDED_ATOMS = 3
"""Fewer atoms may be at any distance by chance: a dimer."""

MAX_RATIO_FRAMES, MAX_VETO_FRAMES = 20, 400
"""Frames of the median ratio, and frames of which one may show that atoms only are apart."""

NEAREST = 0.5
"""Length ratio below which no scan and no frame of dynamics goes: the positions are none."""

MIN_GROUP_FRAMES = 20
"""Frames of which two groups a unit apart are no chance, even of two atoms."""

GROUP_WIDTH, GROUP_FACTOR = 0.1, 0.2
"""Standard deviation of the logarithm of the ratio within the frames of one unit, and tolerance of its
difference between those of two units: two units in one file are two narrow groups, a scan is neither."""


def implied_lengths(
    frames: FrameSet, usable: IntArray, is_firm: Callable[[float], bool]
) -> tuple[float | None, float]:
    """Return the length ratio of frames and the factor to Å that it implies; 1 where it implies none.

    Parameters
    ----------
    frames
        All frames as they were read. Those that are left out of fits, as the minimum of a scan may be for its
        energy, show that lengths are right, too.
    usable
        Indices of the frames whose median ratio is taken.
    is_firm
        Whether the bonds of two atoms, with lengths multiplied by a factor, answer their stretch.

    Returns
    -------
    ratio
        About 1 for bonded atoms and lengths in Å. None for single atoms and noble gases.
    factor
        To Å.
    """
    ratios = length_ratios(frames.select(usable).evenly_spaced(MAX_RATIO_FRAMES))
    if ratios is None or len(ratios) == 0:
        return None, 1.0
    ratio = float(np.median(ratios))
    factor = _nearest_factor(ratio)
    if factor == 1.0:
        return ratio, 1.0
    every = length_ratios(frames.evenly_spaced(MAX_VETO_FRAMES))
    assert every is not None
    is_bonded = _within(every, LENGTH_LIMITS)
    if is_bonded.any() and every.min() > NEAREST and not _are_two_units(every, factor):
        return float(every[np.argmin(np.abs(np.log(every)))]), 1.0
    if is_bonded.any() and len(every) >= MIN_GROUP_FRAMES:
        return ratio, factor
    fits = _within(every * factor, LENGTH_LIMITS) | is_bonded
    if fits.all() and len(bonding_atoms(frames.atomic_numbers)) >= MIN_BONDED_ATOMS:
        low, high = BONDED_LIMITS
        if low < ratio * factor < high:
            return ratio, factor
    return ratio, factor if is_firm(factor) else 1.0


def _nearest_factor(ratio: float) -> float:
    """Return the factor between length units that brings the ratio near 1; 1 where it is."""
    if LENGTH_LIMITS[0] < ratio < LENGTH_LIMITS[1]:
        return 1.0
    factors = {1.0, *A_PER_LENGTH_UNIT.values(), *(1 / factor for factor in A_PER_LENGTH_UNIT.values())}
    return min(sorted(factors), key=lambda factor: abs(np.log(ratio * factor)))


def _are_two_units(ratios: FloatArray, factor: float) -> bool:
    """Whether the ratios of frames are those of two units that differ by `factor`, not those of a scan."""
    logs = np.log(ratios)
    upper, within = two_groups(logs)
    difference = float(logs[upper].mean() - logs[~upper].mean())
    return within < GROUP_WIDTH and abs(difference - abs(np.log(factor))) < GROUP_FACTOR


def _within(values: FloatArray, limits: tuple[float, float]) -> BoolArray:
    return (values > limits[0]) & (values < limits[1])
