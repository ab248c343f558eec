"""Make augmented frames from frames and springs."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mdaug.augmentation.augmented_frames import AugmentedBatch, AugmentedFrameMaker, count, joined
from mdaug.augmentation.label_rules import NO_RULE, make_rule
from mdaug.augmentation.numbers import MANY_MOLECULES, AugmentedNumbers, augmented_numbers, is_complex
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.spring_labels import Labels
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.molecules import count_molecules
from mdaug.springs.springs import Springs
from mdaug.units import EV_PER_KCAL_MOL
from mdaug.verdicts import Verdict

if TYPE_CHECKING:
    from mdaug.augmentation.force_matching.force_field import ForceField
    from mdaug.augmentation.force_matching.shared_parameters import Donor

IMPULSE_TIME_FS, TURNING_TIME_FS = 25.0, 500.0
"""How long atoms move after an impulse, at most: in 25 fs a molecule bends and stretches, in 500 fs a few
molecules turn about each other (in a liquid they hinder each other, and the frames hold all orientations)."""

ROUGH = 0.002
"""Fraction of the weight that labels of rule gradient get where they stand in for force-matched ones."""


def augment(frames: FrameSet, springs: Springs, options: AugmentOptions | None = None) -> FrameSet:
    """Displace atoms, stretch bonds and apply impulses in randomly drawn frames, and label the results.

    Parameters
    ----------
    frames
        The frames to draw from and to make the rule from.
    springs
        Springs of all element pairs of `frames`.
    options
        Numbers, sizes and label rule; None for the defaults.

    Returns
    -------
    FrameSet
        Labeled frames: `n_frames` with atoms displaced at random, then `n_stretched` with a bond stretched,
        then `n_impulses` after an impulse to some atoms (only by rules that can move atoms).
        ``info`` holds for each the index of its parent in `frames` (``parent``), the ``rule``, the
        ``kind`` (``displacement``, ``stretch`` or ``impulse``), the ``displacement`` Δr (n_atoms, 3) in Å
        and, for rules that estimate it, ``force_error``, the expected error of a force component in eV/Å.
        ``group`` is the parent's, so that an augmented frame is never split from it; ``weights`` are the
        options' times the parent's. Stresses are left out, as the rules do not give them.

    Raises
    ------
    DataError
        If the options need more frames or atoms than there are, springs are missing for an element pair,
        atoms cannot be kept apart, or the rule cannot be made from these frames.

    Examples
    --------
    >>> frames = load_frames("ethanol")
    >>> augmented = augment(frames, fit_springs(frames), AugmentOptions(n_frames=200, epsilon=0.3))
    >>> write_extxyz(augmented, "augmented.xyz")  # doctest: +SKIP
    """
    return make_augmentation(frames, springs, options).frames


@dataclass(frozen=True)
class Augmentation:
    """Augmented frames, and what is known about their labels.

    Parameters
    ----------
    frames
        The augmented frames.
    rule
        The label rule that made them; another than that of the options where that one cannot be used, or
        `NO_RULE`.
    reason
        One sentence: why the rule of the options is used or not; empty where nothing was assessed.
    verdicts
        Assessment of the force-matched field; empty for other rules.
    field
        The force-matched field; None for other rules.
    changed
        Terms of the field that were fitted with a tighter prior or left out.
    unsound_field
        A force-matched field that failed its assessment, so that there are no frames; None for none.
    """

    frames: FrameSet
    rule: str
    reason: str
    verdicts: tuple[Verdict, ...]
    field: "ForceField | None" = None
    changed: tuple[str, ...] = ()
    unsound_field: "ForceField | None" = None

    @property
    def failed(self) -> str | None:
        """The check that the force-matched field failed, or that none could be fitted; None if it is used."""
        if self.rule == "force-matched" or not self.reason:
            return None
        failed = (verdict.name for verdict in self.verdicts if verdict.verdict == "error")
        return next(failed, "no force field")


def make_augmentation(
    frames: FrameSet,
    springs: Springs,
    options: AugmentOptions | None = None,
    donors: "Sequence[Donor]" = (),
    *,
    stand_in: bool = True,
) -> Augmentation:
    """Return augmented frames as `augment` does, with the assessment of their labels.

    Parameters
    ----------
    frames
        The frames to draw from and to make the rule from.
    springs
        Springs of all element pairs of `frames`.
    options
        Numbers, sizes and label rule; None for the defaults.
    donors, stand_in
        As for `make_rule`; where no rule can be made there are no augmented frames.

    Raises
    ------
    DataError
        As `augment`.
    """
    options = options or AugmentOptions()
    if len(frames) == 0:
        raise DataError(f"{frames.name}: no frames to augment; expected at least one")
    rng = np.random.default_rng(options.seed)
    rule = make_rule(frames, springs, options, donors, stand_in=stand_in)
    if rule.name == NO_RULE:
        none = frames.select(slice(0))
        return Augmentation(none, rule.name, rule.reason, rule.verdicts, unsound_field=rule.unsound_field)
    options = _settled(options, rule.name, frames)
    maker = AugmentedFrameMaker(frames, rule.label, options, rng)
    kinds = {
        "displacement": maker.displaced(),
        "stretch": maker.stretched(),
        "impulse": maker.with_impulses(),
    }
    batches = [batch for made in kinds.values() for batch in made]
    if count(batches) == 0:
        raise DataError(
            f"{frames.name}: rule {rule.name!r} makes no impulse frames, and no others are wanted; "
            "expected --n-frames or --n-stretched above 0, or --rule force-matched"
        )
    kind = np.repeat(list(kinds), [count(made) for made in kinds.values()])
    labeled = _labeled_frames(frames, joined(batches), rule.name, kind, options)
    field, assessment = (getattr(rule.label, name, None) for name in ("field", "assessment"))
    changed = () if assessment is None else assessment.changed
    return Augmentation(labeled, rule.name, rule.reason, rule.verdicts, field, changed)


def _labeled_frames(
    frames: FrameSet,
    augmented: AugmentedBatch,
    rule_name: str,
    kind: NDArray[np.str_],
    options: AugmentOptions,
) -> FrameSet:
    """Return augmented frames with their labels, weights and records; `kind` is that of each frame."""
    parents, labels = frames.select(augmented.parent), augmented.labels
    info = {
        "parent": augmented.parent,
        "rule": np.full(len(parents), rule_name),
        "kind": kind,
        "displacement": augmented.displacements,
    }
    if labels.force_error is not None:
        info["force_error"] = labels.force_error
    return replace(
        parents,
        positions=parents.positions + augmented.displacements,
        energies=parents.energies + labels.energy_change,
        forces=labels.forces,
        stresses=None,
        weights=label_weights(labels, options) * parents.weights,
        name=f"{frames.name}, augmented",
        info=info,
        of_atoms=frozenset({"displacement"}),
    )


def _settled(options: AugmentOptions, rule_name: str, frames: FrameSet) -> AugmentOptions:
    """Return `options` with the settings that depend on the frames; warns if a liquid is augmented much."""
    n_molecules = count_molecules(frames)
    changes: dict[str, int | float] = {}
    if rule_name != options.rule:  # springs are off by hundreds of kcal/mol/Å where a bond is stretched
        changes["n_stretched"] = 0
    if options.impulse_time == 0:
        changes["impulse_time"] = TURNING_TIME_FS if is_complex(n_molecules) else IMPULSE_TIME_FS
    settled = options.model_copy(update=changes)
    if not settled.sets_all_numbers:
        settled = with_numbers(settled, augmented_numbers(frames, len(frames)))
    if rule_name == options.rule:  # `mdaug train` does not train on those of the rule that replaces it
        _warn_of_many_molecules(frames, n_molecules, settled)
    return settled


def with_numbers(options: AugmentOptions, numbers: AugmentedNumbers) -> AugmentOptions:
    """Return options with the default numbers of augmented frames where none are set.

    Parameters
    ----------
    options
        As set.
    numbers
        Default numbers.
    """
    names = ("n_frames", "n_stretched", "n_impulses")
    defaults = zip(names, numbers[:3], strict=True)
    return options.model_copy(update={name: n for name, n in defaults if getattr(options, name) is None})


def _warn_of_many_molecules(frames: FrameSet, n_molecules: int, options: AugmentOptions) -> None:
    """Warn of more augmented frames of a liquid than are worth their cost."""
    n_augmented = sum(n or 0 for n in (options.n_frames, options.n_stretched, options.n_impulses))
    if n_molecules >= MANY_MOLECULES and n_augmented > 2 * len(frames):
        warnings.warn(
            f"{frames.name}: each of {n_augmented} augmented frames holds all {n_molecules} molecules, so "
            f"training takes {1 + n_augmented / len(frames):.0f} times as long; take fewer (--n-frames, "
            "--n-stretched, --n-impulses); near the frames a model of a liquid is as good without them",
            stacklevel=4,
        )


def label_weights(labels: Labels, options: AugmentOptions) -> FloatArray:
    """Return weights in a training loss, shape (n_frames,): less where the labels are expected to be wrong.

    Parameters
    ----------
    labels
        Labels of augmented frames.
    options
        Weight, error scale and label rule.
    """
    weights = np.full(len(labels.energy_change), options.weight)
    if options.rule != "force-matched":
        return weights
    if labels.force_error is None:  # no force field: the labels are of rule gradient
        return ROUGH * weights
    return weights / (1 + (labels.force_error / (options.error_scale * EV_PER_KCAL_MOL)) ** 2)
