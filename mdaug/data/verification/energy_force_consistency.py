"""Whether energies are the integral of the forces: scale, sign, order of frames, levels of theory."""

from dataclasses import dataclass, replace

import numpy as np

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.duplicates import sorted_distances
from mdaug.data.verification.energies_from_forces import PredictedEnergies
from mdaug.data.verification.messages import shown
from mdaug.data.verification.unit_inference import UnitEvidence, fitting_units
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.verdicts import Verdict

NAME = "energies against forces"

MIN_FRAMES = 20
"""Frames with a predicted energy for a statement."""

CLEAR = 0.6
"""Correlation of given and predicted energies beyond which scale and sign are measured (clean sets: 0.75 to
0.99)."""

UNRELATED = 0.3
"""Correlation below which energies do not belong to the frames, where forces are predicted well."""

WELL_PREDICTED = 0.8
"""Share of the forces explained beyond which clean energies correlate by more than 0.8."""

SCALE_LIMITS = (0.7, 1.43)
"""Of the slope of energies against predicted energies."""

SCALE_TOLERANCE = 0.2
"""Logarithm within which a named factor explains a slope."""

OFFSET_SHARPNESS = 0.35
"""Two levels of energy are told apart where the scatter within them is below this share of the whole scatter
(0.6 for a normal, 0.5 for a uniform distribution)."""

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

OUTLIER_MADS = 8.0
"""Frames beyond this many median absolute deviations (times 1.48) from the others stand out."""

RELIABLE, MIN_FITTED = 0.85, 30
"""Share of the forces explained, and frames in the fit, from which on single frames are judged."""

OUTLIER_SHARE = 3.0
"""Standard deviations of the energies that an outlier is off at least."""

CERTAINLY_IN_ORDER = 0.97
"""Correlation beyond which no other order is tried."""

UNEXPLAINED_FACTOR = 0.6
"""Another order of the energies must lower the unexplained share of their variance by this factor."""

MAX_TIME_SHIFT = 3
"""Frames by which energies may be shifted against positions and forces."""


@dataclass(frozen=True)
class Regression:
    """Energies (eV) of frames against those predicted from forces."""

    correlation: float
    slope: float
    residual: FloatArray
    """Shape (n,), eV: energies minus slope times predicted energies, median zero."""
    scatter: float
    """Robust standard deviation of `residual`, eV."""
    outliers: IntArray
    """Places, among the n frames, of those that stand out."""


def regress(energies: FloatArray, predicted: FloatArray) -> Regression:
    """Fit `energies` = slope · `predicted` + constant, leaving out what stands out.

    The slope is the ratio of the standard deviations with the sign of the correlation: unlike that of least
    squares it is not lowered by errors of the predictions.
    """
    keep = np.abs(energies - np.median(energies)) <= 12 * _robust_std(energies) + 1e-12
    slope, correlation = 1.0, 0.0
    for _ in range(4):
        e, p = energies[keep], predicted[keep]
        if e.std() < 1e-12 or p.std() < 1e-12:
            break
        correlation = float(np.corrcoef(e, p)[0, 1])
        slope = float(np.copysign(e.std() / p.std(), correlation))
        residual = energies - slope * predicted
        off = np.abs(residual - np.median(residual[keep]))
        kept = off <= OUTLIER_MADS * max(_robust_std(residual[keep]), 1e-9)
        if kept.mean() < 1 - 2 * MIN_SHARE or (kept == keep).all():
            break
        keep = kept
    residual = energies - slope * predicted
    residual -= np.median(residual[keep])
    return Regression(correlation, slope, residual, _robust_std(residual[keep]), np.flatnonzero(~keep))


def measured_slope(frames: FrameSet, predicted: PredictedEnergies | None) -> float | None:
    """Return the slope of energies against predicted ones; None where their correlation is not clear."""
    if predicted is None or len(predicted.frames) < MIN_FRAMES or np.std(predicted.energies) < 1e-5:
        return None
    fit = regress(frames.energies[predicted.frames], predicted.energies)
    return fit.slope if abs(fit.correlation) > CLEAR else None


def consistency_verdict(
    frames: FrameSet, predicted: PredictedEnergies | None, evidence: UnitEvidence, stated: StatedUnits
) -> Verdict:
    """Return whether the energies of `frames` are the integral of their forces, and what would mend them.

    Parameters
    ----------
    frames
        All frames, in eV and Å as read in the stated units.
    predicted
        Energies predicted from forces; None where no model could be fitted.
    evidence
        Ratios of lengths and stiffness, for units that fit energies and forces together.
    stated
        Units in which the frames were read.
    """
    if predicted is None or len(predicted.frames) < MIN_FRAMES:
        return _cannot_tell(f"needs at least {MIN_FRAMES} frames of several atoms with vibrations")
    if np.std(predicted.energies) < 1e-5:
        return _cannot_tell("the forces imply energies that hardly differ between frames")
    energies = frames.energies[predicted.frames]
    offset = _two_levels(frames, predicted, energies)
    if offset is not None:
        return offset
    fit = regress(energies, predicted.energies)
    shift = None if fit.correlation > CERTAINLY_IN_ORDER else _order_that_fits(frames, predicted, fit)
    if shift is not None:
        text = f"energies belong to other frames: they fit the forces if {shift}: restore the order"
        return Verdict(NAME, "error", fit.correlation, CLEAR, text)
    if abs(fit.correlation) > CLEAR:
        return _judge_slope(energies, fit, predicted, evidence, stated)
    return _judge_unrelated(fit, predicted)


def _judge_slope(
    energies: FloatArray,
    fit: Regression,
    predicted: PredictedEnergies,
    evidence: UnitEvidence,
    stated: StatedUnits,
) -> Verdict:
    limit = f"{SCALE_LIMITS[0]:g} to {SCALE_LIMITS[1]:g}"
    measured = (
        f"slope {fit.slope:.3g}, correlation {fit.correlation:.2f}, scatter {fit.scatter:.2g} eV against the "
        "energies integrated from the forces"
    )
    if SCALE_LIMITS[0] < fit.slope < SCALE_LIMITS[1]:
        off = _stands_out(energies, fit, predicted)
        if len(off) == 0:
            return Verdict(NAME, "ok", fit.slope, limit, measured)
        numbers = tuple(int(n) for n in predicted.frames[off])
        text = (
            f"{len(numbers)} frames have energies that do not fit their forces (off by up to "
            f"{np.abs(fit.residual[off]).max():.3g} eV where the others scatter by {fit.scatter:.2g} eV): "
            "look at frames "
            + shown(numbers)
            + " (SCF not converged?), or leave them out with --drop-outliers"
        )
        return Verdict(NAME, "warning", float(np.abs(fit.residual[off]).max()), limit, text, numbers)
    # errors of the predictions lower one regression's slope by the correlation and raise the other's
    lowest, highest = sorted((fit.slope * abs(fit.correlation), fit.slope / abs(fit.correlation)))
    if fit.slope > 0 and highest > SCALE_LIMITS[0] and lowest < SCALE_LIMITS[1]:
        return _cannot_tell(measured, fit.slope)
    return Verdict(
        NAME, "error", fit.slope, limit, f"{_explain(fit, predicted, evidence, stated)} ({measured})"
    )


def _stands_out(energies: FloatArray, fit: Regression, predicted: PredictedEnergies) -> IntArray:
    """Return the places of frames whose energies do not fit, though their forces are predicted as usual.

    Frames whose forces are predicted badly may have badly predicted energies.
    """
    if predicted.explained < RELIABLE or predicted.fitted.sum() < MIN_FITTED:
        return np.empty(0, np.int64)
    limit = np.full(len(energies), np.inf)
    for part in (predicted.fitted, ~predicted.fitted):  # frames outside the fit are predicted less well
        if part.sum() < MIN_FRAMES:
            continue
        usual = float(np.median(predicted.force_errors[part]))
        doubt = np.maximum(1.0, predicted.force_errors[part] / max(usual, 1e-12)) ** 2
        limit[part] = OUTLIER_MADS * max(_robust_std(fit.residual[part]), fit.scatter) * doubt
    limit = np.maximum(limit, OUTLIER_SHARE * _robust_std(energies))
    return np.flatnonzero(np.abs(fit.residual) > limit)


def _explain(
    fit: Regression, predicted: PredictedEnergies, evidence: UnitEvidence, stated: StatedUnits
) -> str:
    """Return what would make a slope 1: units, sign or the number of atoms."""
    start = "energies do not fit the forces: "
    units = fitting_units(replace(evidence, slope=fit.slope), stated)
    if fit.slope < 0:
        also = ""
        if units is not None and units != stated:
            also = f", and state {units.options()}"
        if evidence.stiffness is None:
            what = "either the energies or the forces have"
        else:
            what = "the forces have" if evidence.stiffness < 0 else "the energies have"
        return f"{start}{what} the wrong sign (forces are F = −∂E/∂r, gradients are not): change it{also}"
    n_atoms = predicted.n_atoms
    if n_atoms > 1 and abs(np.log(fit.slope * n_atoms)) < SCALE_TOLERANCE:
        also = ""
        if units is not None and units != stated:
            also = f" (or {units.options()}, if that is what the file holds)"
        return f"{start}they look like energies per atom: multiply them by {n_atoms}{also}"
    if units is not None and units != stated:
        return f"{start}both fit together with {units.options()}"
    return (
        f"{start}energies are {fit.slope:.3g} times what the forces imply, and no pair of units explains it"
    )


def _judge_unrelated(fit: Regression, predicted: PredictedEnergies) -> Verdict:
    measured = (
        f"correlation {fit.correlation:.2f} of the energies with those integrated from the forces; "
        f"{100 * max(predicted.explained, 0):.0f} % of the forces are explained"
    )
    if predicted.explained < WELL_PREDICTED:
        return _cannot_tell(measured, fit.correlation)
    certain = len(predicted.frames) >= 50 and abs(fit.correlation) + 2 / np.sqrt(len(predicted.frames)) < 0.6
    if certain and abs(fit.correlation) < UNRELATED:
        text = (
            f"energies do not belong to the frames ({measured}): shuffled, of another calculation, or of "
            "several levels of theory; expected E and F = −∂E/∂r of the same calculation"
        )
        return Verdict(NAME, "error", fit.correlation, CLEAR, text)
    text = (
        f"energies fit the forces badly ({measured}): are both of the same level of theory in every frame, "
        "and is every SCF converged?"
    )
    return Verdict(NAME, "warning", fit.correlation, CLEAR, text)


def _order_that_fits(frames: FrameSet, predicted: PredictedEnergies, fit: Regression) -> str | None:
    """Return how energies must be moved to fit much better than in their order; None if no simple order does.

    Energies of consecutive frames of one trajectory may correlate with their neighbors' forces.
    """
    n = len(frames)
    candidates = {"the file's energies are read in reverse order": frames.energies[::-1]}
    for shift in (s for k in range(1, MAX_TIME_SHIFT + 1) for s in (k, -k)):
        direction = "later" if shift > 0 else "earlier"
        frame = "one frame" if abs(shift) == 1 else f"{abs(shift)} frames"
        candidates[f"each is moved to {frame} {direction}"] = np.roll(frames.energies, shift)
    for order, energies in candidates.items():
        correlation = regress(energies[predicted.frames], predicted.energies).correlation
        better = 1 - correlation**2 < UNEXPLAINED_FACTOR * (1 - fit.correlation**2)
        if better and correlation > CLEAR and correlation > 4 / np.sqrt(n):
            return order
    return None


def _two_levels(frames: FrameSet, predicted: PredictedEnergies, energies: FloatArray) -> Verdict | None:
    """Return a verdict if the energies minus the predicted ones fall into two groups."""
    residual = energies - predicted.energies
    order = np.argsort(residual)
    sorted_residual = residual[order]
    n = len(residual)
    size = np.arange(1, n)
    total, total_square = np.cumsum(sorted_residual), np.cumsum(sorted_residual**2)
    low = total_square[:-1] - total[:-1] ** 2 / size
    high = (total_square[-1] - total_square[:-1]) - (total[-1] - total[:-1]) ** 2 / (n - size)
    split = int(np.argmin(low + high)) + 1
    within = float(np.sqrt(max((low + high).min(), 0.0) / n))
    share = min(split, n - split) / n
    if share < MIN_SHARE or within > OFFSET_SHARPNESS * residual.std():
        return None
    upper = np.zeros(n, bool)
    upper[order[split:]] = True
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
        f"{'above' if minority is upper else 'below'} the others, beyond what the forces imply (frames "
        f"{shown(numbers)}): two levels of theory, basis sets or zeros of energy in one file; expected one"
    )
    certain = abs(offset) > ALWAYS_AN_OFFSET_EV or not _differ_in_geometry(frames, predicted, upper)
    if not certain:
        text += ". The two groups also differ in geometry, so they may be two conformers"
    return Verdict(NAME, "error" if certain else "cannot tell", offset, within, text, numbers)


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


def _cannot_tell(why: str, value: float | None = None) -> Verdict:
    return Verdict(NAME, "cannot tell", value, CLEAR, f"energies cannot be compared with forces: {why}")


def _robust_std(values: FloatArray) -> float:
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
