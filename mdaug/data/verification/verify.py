"""All checks of a set of frames, in the order in which one rests on the other."""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.duplicates import NAME as DUPLICATES
from mdaug.data.verification.duplicates import group_duplicates
from mdaug.data.verification.energies_from_forces import predict_energies
from mdaug.data.verification.energy_force_consistency import consistency_verdict, measured_slope
from mdaug.data.verification.force_balance import balance_verdict
from mdaug.data.verification.molecular_identity import identity_verdict
from mdaug.data.verification.outliers import outlier_verdicts, outliers
from mdaug.data.verification.records import groups_verdict, record_verdicts, weights_verdict
from mdaug.data.verification.structure import check_structure, contact_verdict
from mdaug.data.verification.unit_inference import (
    force_verdict,
    length_verdict,
    measure_units,
    with_lengths_in,
)
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.molecules import warn_of_parting
from mdaug.verdicts import Verdict

AUGMENTED_KINDS = {"displacement", "stretch", "impulse"}
"""Kinds of augmented frames (`mdaug.augmentation.generate`)."""


@dataclass(frozen=True)
class Effort:
    """How much time the comparison of energies and forces may take.

    Parameters
    ----------
    n_equations
        Force components in the fit; the time grows with their third power.
    n_predicted
        Frames whose energies are compared.
    """

    n_equations: int
    n_predicted: int


AT_LOAD = Effort(n_equations=1800, n_predicted=1000)
THOROUGH = Effort(n_equations=3000, n_predicted=2000)


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
        Time that the comparison of energies with forces may take; None leaves it out.

    Raises
    ------
    DataError
        For no frame, an unknown element, NaN or infinity, or cells without volume: nothing can be checked.
    """
    check_structure(frames)
    if is_augmented(frames):
        return _verify_augmented(frames)
    verdicts = outlier_verdicts(frames)
    usable = np.setdiff1d(np.arange(len(frames)), outliers(verdicts))
    evidence, bonds, length_unit = measure_units(frames.select(usable))
    # wrong lengths would leave all atoms apart, or put thousands within a cutoff
    in_a = with_lengths_in(frames, length_unit)
    identity = identity_verdict(in_a)
    if identity.verdict == "error":
        usable = np.setdiff1d(usable, outliers([identity]))
        evidence, bonds, _ = measure_units(frames.select(usable))
    predicted = None
    if effort is not None:
        predicted = predict_energies(
            in_a, usable, n_equations=effort.n_equations, n_predicted=effort.n_predicted
        )
        evidence = replace(evidence, slope=measured_slope(frames, predicted))
    verdicts += [
        contact_verdict(frames),
        length_verdict(evidence, stated),
        force_verdict(frames.select(usable), evidence, bonds, stated),
        identity,
        balance_verdict(in_a, usable, bonds),
    ]
    if effort is not None:
        verdicts.append(consistency_verdict(in_a, predicted, evidence, stated))
    off = outliers([v for v in verdicts if v.name not in (identity.name,) and v.verdict == "warning"])
    off = np.union1d(off, outliers([v for v in verdicts if v.name == "frames without forces"]))
    verdicts += record_verdicts(in_a, usable)
    grouped, duplicates = group_duplicates(frames)
    verdicts.append(duplicates)
    return Verification(grouped, tuple(verdicts), off)


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


def _verify_augmented(frames: FrameSet) -> Verification:
    """Return the checks that augmented frames must pass: bonds and energies are distorted on purpose."""
    grouped, duplicates = group_duplicates(frames)
    verdicts = (weights_verdict(frames), groups_verdict(frames), duplicates)
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
