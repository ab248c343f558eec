"""Units and consistency of systems that have too few frames for checks of their own, all of them together.

A file of many molecules may have ten frames of each, which say little; four hundred of forty molecules say as
much as those of one. Bonds of all systems answer their stretch, with the stiffness that Badger's rule expects
of each, and energies of all pairs of similar frames of one system differ by the work of their forces,
ΔE ≈ (g_a + g_b)/2 · (q_b − q_a), g being the derivatives of the energy that the forces imply; it is exact for
harmonic vibrations.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.bond_stiffness import expected_stiffness, length_ratios, vibrating_bonds
from mdaug.data.verification.common_units import FORCE_FACTOR, BondAnswers, bond_answers
from mdaug.data.verification.compared_energies import MIN_SLOPE_WIDTH
from mdaug.data.verification.regression import (
    CLEAR,
    SCALE_LIMITS,
    Regression,
    expected_correlation,
    regress,
    robust_std,
)
from mdaug.data.verification.unit_inference import (
    STIFFNESS_FACTOR,
    UnitEvidence,
    fitting_units,
    options_of,
)
from mdaug.data.verification.works_of_forces import Works, works_of
from mdaug.frames import FrameSet, IntArray, evenly_spaced
from mdaug.verdicts import Verdict

FORCES = "unit of forces, few frames"
FRAMES = "one unit in all frames, few frames"
ENERGIES = "energies against forces, few frames"

ENOUGH = 20
"""Systems with as many frames are checked by themselves."""

MAX_SYSTEMS = 300
"""Systems that are looked at, evenly spaced."""

LEAST = 10
"""Frames, less one for each system, from which on anything is said."""

MANY = 50
"""Frames, less one for each system, from which on energies are said not to belong to the frames at all."""

ANSWERING = 0.6
"""Correlation of pull and stretch over the bonds of a frame from which on it has a force scale."""

MIN_SHARE = 0.02
"""Share of the frames with another scale that is no accident."""

LEAST_ODD = 3
"""Number of frames with another scale that is no accident."""

MIN_RELIABILITY = 0.8
"""Of the works of the forces, from which on a slope is judged: less in scans with large steps."""

ENERGY_FACTOR = 5.0
"""The slope of a system in another unit of energy differs by a greater factor from that of the others."""

SHOWN = 4
"""Systems that a message names."""


def few_frames_verdicts(systems: Sequence[FrameSet], stated: StatedUnits) -> list[Verdict]:
    """Return verdicts on the frames of all systems that have few; none if there are too few in all.

    Parameters
    ----------
    systems
        Frames with forces, in eV and Å as read in the stated units.
    stated
        Units in which they were read.
    """
    few = [frames for frames in systems if 2 <= len(frames) < ENOUGH and frames.n_atoms > 1]
    if sum(len(frames) - 1 for frames in few) < LEAST:
        return []
    few = [few[n] for n in evenly_spaced(len(few), MAX_SYSTEMS)]
    answers = [_answers(frames) for frames in few]
    works = [works_of(frames) for frames in few]
    factor = _typical_scale(answers)
    slope = _Slope.of(few, works)
    ratios = [ratio for frames in few if (ratio := length_ratios(frames)) is not None]
    evidence = UnitEvidence(
        float(np.median(np.concatenate(ratios))) if ratios else None,
        factor,
        slope.fit.slope if slope is not None and slope.is_measured else None,
        MIN_SLOPE_WIDTH if slope is None else max(MIN_SLOPE_WIDTH, slope.fit.log_error),
    )
    verdicts = [
        _forces_verdict(factor, evidence, stated),
        _frames_verdict(few, answers, factor),
        _energies_verdict(few, works, slope, evidence, stated),
    ]
    return [verdict for verdict in verdicts if verdict is not None]


def _answers(frames: FrameSet) -> BondAnswers | None:
    """Return how the bonds between nonmetals answer, by Badger's rule; None if none vibrates."""
    bonds = vibrating_bonds(frames)
    if bonds is None:
        return None
    idx_i, idx_j, d_ij, pull = bonds
    stiffness = expected_stiffness(frames.atomic_numbers, idx_i, idx_j, d_ij.mean(axis=0))
    return bond_answers(d_ij - np.median(d_ij, axis=0), pull - np.median(pull, axis=0), stiffness)


def _typical_scale(answers: Sequence[BondAnswers | None]) -> float | None:
    """Return the median force scale of the frames that have one; None if they are too few."""
    scales = np.concatenate([a.scale[_is_clear(a)] for a in answers if a is not None] or [np.empty(0)])
    return float(np.median(scales)) if len(scales) >= LEAST else None


def _is_clear(answers: BondAnswers) -> IntArray:
    return np.flatnonzero(answers.are_clear(ANSWERING))


@dataclass(frozen=True)
class _Slope:
    """Regression of the energy differences of all systems against the works of the forces."""

    fit: Regression
    per_atom: float
    """Slope if energies are per atom."""
    reliability: float
    n: int
    """Number of independent differences of energies."""

    @classmethod
    def of(cls, systems: Sequence[FrameSet], works: Sequence[Works]) -> "_Slope | None":
        """Return the regression; None if hardly any frames are similar or all energies are to be equal."""
        differences, implied, closures = (np.concatenate(column) for column in zip(*works, strict=True))
        if len(implied) < LEAST or robust_std(implied) < 1e-6:
            return None
        noise = robust_std(closures) ** 2 / 3 if len(closures) else np.inf
        sizes = np.concatenate(
            [np.full(len(one.works), float(s.n_atoms)) for s, one in zip(systems, works, strict=True)]
        )
        return cls(
            regress(differences, implied),
            regress(differences * sizes, implied).slope,
            1 - noise / robust_std(implied) ** 2,
            sum(len(frames) - 1 for frames in systems),
        )

    @property
    def is_measured(self) -> bool:
        """Whether the works are reliable and the energies follow them."""
        return self.reliability > MIN_RELIABILITY and abs(self.fit.correlation) > CLEAR


def _forces_verdict(factor: float | None, evidence: UnitEvidence, stated: StatedUnits) -> Verdict:
    limit = f"{1 / STIFFNESS_FACTOR:g} to {STIFFNESS_FACTOR:g}"
    if factor is None:
        text = "too few bonds between nonmetals whose stretch the forces answer"
        return Verdict(FORCES, "cannot tell", None, limit, text)
    if factor < 0:
        text = (
            "forces have the wrong sign: they push stretched bonds apart: gradients (+∂E/∂r)? expected "
            "F = −∂E/∂r: change their sign"
        )
        return Verdict(FORCES, "error", factor, limit, text)
    if 1 / STIFFNESS_FACTOR < factor < STIFFNESS_FACTOR:
        text = f"bonds are {factor:.2f} times as stiff as their lengths imply, expected {limit}"
        return Verdict(FORCES, "ok", factor, limit, text)
    times = f"{factor:.3g} times too large" if factor > 1 else f"{1 / factor:.3g} times too small"
    text = f"implausible units: forces read in {stated.force} are about {times}: {_advice(evidence, stated)}"
    return Verdict(FORCES, "error", factor, limit, text)


def _frames_verdict(
    systems: Sequence[FrameSet], answers: Sequence[BondAnswers | None], factor: float | None
) -> Verdict | None:
    if factor is None:
        return None
    odd: list[float] = []
    named, n_clear = [], 0
    for frames, one in zip(systems, answers, strict=True):
        clear = np.empty(0, np.int64) if one is None else _is_clear(one)
        if one is None or len(clear) == 0:
            continue
        ratio = one.scale[clear] / factor
        off = (ratio < 0) | (np.abs(np.log(np.maximum(np.abs(ratio), 1e-300))) > np.log(FORCE_FACTOR))
        n_clear += len(clear)
        odd += ratio[off].tolist()
        named += [f"{shown(frames, clear[off])} of {frames.name}"] * bool(off.any())
    if len(odd) < max(LEAST_ODD, MIN_SHARE * n_clear):
        text = "forces of the frames of all systems answer the stretch of bonds alike"
        return Verdict(FRAMES, "ok", float(len(odd)), LEAST_ODD, text)
    typical = float(np.median(odd))
    text = (
        f"forces of {len(odd)} of {n_clear} frames are about {typical:.3g} times those of the others for the "
        f"same stretch of bonds ({_some(named)}): forces of two units or signs; expected one: convert these "
        "frames, or put them into a file of their own"
    )
    return Verdict(FRAMES, "error", typical, FORCE_FACTOR, text)


def _energies_verdict(
    systems: Sequence[FrameSet],
    works: Sequence[Works],
    slope: _Slope | None,
    evidence: UnitEvidence,
    stated: StatedUnits,
) -> Verdict:
    limit = f"{SCALE_LIMITS[0]:g} to {SCALE_LIMITS[1]:g}"
    if slope is None or slope.reliability < MIN_RELIABILITY:
        reliability = None if slope is None else slope.reliability
        text = "no similar frames whose energies forces could compare"
        return Verdict(ENERGIES, "cannot tell", reliability, MIN_RELIABILITY, text)
    fit = slope.fit
    measured = (
        f"differences of energies between similar frames are {fit.slope:.3g} times the works of the "
        f"forces, correlation {fit.correlation:.2f}"
    )
    expected, lacking = expected_correlation(slope.reliability, slope.n)
    if slope.n >= MANY and abs(fit.correlation) < lacking:
        text = (
            f"energies do not belong to the frames: {measured}, expected at least {expected:.2f}: shuffled, "
            "of another calculation, or of several levels of theory; expected E and F = −∂E/∂r of one "
            "calculation"
        )
        return Verdict(ENERGIES, "error", fit.correlation, expected, text)
    if not slope.is_measured:
        return Verdict(ENERGIES, "cannot tell", fit.correlation, CLEAR, measured)
    level = fit.slope_level(slope.n)
    if level == "error":
        return Verdict(ENERGIES, level, fit.slope, limit, _wrong_slope(slope, measured, evidence, stated))
    others = _with_another_slope(systems, works, fit.slope)
    if len(others) > 0:
        text = (
            f"energies of {_some(others)} are in another unit than those of the other systems, or of another "
            "calculation than their forces: put them into a file of their own and state its unit with --units"
        )
        return Verdict(ENERGIES, "error", fit.slope, limit, text)
    if level == "cannot tell":
        measured += (
            f", expected {limit}: too few frames to decide on the units of energies and forces: check them"
        )
    return Verdict(ENERGIES, level, fit.slope, limit, measured)


def _wrong_slope(slope: _Slope, measured: str, evidence: UnitEvidence, stated: StatedUnits) -> str:
    """Return what is wrong with energies whose slope is."""
    if slope.fit.slope < 0:
        return (
            "energies do not fit the forces: one of the two has the wrong sign (forces are F = −∂E/∂r, "
            f"gradients are not) ({measured})"
        )
    if abs(np.log(abs(slope.per_atom))) < 2 * evidence.slope_width:
        return f"energies do not fit the forces: they look like energies per atom ({measured})"
    return f"energies do not fit the forces ({measured}): {_advice(evidence, stated)}"


def _with_another_slope(systems: Sequence[FrameSet], works: Sequence[Works], slope: float) -> list[str]:
    """Return the names of systems whose own slope is clearly another."""
    names = []
    limits = slope / ENERGY_FACTOR, slope * ENERGY_FACTOR
    for frames, one in zip(systems, works, strict=True):
        own = _Slope.of([frames], [one])
        if own is not None and own.is_measured and own.fit.is_surely_beyond(limits, own.n):
            names.append(frames.name)
    return names


def _some(names: Sequence[str]) -> str:
    rest = f" and of {len(names) - SHOWN} more systems" if len(names) > SHOWN else ""
    return "; ".join(names[:SHOWN]) + rest


def _advice(evidence: UnitEvidence, stated: StatedUnits) -> str:
    fitting = [one.units for one in fitting_units(evidence, stated) if one.units != stated]
    if fitting:
        return f"state {options_of(tuple(fitting[:1]), stated)}, which fits"
    return "check the file's units and state them with --units, --force-units and --length-units"
