"""Label rules by name: each is made from frames and their springs, then labels displaced frames."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.potential_labels import semiempirical_rule
from mdaug.augmentation.spring_labels import SPRING_RULES, Labels, SpringRule, read_springs
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.springs.springs import Springs
from mdaug.verdicts import Verdict

if TYPE_CHECKING:  # imports torch
    from mdaug.augmentation.force_matching.force_field import ForceField
    from mdaug.augmentation.force_matching.shared_parameters import Donor

LabelRule = Callable[[Displacements], Labels]


class NamedRule(NamedTuple):
    """A label rule and its name, which is that of the fallback where the chosen rule cannot be made.

    Parameters
    ----------
    name
        Name in `LABEL_RULES`.
    label
        Returns the labels of displaced frames.
    reason
        One sentence: why the chosen rule is used or not; empty if there is nothing to report.
    verdicts
        Of the assessment of a force-matched field.
    unsound_field
        The field that failed it; None for none.
    """

    name: str
    label: LabelRule
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    unsound_field: "ForceField | None" = None


NO_RULE = "none"
"""Name of a rule that makes no labels."""


def make_rule(
    frames: FrameSet,
    springs: Springs,
    options: AugmentOptions,
    donors: "Sequence[Donor]" = (),
    *,
    stand_in: bool = True,
) -> NamedRule:
    """Return the label rule of `options` for displaced `frames`.

    Frames that no force field can be fitted to (crystals, atoms without bonds, too few frames) get
    `gradient` labels instead, with a warning.

    Parameters
    ----------
    frames
        The frames that the rule is made from.
    springs
        Springs of all their element pairs.
    options
        Name of the rule and how it looks up springs.
    donors
        Force-matched fields of other systems, whose parameters rule `force-matched` may share.
    stand_in
        Whether `gradient` stands in for `force-matched`; otherwise the rule is `NO_RULE` with the reason.

    Raises
    ------
    DataError, MissingDependencyError
        If another rule cannot be made from these frames, or here.
    """
    try:
        if options.rule == "force-matched" and donors:
            label = _force_matched(frames, springs, options, donors)
        else:
            label = LABEL_RULES[options.rule](frames, springs, options)
    except DataError as error:
        if options.rule != "force-matched":
            raise
        assessment = getattr(error, "assessment", None)
        verdicts = assessment.verdicts if assessment else ()
        if not stand_in:
            return NamedRule(NO_RULE, _no_labels, str(error), verdicts, getattr(error, "field", None))
        warnings.warn(
            f"rule 'force-matched': {error}; labels are made by rule 'gradient' instead, on which "
            "`mdaug train` does not train",
            stacklevel=2,
        )
        return NamedRule("gradient", LABEL_RULES["gradient"](frames, springs, options), str(error), verdicts)
    assessment = getattr(label, "assessment", None)
    if assessment is None:
        return NamedRule(options.rule, label)
    return NamedRule(options.rule, label, assessment.reason, assessment.verdicts)


def _no_labels(displaced: Displacements) -> Labels:
    raise DataError("no label rule can be made from these frames")


def _by_springs(rule: SpringRule, frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    def label(displaced: Displacements) -> Labels:
        return rule(displaced, read_springs(displaced, springs, options.lookup, options.cutoff))

    return label


def _force_matched(
    frames: FrameSet, springs: Springs, options: AugmentOptions, donors: "Sequence[Donor]" = ()
) -> LabelRule:
    from mdaug.augmentation.force_matching.force_matched_rule import force_matched_rule  # imports torch

    return force_matched_rule(frames, options.cutoff, donors)


def _semiempirical(frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    return semiempirical_rule(frames)


RuleMaker = Callable[[FrameSet, Springs, AugmentOptions], LabelRule]

LABEL_RULES: MappingProxyType[str, RuleMaker] = MappingProxyType(
    {name: partial(_by_springs, rule) for name, rule in SPRING_RULES.items()}
    | {"force-matched": _force_matched, "gfn2-xtb": _semiempirical}
)
"""Name -> function that makes the rule."""
