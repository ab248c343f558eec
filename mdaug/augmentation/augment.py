"""From frames and springs to augmented frames."""

import warnings
from dataclasses import replace

import numpy as np

from mdaug.augmentation.augmented_frames import CopyMaker, count, joined
from mdaug.augmentation.label_rules import make_rule
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.spring_labels import Labels
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.molecules import count_molecules
from mdaug.springs.springs import Springs
from mdaug.units import EV_PER_KCAL_MOL

MANY_MOLECULES = 8
"""From here on frames are a liquid's: each has an atom in as many surroundings as a copy could."""

IMPULSE_TIME_FS, TURNING_TIME_FS = 25.0, 500.0
"""How long atoms move after an impulse, at most: in 25 fs a molecule bends and stretches, in 500 fs a few
molecules turn about each other (in a liquid they hinder each other, and the frames hold all orientations)."""

ROUGH = 0.002
"""Share of the weight that labels get whose errors are asked for but not known."""


def augment(frames: FrameSet, springs: Springs, options: AugmentOptions | None = None) -> FrameSet:
    """Displace atoms, stretch bonds and apply impulses in randomly drawn frames, and label the results.

    Parameters
    ----------
    frames
        The frames to draw from, and to make the rule from.
    springs
        Of all element pairs of `frames`.

    Returns
    -------
    FrameSet
        Labelled copies: `n_frames` with atoms displaced at random, then `n_stretched` with a bond stretched,
        then `n_impulses` after an impulse to some atoms (only by rules that can move atoms).
        ``info`` holds for each the index of its parent in `frames` (``parent``), the ``rule``, the
        ``kind`` (``displacement``, ``stretch`` or ``impulse``), the ``displacement`` Δr (n_atoms, 3) in Å
        and, for rules that estimate it, ``force_error``, the expected error of a force component in eV/Å.
        ``group`` is the parent's, so that a copy is never split from it; ``weights`` are the
        options'. Stresses are left out, as the rules do not give them.

    Raises
    ------
    DataError
        If the options ask for more frames or atoms than there are, springs are missing for an element pair,
        atoms cannot be kept apart, or the rule cannot be made from these frames.

    Examples
    --------
    >>> frames = load_frames("ethanol")
    >>> augmented = augment(frames, fit_springs(frames), AugmentOptions(n_frames=200, epsilon=0.3))
    >>> write_extxyz(augmented, "augmented.xyz")  # doctest: +SKIP
    """
    options = options or AugmentOptions()
    if len(frames) == 0:
        raise DataError(f"{frames.name}: no frames to augment; expected at least one")
    rng = np.random.default_rng(options.seed)
    rule = make_rule(frames, springs, options)
    options = _settled(options, rule.name, frames)
    maker = CopyMaker(frames, rule.label, options, rng)
    kinds = {
        "displacement": maker.displaced(),
        "stretch": maker.stretched(),
        "impulse": maker.with_impulses(),
    }
    parts = [part for made in kinds.values() for part in made]
    if count(parts) == 0:
        raise DataError(
            f"{frames.name}: rule {rule.name!r} makes no impulse frames and no others were asked for; "
            "expected --n-frames or --n-stretched above 0, or --rule force-matched"
        )
    copies = joined(parts)
    parents = frames.select(copies.parent)
    info = {
        "parent": copies.parent,
        "rule": np.full(len(parents), rule.name),
        "kind": np.repeat(list(kinds), [count(made) for made in kinds.values()]),
        "displacement": copies.displacements,
    }
    if copies.labels.force_error is not None:
        info["force_error"] = copies.labels.force_error
    return replace(
        parents,
        positions=parents.positions + copies.displacements,
        energies=parents.energies + copies.labels.energy_change,
        forces=copies.labels.forces,
        stresses=None,
        weights=label_weights(copies.labels, options),
        name=f"{frames.name}, augmented",
        info=info,
    )


def _settled(options: AugmentOptions, rule_name: str, frames: FrameSet) -> AugmentOptions:
    """Return `options` with what hangs on the frames decided; warns of many copies of a liquid."""
    n_molecules = count_molecules(frames)
    changes: dict[str, int | float] = {}
    if rule_name != options.rule:  # springs are off by hundreds of kcal/mol/Å where a bond is stretched
        changes["n_stretched"] = 0
    if options.impulse_time == 0:
        turning = 1 < n_molecules < MANY_MOLECULES
        changes["impulse_time"] = TURNING_TIME_FS if turning else IMPULSE_TIME_FS
    settled = options.model_copy(update=changes)
    _warn_of_many_molecules(frames, n_molecules, settled)
    return settled


def _warn_of_many_molecules(frames: FrameSet, n_molecules: int, options: AugmentOptions) -> None:
    """Say that copies of a liquid are large: more of them than frames cost much and win little."""
    n_copies = options.n_frames + options.n_stretched + options.n_impulses
    if n_molecules >= MANY_MOLECULES and n_copies > 2 * len(frames):
        warnings.warn(
            f"{frames.name}: each of {n_copies} copies holds all {n_molecules} molecules, so training takes "
            f"{1 + n_copies / len(frames):.0f} times as long; take fewer (--n-frames, --n-stretched, "
            "--n-impulses), or none: near the frames a raw model of a liquid is as good",
            stacklevel=4,
        )


def label_weights(labels: Labels, options: AugmentOptions) -> FloatArray:
    """Return the weight of each copy in a training loss: less where the labels' forces are expected wrong."""
    weights = np.full(len(labels.energy_change), options.weight)
    if options.rule != "force-matched":
        return weights
    if labels.force_error is None:  # nothing could be matched: the labels are by springs
        return ROUGH * weights
    return weights / (1 + (labels.force_error / (options.error_scale * EV_PER_KCAL_MOL)) ** 2)
