"""Whether energies are the integral of the forces: scale, sign, order of frames, levels of theory."""

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.compared_energies import ENERGY_MADS, MIN_FRAMES, RELIABLE, ComparedEnergies
from mdaug.data.verification.energy_levels import two_levels
from mdaug.data.verification.kernel_energies import similar_frames, without_smooth_part
from mdaug.data.verification.kinetic_energy import kinetic_energy_verdict
from mdaug.data.verification.regression import CLEAR, SCALE_LIMITS, expected_correlation, regress, robust_std
from mdaug.data.verification.remedies import Remedies
from mdaug.frames import FloatArray, IntArray
from mdaug.verdicts import Verdict

NAME, FORCES_NAME = "energies against forces", "forces against other frames"

MIN_EXPLAINED = 0.2
"""Share of the forces below which the model means nothing: too few frames, or forces of other positions."""

SMOOTH, NOT_SMOOTH = 0.4, 0.05
"""Share of the variance of predicted energies that those of similar frames explain, from which on given
energies must be smooth too, and share below which they are not."""

OUTLIER_SHARE = 0.4
"""Robust standard deviations of the energies that an outlier is off at least."""

FORCE_OUTLIER, FORCE_SHARE = 8.0, 1.5
"""Error of the forces of a frame that stands out, relative to the median error and to the median force."""

MIN_SMOOTH_FRAMES = 100
"""Frames for a statement on the smoothness of energies."""

MAX_SHARE = 0.2
"""More frames than this share do not stand out."""

N_SIMILAR = 3
"""Most similar frames whose energies are compared with that of each frame."""

CERTAINLY_IN_ORDER = 0.97
"""Correlation beyond which no other order is tried."""

UNEXPLAINED_FACTOR = 0.6
"""Another order of the energies must lower the unexplained share of their variance by this factor."""

MAX_TIME_SHIFT = 3
"""Frames by which energies may be shifted against positions and forces."""


def consistency_verdicts(compared: ComparedEnergies | None, remedies: Remedies) -> list[Verdict]:
    """Return whether energies are the integral of the forces and each frame's forces fit those of the others.

    Parameters
    ----------
    compared
        Energies as read in the stated units beside those predicted from forces; None where no model could be
        fitted.
    remedies
        What would mend a wrong slope.
    """
    if compared is None or not compared.are_many:
        needed = f"needs at least {MIN_FRAMES} frames of several atoms with vibrations, more if cells differ"
        return [_cannot_tell(needed)]
    if not compared.differ:
        return [_cannot_tell("the forces imply energies that hardly differ between frames")]
    if compared.predicted.explained < MIN_EXPLAINED:
        share = f"{100 * max(compared.predicted.explained, 0):.0f} %"
        return [_cannot_tell(f"only {share} of the forces are explained by those of other frames")]
    return [_energies_verdict(compared, remedies), _forces_verdict(compared)]


def _energies_verdict(compared: ComparedEnergies, remedies: Remedies) -> Verdict:
    predicted, energies, fit = compared.predicted, compared.energies, compared.fit
    offset = two_levels(compared.frames, predicted, energies, NAME)
    if offset is not None:
        return offset
    shift = None if fit.correlation > CERTAINLY_IN_ORDER else _order_that_fits(compared)
    if shift is not None:
        text = f"energies belong to other frames: they fit the forces if {shift}: restore the order"
        return Verdict(NAME, "error", fit.correlation, CLEAR, text)
    is_clear = abs(fit.correlation) > CLEAR
    verdict = _judge_slope(compared, remedies) if is_clear else _judge_unrelated(compared)
    if verdict.verdict != "cannot tell" or compared.frames.cells is not None or len(energies) <= N_SIMILAR:
        return verdict
    return (
        kinetic_energy_verdict(energies, fit, predicted, _correlation_between_similar(compared), NAME)
        or verdict
    )


def _judge_slope(compared: ComparedEnergies, remedies: Remedies) -> Verdict:
    fit = compared.fit
    limit = f"{SCALE_LIMITS[0]:g} to {SCALE_LIMITS[1]:g}"
    measured = (
        f"energies are {fit.slope:.3g} times what the forces imply, correlation {fit.correlation:.2f}, "
        f"scatter {fit.scatter:.2g} eV"
    )
    level = fit.slope_level(len(compared.energies))
    if level == "error":
        return Verdict(NAME, level, fit.slope, limit, f"{remedies.explain_slope(fit.slope)} ({measured})")
    if level == "cannot tell":
        return _cannot_tell(measured, fit.slope)
    off = _stands_out(compared)
    if len(off) == 0:
        return Verdict(NAME, level, fit.slope, limit, measured)
    return _outliers_verdict(compared, off, limit)


def _outliers_verdict(compared: ComparedEnergies, off: IntArray, limit: str) -> Verdict:
    """Return the verdict on frames, at the places `off`, whose energies stand out."""
    numbers = tuple(compared.predicted.frames[off].tolist())
    worst = float(np.abs(compared.residual[off]).max())
    text = (
        f"{len(numbers)} frames have energies that do not fit their forces (off by up to {worst:.3g} eV "
        f"where the others scatter by {robust_std(compared.residual):.2g} eV): look at "
        f"{shown(compared.frames, numbers)} (SCF not converged?), or leave them out with --drop-outliers"
    )
    return Verdict(NAME, "warning", worst, limit, text, numbers)


def _stands_out(compared: ComparedEnergies) -> IntArray:
    """Return the places of frames whose energies do not fit, though their forces are predicted as usual.

    Frames whose forces are predicted badly may have badly predicted energies.
    """
    if not compared.single_frames_are_judged:
        return np.empty(0, np.int64)
    residual, force_errors = compared.residual, compared.predicted.force_errors
    doubt = np.maximum(1.0, force_errors / max(float(np.median(force_errors)), 1e-12))
    limit = ENERGY_MADS * robust_std(residual) * doubt
    return np.flatnonzero(np.abs(residual) > np.maximum(limit, OUTLIER_SHARE * robust_std(compared.energies)))


def _forces_verdict(compared: ComparedEnergies) -> Verdict:
    """Return the verdict on frames whose forces are far from those that the other frames imply."""
    frames, predicted = compared.frames, compared.predicted
    if not compared.single_frames_are_judged:
        text = (
            f"{100 * max(predicted.explained, 0):.0f} % of the forces are explained by those of other frames"
        )
        return Verdict(FORCES_NAME, "cannot tell", predicted.explained, RELIABLE, f"{text}: too few")
    errors = predicted.force_errors
    typical = float(np.median(np.sqrt(np.mean(frames.forces[predicted.frames] ** 2, axis=(1, 2)))))
    limit = max(FORCE_OUTLIER * float(np.median(errors)), FORCE_SHARE * typical)
    off = np.flatnonzero(errors > limit)
    if len(off) == 0 or len(off) > MAX_SHARE * len(errors):
        text = (
            f"errors of predicted forces are up to {errors.max() / typical:.2g} times the forces of a frame"
        )
        return Verdict(FORCES_NAME, "ok", float(errors.max()), limit, text)
    numbers = tuple(predicted.frames[off].tolist())
    text = (
        f"{len(numbers)} frames have forces that differ by up to {errors[off].max():.3g} eV/Å from "
        f"those that the other frames imply (typically {np.median(errors):.2g} eV/Å): look at "
        f"{shown(frames, numbers)} (SCF not converged?), or leave them out with --drop-outliers"
    )
    return Verdict(FORCES_NAME, "warning", float(errors[off].max()), limit, text, numbers)


def _judge_unrelated(compared: ComparedEnergies) -> Verdict:
    predicted, energies, fit = compared.predicted, compared.energies, compared.fit
    is_molecule = compared.frames.cells is None
    expected, lacking = expected_correlation(predicted.reliability, len(energies))
    measured = (
        f"correlation {fit.correlation:.2f} of the energies with those integrated from the forces; "
        f"expected at least {expected:.2f}, as fits to either half of the forces agree "
        f"({predicted.reliability:.2f})"
    )
    is_certain = abs(fit.correlation) < lacking
    if not is_certain and is_molecule and len(energies) >= MIN_SMOOTH_FRAMES:
        given, implied = (_smooth_share(compared.positions, each) for each in (energies, predicted.energies))
        measured += (
            f"; energies of similar frames explain {100 * max(given, 0):.0f} % of the variance of given "
            f"energies and {100 * max(implied, 0):.0f} % of that of energies integrated from forces"
        )
        is_certain = implied > SMOOTH and given < NOT_SMOOTH
    if is_certain and is_molecule and len(energies) > N_SIMILAR:
        between = _correlation_between_similar(compared)
        measured += f"; differences between similar frames correlate by {between:.2f}"
        is_certain = between < CLEAR
    if not is_certain:
        return _cannot_tell(measured, fit.correlation)
    text = (
        f"energies do not belong to the frames ({measured}): shuffled, of another calculation, of several "
        "levels of theory, or total energies of the dynamics; expected E and F = −∂E/∂r of one calculation"
    )
    return Verdict(NAME, "error", fit.correlation, expected, text)


def _correlation_between_similar(compared: ComparedEnergies) -> float:
    """Return the correlation of given and predicted energy differences between similar frames.

    Forces do not determine the offset between regions that no frame connects, such as those of a proton that
    is at one or another molecule.
    """
    similar = similar_frames(compared.positions, N_SIMILAR)
    both = compared.energies, compared.predicted.energies
    given, implied = (each[:, None] - each[similar] for each in both)
    return float(np.sum(given * implied) / max(np.sqrt(np.sum(given**2) * np.sum(implied**2)), 1e-300))


def _smooth_share(positions: FloatArray, energies: FloatArray) -> float:
    """Return the share of the variance of energies that the energies of the other frames explain."""
    unexplained = without_smooth_part(positions, energies - energies.mean())
    return 1 - (robust_std(unexplained) / max(robust_std(energies), 1e-12)) ** 2


def _order_that_fits(compared: ComparedEnergies) -> str | None:
    """Return how energies must be moved to fit much better than in their order; None if no simple order does.

    Energies of consecutive frames of one trajectory may correlate with their neighbors' forces.
    """
    given, predicted = compared.frames.energies, compared.predicted
    candidates = {"the file's energies are read in reverse order": given[::-1]}
    for shift in (s for k in range(1, MAX_TIME_SHIFT + 1) for s in (k, -k)):
        direction = "later" if shift > 0 else "earlier"
        frame = "one frame" if abs(shift) == 1 else f"{abs(shift)} frames"
        candidates[f"each is moved to {frame} {direction}"] = np.roll(given, shift)
    for order, energies in candidates.items():
        correlation = regress(predicted.comparable(energies), predicted.energies).correlation
        better = 1 - correlation**2 < UNEXPLAINED_FACTOR * (1 - compared.fit.correlation**2)
        if better and correlation > CLEAR and correlation > 4 / np.sqrt(len(given)):
            return order
    return None


def _cannot_tell(why: str, value: float | None = None) -> Verdict:
    return Verdict(NAME, "cannot tell", value, CLEAR, f"energies cannot be compared with forces: {why}")
