"""Assessment of a force-matched field before it is used.

A field labels frames far from those that it was fitted to, so small errors on the frames are not enough. It
is used only if it predicts the forces of frames that were left out of the fit, its parameters are physical,
every bond has one minimum and dissociates upwards, atoms that are not bonded repel each other, and no
geometry out of some thousands has an energy below that of the frames by more than these differ.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mdaug.augmentation.force_matching.checks import (
    HELD_OUT_SHARE,
    HeldOut,
    check_contacts,
    check_curves,
    check_held_out,
    check_parameters,
)
from mdaug.augmentation.force_matching.distorted_geometries import check_geometries
from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.force_field import CUTOFF_A, ForceField
from mdaug.augmentation.force_matching.shared_parameters import Donor, Donors
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict, worst

TIGHTER = 0.25
"""Factor on the prior widths of terms that fail a check."""

LEFT_OUT = 1e-5
"""The same of terms that fail again: their coefficients are zero."""

ROUNDS = 5
"""Fits, at most."""

ROUGH_SHARE = 0.5
"""Largest rms error of held-out forces, in rms forces, of a field that is a baseline, but makes no labels."""

FEW_FRAMES = 100
"""Of fewer frames than this, a sixth instead of half is held out if half is not enough for a fit."""


@dataclass(frozen=True)
class FieldAssessment:
    """Verdicts on a force-matched field.

    Parameters
    ----------
    verdicts
        One for each check.
    changed
        Terms that were fitted with a tighter prior or left out, and whether parameters of other systems were
        the prior.
    suspects
        Coefficients of the terms that failed a check; all, where no term is to blame.
    """

    verdicts: tuple[Verdict, ...]
    changed: tuple[str, ...] = ()
    suspects: tuple[int, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether the field may be used."""
        return worst(self.verdicts) != "error"

    @property
    def reason(self) -> str:
        """One sentence: why the field is used or not."""
        failed = [verdict.text for verdict in self.verdicts if verdict.verdict == "error"]
        return failed[0] if failed else self.verdicts[0].text


class UnsoundFieldError(DataError):
    """A force-matched field that failed its assessment.

    Parameters
    ----------
    name
        Of the frames.
    assessment
        Its verdicts.
    field
        The field.
    """

    def __init__(self, name: str, assessment: FieldAssessment, field: ForceField) -> None:
        super().__init__(f"{name}: {assessment.reason}")
        self.assessment, self.field = assessment, field


def fit_and_assess(
    frames: FrameSet, cutoff: float = CUTOFF_A, donors: Sequence[Donor] = ()
) -> tuple[ForceField, HeldOut, FieldAssessment]:
    """Fit a force field to `frames` and assess it; terms that fail are fitted again, then left out.

    Parameters
    ----------
    frames
        Frames of molecules near equilibrium.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs of a molecule have no energy.
    donors
        Fields of other systems. Their parameters are the prior if that lowers the errors of held-out forces.

    Raises
    ------
    DataError
        If no force field can be fitted to these frames, or they are fewer than 4.
    """
    fitted, others = frames.select(slice(0, None, 2)), frames.select(slice(1, None, 2))
    if len(np.unique(others.group)) < 2:
        raise DataError(f"{frames.name}: too few frames to assess a force field; expected at least 4")
    factors: FloatArray | None = None
    changed: tuple[str, ...] = ()
    first, first_half = own_field(donors, cutoff), None
    if donors:
        donors, why, first_half = _if_better(donors, fitted, others, cutoff)
        changed, first = (why,), None if donors else first
    for _ in range(ROUNDS):
        field = match_forces(frames, factors, cutoff, donors) if first is None else first
        factors = np.ones(field.terms.n_coefficients) if factors is None else factors
        if first_half is None or first_half.terms.n_coefficients != len(factors):
            first_half = match_forces(fitted, factors, cutoff, donors)
        half = HeldOut(first_half, fitted, others)
        assessment = assess(field, frames, half)
        if not assessment.sound and len(frames) < FEW_FRAMES:  # half of them may be too few for a fit
            assessment = assess(field, frames, _one_of_six(frames, factors, cutoff, donors))
        assessment = replace(assessment, changed=changed)
        tighter = narrowed(factors, assessment.suspects)
        if assessment.sound or np.array_equal(tighter, factors):
            break
        first = first_half = None
        n_left_out = int(np.sum((tighter == LEFT_OUT) & (factors > LEFT_OUT)))
        n_tighter = int(np.sum(tighter < factors)) - n_left_out
        factors = tighter
        changed += (
            f"{assessment.reason}: {n_tighter} terms fitted with a tighter prior, {n_left_out} left out",
        )
    return field, half, assessment


def own_field(donors: Sequence[Donor], cutoff: float) -> ForceField | None:
    """Return the field that was fitted to the frames of the system itself, alone; None if there is none.

    Parameters
    ----------
    donors
        Fields of other systems.
    cutoff
        Cutoff that the field must have, Å.
    """
    own = donors.own if isinstance(donors, Donors) else None
    return own if own is not None and own.cutoff == cutoff else None


def _if_better(
    donors: Sequence[Donor], fitted: FrameSet, others: FrameSet, cutoff: float
) -> tuple[Sequence[Donor], str, ForceField]:
    """Return the donors if with them the held-out forces of `others` have smaller errors, else none; why; and
    the field of `fitted` with or without them."""
    fields = [match_forces(fitted, None, cutoff, given) for given in ((), donors)]
    alone, shared = (KCAL_MOL_PER_EV * _rms_error(field, others) for field in fields)
    names = "parameters of equal environments in other systems"
    errors = f"held-out forces are off by {shared:.2g} kcal/mol/Å rms with them, {alone:.2g} without"
    if shared < alone:
        return donors, f"{names}: {errors}", fields[1]
    return (), f"no {names}: {errors}", fields[0]


def _rms_error(field: ForceField, frames: FrameSet) -> float:
    errors = frames.forces - field.evaluate(frames.positions, frames.periodic_cells)[1]
    return float(np.sqrt(np.mean(errors**2)))


def fit_sound_field(
    frames: FrameSet, cutoff: float = CUTOFF_A, donors: Sequence[Donor] = ()
) -> tuple[ForceField, HeldOut, FieldAssessment]:
    """Fit a force field to `frames` and assess it; refuse one that fails.

    Parameters
    ----------
    frames, cutoff, donors
        As for `fit_and_assess`.

    Raises
    ------
    DataError
        As for `fit_and_assess`.
    UnsoundFieldError
        If the field fails its assessment.
    """
    field, held_out, assessment = fit_and_assess(frames, cutoff, donors)
    if not assessment.sound:
        raise UnsoundFieldError(frames.name, assessment, field)
    return field, held_out, assessment


def is_rough(field: ForceField, frames: FrameSet, verdicts: Sequence[Verdict], seed: int = 0) -> bool:
    """Return whether a field is only inaccurate: of its checks that of held-out forces alone has failed.

    Parameters
    ----------
    field
        A field that failed its assessment.
    frames
        The frames that it was fitted to.
    verdicts
        Of the assessment, that of held-out forces first; `assess` leaves out the last checks where that one
        fails.
    seed
        Seed of the geometries.
    """
    held_out, *others = verdicts
    assert isinstance(held_out.value, float) and isinstance(held_out.limit, float)
    share = HELD_OUT_SHARE * held_out.value / held_out.limit
    if held_out.verdict != "error" or share > ROUGH_SHARE or worst(others) == "error":
        return False
    checks = [check_curves(field, frames), check_contacts(field, frames)]
    if any(verdict.verdict == "error" for verdict, _ in checks):
        return False
    return check_geometries(field, frames, np.random.default_rng(seed))[0].verdict != "error"


def narrowed(factors: FloatArray, suspects: tuple[int, ...]) -> FloatArray:
    """Return factors on prior widths, those of some terms smaller: `TIGHTER`, the next time `LEFT_OUT`.

    Parameters
    ----------
    factors
        Shape (n_coefficients,).
    suspects
        The terms.
    """
    tighter, chosen = factors.copy(), list(suspects)
    tighter[chosen] = np.where(factors[chosen] > TIGHTER, TIGHTER, LEFT_OUT)
    return tighter


def _one_of_six(
    frames: FrameSet, factors: FloatArray | None, cutoff: float, donors: Sequence[Donor]
) -> HeldOut:
    """Return a field fitted to five of six frames, and the sixth ones."""
    index = np.arange(len(frames))
    fitted, others = frames.select(index[index % 6 != 0]), frames.select(index[index % 6 == 0])
    return HeldOut(match_forces(fitted, factors, cutoff, donors), fitted, others)


def assess(field: ForceField, frames: FrameSet, held_out: HeldOut, seed: int = 0) -> FieldAssessment:
    """Check a force field that was fitted to `frames`.

    Parameters
    ----------
    field
        The force field.
    frames
        The frames that it was fitted to.
    held_out
        The same kind of force field of half of the frames, and the other half.
    seed
        Seed of the geometries.
    """
    checks = [check_held_out(held_out, frames), *check_parameters(field)]
    if checks[0][0].verdict != "error":  # else no other prior mends it
        checks += [check_curves(field, frames), check_contacts(field, frames)]
    if all(verdict.verdict != "error" for verdict, _ in checks):  # else its energies mean nothing
        checks.append(check_geometries(field, frames, np.random.default_rng(seed)))
    suspects = sorted({coefficient for _, failed in checks for coefficient in failed})
    return FieldAssessment(tuple(verdict for verdict, _ in checks), suspects=tuple(suspects))
