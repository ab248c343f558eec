"""The label rules by name: each is made from the frames and their springs, then labels displaced frames."""

import warnings
from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from mdaug.augment.displacements import Displacements
from mdaug.augment.labels import SPRING_RULES, Labels, SpringRule, read_springs
from mdaug.augment.options import AugmentOptions
from mdaug.augment.semiempirical import semiempirical_rule
from mdaug.frames.frame_set import FrameSet
from mdaug.springs.springs import Springs

LabelRule = Callable[[Displacements], Labels]


class MadeRule(NamedTuple):
    """A rule ready for use, and its name: that of the one that was asked for, or of its fallback."""

    name: str
    label: LabelRule


def make_rule(frames: FrameSet, springs: Springs, options: AugmentOptions) -> MadeRule:
    """Make the rule of `options` for displaced copies of `frames`.

    A matched force field needs molecules: crystals get `gradient` instead, with a warning.

    Raises
    ------
    DataError, MissingDependencyError
        If the rule cannot be made from these frames, or here.
    """
    name = options.rule
    if name == "matched" and frames.periodic:
        warnings.warn(
            f"{frames.name}: rule 'matched' needs molecules, these frames are periodic; labels are made by "
            "rule 'gradient'",
            stacklevel=2,
        )
        name = "gradient"
    return MadeRule(name, LABEL_RULES[name](frames, springs, options))


def _by_springs(rule: SpringRule, frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    def label(displaced: Displacements) -> Labels:
        return rule(displaced, read_springs(displaced, springs, options.lookup, options.cutoff))

    return label


def _matched(frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    from mdaug.augment.matched.rule import matched_rule  # torch, which the other rules do without

    return matched_rule(frames)


def _semiempirical(frames: FrameSet, springs: Springs, options: AugmentOptions) -> LabelRule:
    return semiempirical_rule(frames)


RuleMaker = Callable[[FrameSet, Springs, AugmentOptions], LabelRule]

LABEL_RULES: MappingProxyType[str, RuleMaker] = MappingProxyType(
    {name: partial(_by_springs, rule) for name, rule in SPRING_RULES.items()}
    | {"matched": _matched, "gfn2-xtb": _semiempirical}
)
"""Name -> what makes the rule."""
