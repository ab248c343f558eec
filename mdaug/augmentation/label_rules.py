"""The label rules by name: each is made from the frames and their springs, then labels displaced frames."""

import warnings
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.semiempirical import semiempirical_rule
from mdaug.augmentation.spring_labels import SPRING_RULES, Labels, SpringRule, read_springs
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.springs.springs import Springs

LabelRule = Callable[[Displacements], Labels]


class MadeRule(NamedTuple):
    """A rule ready for use, and its name: that of the one that was asked for, or of its fallback."""

    name: str
    label: LabelRule


def make_rule(frames: FrameSet, springs: Springs, options: AugmentOptions) -> MadeRule:
    """Make the rule of `options` for displaced copies of `frames`.

    Frames that no force field can be matched to (crystals, atoms without bonds, too few frames) get
    `gradient` labels instead, with a warning.

    Raises
    ------
    DataError, MissingDependencyError
        If another rule cannot be made from these frames, or here.
    """
    try:
        return MadeRule(options.rule, LABEL_RULES[options.rule](frames, springs, options))
    except DataError as error:
        if options.rule != "force-matched":
            raise
        warnings.warn(
            f"rule 'force-matched': {error}; labels are made by rule 'gradient' instead", stacklevel=2
        )
    return MadeRule("gradient", LABEL_RULES["gradient"](frames, springs, options))


def _by_springs(rule: SpringRule, frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    def label(displaced: Displacements) -> Labels:
        return rule(displaced, read_springs(displaced, springs, options.lookup, options.cutoff))

    return label


def _matched(frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    from mdaug.augmentation.force_matching.label_rule import (
        matched_rule,  # torch, which the other rules do without
    )

    return matched_rule(frames)


def _semiempirical(frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    return semiempirical_rule(frames)


RuleMaker = Callable[[FrameSet, Springs, AugmentOptions], LabelRule]

LABEL_RULES: MappingProxyType[str, RuleMaker] = MappingProxyType(
    {name: partial(_by_springs, rule) for name, rule in SPRING_RULES.items()}
    | {"force-matched": _matched, "gfn2-xtb": _semiempirical}
)
"""Name -> what makes the rule."""
