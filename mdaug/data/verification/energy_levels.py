"""Two levels of theory, basis sets or zeros of energy in one set of frames."""

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.duplicates import sorted_distances
from mdaug.data.verification.energies_from_forces import PredictedEnergies
from mdaug.data.verification.regression import CLEAR, SCALE_LIMITS, regress, two_groups
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import BoolArray
from mdaug.verdicts import Verdict

SHARPNESS = 0.35
"""Two levels of energy are distinguished where the scatter within them is below this share of the whole
scatter (0.6 for a normal, 0.5 for a uniform distribution)."""

MIN_OFFSET = 2.5
"""Standard deviations of the energies by which two levels differ at least: predictions of frames that few
others connect are off by one."""

MIN_SHARE = 0.05
"""Smaller groups of frames are outliers, not a level of theory of their own."""

NEAR_ACROSS = 1.5
"""Groups differ in geometry where their nearest frames are farther apart than this many times the median
distance of nearest frames in a group."""

ALWAYS_AN_OFFSET_EV = 2.0
"""Predicted energies of different conformers are never so far off."""


def two_levels(
    frames: FrameSet, predicted: PredictedEnergies, energies: FloatArray, name: str
) -> Verdict | None:
    """Return a verdict if the energies minus the predicted ones fall into two groups.

    Parameters
    ----------
    frames
        All frames.
    predicted
        Energies predicted from forces.
    energies
        Shape (n,), eV: given energies of the frames with a prediction.
    name
        Of the verdict.
    """
    residual = energies - predicted.energies
    upper, within = two_groups(residual)
    n = len(residual)
    share = min(upper.sum(), (~upper).sum()) / n
    if share < MIN_SHARE or within > SHARPNESS * residual.std():
        return None
    offset = float(residual[upper].mean() - residual[~upper].mean())
    adjusted = energies - np.where(upper, offset, 0.0)
    fit = regress(adjusted, predicted.energies)
    if abs(offset) < MIN_OFFSET * adjusted.std():
        return None
    if not (fit.correlation > CLEAR and SCALE_LIMITS[0] < fit.slope < SCALE_LIMITS[1]):
        return None
    minority = upper if upper.mean() <= 0.5 else ~upper
    numbers = tuple(int(k) for k in predicted.frames[minority])
    text = (
        f"energies of {len(numbers)} of the {n} frames looked at are {abs(offset):.4g} eV "
        f"{'above' if minority is upper else 'below'} the others, beyond what the forces imply "
        f"({shown(frames, numbers)}): two levels of theory, basis sets or zeros of energy in one file; "
        "expected one"
    )
    certain = abs(offset) > ALWAYS_AN_OFFSET_EV or not _differ_in_geometry(frames, predicted, upper)
    if not certain:
        text += ". The two groups also differ in geometry, so they may be two conformers"
    return Verdict(name, "error" if certain else "cannot tell", offset, within, text, numbers)


def _differ_in_geometry(frames: FrameSet, predicted: PredictedEnergies, upper: BoolArray) -> bool:
    """Return whether no frames of the two groups are as near to each other as those within a group.

    Nearness is that of the sorted distances.
    """
    descriptor = sorted_distances(frames.select(predicted.frames))
    square = np.sum(descriptor**2, axis=1)
    distance = np.maximum(square[:, None] + square - 2 * descriptor @ descriptor.T, 0.0)
    np.fill_diagonal(distance, np.inf)
    across = np.sort(distance[upper][:, ~upper].min(axis=1))[:3].max()
    within = min(np.median(distance[np.ix_(side, side)].min(axis=1)) for side in (upper, ~upper))
    return bool(across > NEAR_ACROSS**2 * within)
