"""All checks of a set of frames, in the order in which one rests on the other."""

import warnings
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.bond_stiffness import BondStiffness
from mdaug.data.verification.common_units import common_units_verdict
from mdaug.data.verification.compared_energies import ComparedEnergies, measured_slope
from mdaug.data.verification.cut_molecules import cut_verdict
from mdaug.data.verification.duplicates import NAME as DUPLICATES
from mdaug.data.verification.duplicates import group_duplicates
from mdaug.data.verification.energies_from_forces import Effort, predict_energies
from mdaug.data.verification.energy_force_consistency import consistency_verdicts
from mdaug.data.verification.fixed_atoms import fixed_atoms_verdict
from mdaug.data.verification.force_balance import NAME as BALANCE
from mdaug.data.verification.force_balance import balance_verdict
from mdaug.data.verification.force_scales import force_scales_verdict
from mdaug.data.verification.molecular_identity import NAME as IDENTITY
from mdaug.data.verification.molecular_identity import identity_verdict
from mdaug.data.verification.outliers import ZERO_FORCES, outlier_verdicts, outliers
from mdaug.data.verification.records import groups_verdict, record_verdicts, weights_verdict
from mdaug.data.verification.remedies import Remedies
from mdaug.data.verification.stress_consistency import stress_verdict
from mdaug.data.verification.structure import check_structure, contact_verdict
from mdaug.data.verification.unit_inference import (
    STIFFNESS_FACTOR,
    UnitEvidence,
    force_verdict,
    length_verdict,
    measure_units,
)
from mdaug.data.verification.valences import valence_verdict
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.molecules import warn_of_parting
from mdaug.verdicts import Verdict, worst

AUGMENTED_KINDS = {"displacement", "stretch", "impulse"}
"""Kinds of augmented frames (`mdaug.augmentation.generate`)."""


AT_LOAD = Effort(n_equations=1800, n_predicted=4000)
THOROUGH = Effort(n_equations=3000, n_predicted=10_000)

SHARP = 4.0
"""Where `AT_LOAD` would not notice a single energy that is off by so many standard deviations, the comparison
is `THOROUGH`."""

CLEAR_WIDTH = 0.105
"""Where the logarithm of the slope is less certain at `AT_LOAD`, it is too (the width of a correlation of
0.9)."""


@dataclass(frozen=True)
class Verification:
    """Outcome of all checks.

    Parameters
    ----------
    frames
        The frames with duplicates in common groups.
    verdicts
        One for each check.
    outliers
        Indices of frames whose energy or forces stand out.
    """

    frames: FrameSet
    verdicts: tuple[Verdict, ...]
    outliers: IntArray


def verify_frames(frames: FrameSet, stated: StatedUnits, effort: Effort | None = THOROUGH) -> Verification:
    """Check frames and return all verdicts.

    Parameters
    ----------
    frames
        In eV and Å.
    stated
        Units in which the file was read, for advice on other ones.
    effort
        Time that the comparison of energies with forces may take; None leaves out all that fit the forces.

    Raises
    ------
    DataError
        For no frame, an unknown element, NaN or infinity, or cells without volume: nothing can be checked.
    """
    check_structure(frames)
    if not frames.has_forces:
        return _verify_energies_only(frames)
    if is_augmented(frames):
        return _verify_augmented(frames)
    cut = cut_verdict(frames)
    if cut.verdict == "error":  # no other check means anything
        return Verification(frames, (cut,), np.empty(0, np.int64))
    verdicts = [*outlier_verdicts(frames), cut]
    usable = np.setdiff1d(np.arange(len(frames)), outliers(verdicts))
    evidence, bonds = measure_units(frames, usable)
    # wrong lengths would leave all atoms apart, or put thousands within a cutoff
    in_a = frames.scaled(length=evidence.to_a)
    mixtures, doubt = _mixtures(in_a, usable, bonds, stated, effort)
    of_others = outliers([verdict for verdict in mixtures if verdict.verdict == "error"])
    if 0 < len(of_others) < len(usable):  # other checks then judge most frames, not a mean over two kinds
        usable = np.setdiff1d(usable, of_others)
        evidence, bonds = measure_units(frames, usable)
    remedies, compared = _compare(
        frames, in_a, usable, evidence=evidence, stated=stated, effort=effort, doubt=doubt
    )
    verdicts += [
        contact_verdict(frames),
        valence_verdict(in_a),
        *mixtures,
        length_verdict(remedies.evidence, stated, remedies.other_units, remedies.doubt),
        force_verdict(frames.select(usable), bonds, stated, remedies.other_units),
        *compared,
    ]
    of_stresses = None if effort is None else stress_verdict(in_a, usable)
    verdicts += [] if of_stresses is None else [of_stresses]
    off = outliers([v for v in verdicts if v.name != IDENTITY and v.verdict == "warning"])
    off = np.union1d(off, outliers([v for v in verdicts if v.name in (ZERO_FORCES, BALANCE)]))
    verdicts += record_verdicts(in_a, usable)
    grouped, duplicates = group_duplicates(frames)
    verdicts.append(duplicates)
    return Verification(grouped, tuple(verdicts), off)


def _mixtures(
    frames: FrameSet,
    usable: IntArray,
    bonds: BondStiffness | None,
    stated: StatedUnits,
    effort: Effort | None,
) -> tuple[list[Verdict], str | None]:
    """Return the verdicts on frames that differ from most, and what is wrong with all forces, if anything.

    Units of forces are compared only where forces belong to the positions. In a molecule their torque shows
    whether they do; in a cell only the stretch of bonds does, for which all frames must have one unit.
    """
    fixed = fixed_atoms_verdict(frames, usable)
    if frames.cells is None:
        balance = balance_verdict(frames, usable, bonds)
        is_wrong = balance.verdict == "error" and not balance.frames
        with_forces = usable[:0] if is_wrong else np.setdiff1d(usable, outliers([balance]))
        common = common_units_verdict(frames, with_forces, stated)
    else:
        common = common_units_verdict(frames, usable, stated)
        if common.verdict == "error":
            usable = np.setdiff1d(usable, outliers([common]))
            _, bonds = measure_units(frames, usable)
        balance = balance_verdict(frames, usable, bonds)
    of_all = [v for v in (fixed, balance) if v.verdict in ("warning", "error") and not v.frames]
    verdicts = [identity_verdict(frames), common, fixed, balance]
    if effort is not None and common.verdict != "error" and not of_all:
        verdicts.append(force_scales_verdict(frames, np.setdiff1d(usable, outliers([balance])), stated))
    return verdicts, of_all[0].text if of_all else None


def is_augmented(frames: FrameSet) -> bool:
    """Return whether all frames have the complete record of `mdaug augment`; frames of users may have a part.

    The forces of augmented frames need not be the gradient of their energies.

    Parameters
    ----------
    frames
        Any frames.
    """
    rule, kind, parent, displacement = (
        np.asarray(frames.info.get(key, np.nan)) for key in ("rule", "kind", "parent", "displacement")
    )
    return bool(
        rule.dtype.kind == kind.dtype.kind == "U"
        and parent.dtype.kind == "i"
        and displacement.dtype.kind == "f"
        and displacement.shape == frames.positions.shape
        and set(kind.ravel().tolist()) <= AUGMENTED_KINDS
        and np.all(parent >= 0)
        and np.all(np.any(displacement != 0, axis=(1, 2)))
    )


def _compare(
    frames: FrameSet,
    in_a: FrameSet,
    usable: IntArray,
    *,
    evidence: UnitEvidence,
    stated: StatedUnits,
    effort: Effort | None,
    doubt: str | None,
) -> tuple[Remedies, list[Verdict]]:
    """Return what would mend the frames, and the verdicts on energies and forces, `in_a` with lengths in Å.

    What is not clear at little effort is looked at thoroughly. `doubt` says why the forces are not those of
    the positions.
    """
    if effort is None:
        return Remedies(frames, evidence, stated, lambda _: True, doubt), []
    compared = _compared_energies(in_a, usable, effort)
    slope, width = measured_slope(compared)
    evidence = replace(evidence, slope=slope, slope_width=width)
    remedies = Remedies(frames, evidence, stated, partial(_agrees, usable=usable, effort=effort), doubt)
    verdicts = consistency_verdicts(compared, remedies)
    if compared is None or effort.n_equations >= THOROUGH.n_equations:
        return remedies, verdicts
    if worst(verdicts) == "ok" and compared.sharpness < SHARP and width < CLEAR_WIDTH:
        return remedies, verdicts
    return _compare(frames, in_a, usable, evidence=evidence, stated=stated, effort=THOROUGH, doubt=doubt)


def _compared_energies(frames: FrameSet, usable: IntArray, effort: Effort) -> ComparedEnergies | None:
    predicted = predict_energies(frames, usable, effort)
    return None if predicted is None else ComparedEnergies(frames, predicted)


def _agrees(frames: FrameSet, usable: IntArray, effort: Effort) -> bool:
    """Whether lengths, forces and energies agree with each other, as far as they can be measured."""
    evidence, _ = measure_units(frames, usable)
    stiffness = evidence.stiffness
    if evidence.to_a != 1.0:
        return False
    if stiffness is not None and not 1 / STIFFNESS_FACTOR < stiffness < STIFFNESS_FACTOR:
        return False
    slope, width = measured_slope(_compared_energies(frames, usable, effort))
    return slope is None or (slope > 0 and abs(np.log(slope)) < 2 * width)


def _verify_augmented(frames: FrameSet) -> Verification:
    """Return the checks that augmented frames must pass: bonds and energies are distorted on purpose."""
    grouped, duplicates = group_duplicates(frames)
    verdicts = (weights_verdict(frames), groups_verdict(frames), duplicates)
    return Verification(grouped, verdicts, np.empty(0, np.int64))


def _verify_energies_only(frames: FrameSet) -> Verification:
    """Return the checks that frames without forces can have."""
    grouped, duplicates = group_duplicates(frames)
    verdicts = (contact_verdict(frames), weights_verdict(frames), groups_verdict(frames), duplicates)
    return Verification(grouped, verdicts, np.empty(0, np.int64))


def raise_or_warn(verification: Verification, name: str, *, only_duplicates: bool = False) -> FrameSet:
    """Return the frames if they can be used; warn of what is likely wrong.

    Parameters
    ----------
    verification
        Outcome of `verify_frames`.
    name
        Of the file or set, for messages.
    only_duplicates
        Warn of duplicates only: the set is known.

    Raises
    ------
    DataError
        For the first verdict that is an error.
    """
    for verdict in verification.verdicts:
        if verdict.verdict == "error":
            raise DataError(f"{name}: {verdict.text}")
    for verdict in verification.verdicts:
        if verdict.verdict == "warning" and not (only_duplicates and verdict.name != DUPLICATES):
            warnings.warn(f"{name}: {verdict.text}", stacklevel=3)
    warn_of_parting(verification.frames)
    return verification.frames
