"""From frames and springs to augmented frames."""

import warnings
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mdaug.augment.displacements import (
    ATTEMPTS,
    displace,
    draw_parents,
    shortest_distances,
)
from mdaug.augment.labels import Labels
from mdaug.augment.options import AugmentOptions
from mdaug.augment.rules import LabelRule, make_rule
from mdaug.augment.stretch import Stretcher
from mdaug.errors import DataError
from mdaug.frames.frame_set import FloatArray, FrameSet, IntArray
from mdaug.springs.distances import blocks
from mdaug.springs.springs import Springs
from mdaug.units import EV_PER_KCAL_MOL

ROUGH = 0.002
"""Share of the weight that labels get whose errors are asked for but not known."""


class _Copies(NamedTuple):
    """Labelled copies: their parents' indices, displacements and labels."""

    parent: IntArray
    displacements: FloatArray
    labels: Labels


def augment(frames: FrameSet, springs: Springs, options: AugmentOptions | None = None) -> FrameSet:
    """Displace atoms and stretch bonds of randomly drawn frames, and label the results.

    Parameters
    ----------
    frames
        The frames to draw from, and to make the rule from.
    springs
        Of all element pairs of `frames`.

    Returns
    -------
    FrameSet
        Labelled copies: `n_frames` with atoms displaced at random, then `n_stretched` with a bond stretched.
        ``info`` holds for each the index of its parent in `frames` (``parent``), the ``rule``, the ``kind``
        (atoms or bond), the ``displacement`` Δr (n_atoms, 3) in Å and, for rules that know it,
        ``force_error``, the expected error of a force component in eV/Å. ``group`` is the parent's, so
        that a copy is never split from it; ``weights`` are the options'. Stresses are left out, as the
        rules do not give them.

    Raises
    ------
    DataError
        If the options ask for more frames or atoms than there are, springs are missing for an element pair,
        atoms cannot be kept apart, or the rule cannot be made from these frames.
    """
    options = options or AugmentOptions()
    if len(frames) == 0:
        raise DataError(f"{frames.name}: no frames to augment; expected at least one")
    rng = np.random.default_rng(options.seed)
    rule = make_rule(frames, springs, options)
    by_atoms = _displaced(frames, rule.label, options, rng)
    by_bond = _stretched(frames, rule.label, options, rng)
    copies = _joined(by_atoms + by_bond)
    parents = frames.select(copies.parent)
    info = {
        "parent": copies.parent,
        "rule": np.full(len(parents), rule.name),
        "kind": np.array(["atoms"] * _count(by_atoms) + ["bond"] * _count(by_bond)),
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


def label_weights(labels: Labels, options: AugmentOptions) -> FloatArray:
    """Return the weight of each copy in a training loss: less where the labels' forces are expected wrong."""
    weights = np.full(len(labels.energy_change), options.weight)
    if options.rule != "matched":
        return weights
    if labels.force_error is None:  # nothing could be matched: the labels are by springs
        return ROUGH * weights
    return weights / (1 + (labels.force_error / (options.error_scale * EV_PER_KCAL_MOL)) ** 2)


def _displaced(
    frames: FrameSet, rule: LabelRule, options: AugmentOptions, rng: np.random.Generator
) -> list[_Copies]:
    """Make the copies with atoms displaced at random, block by block."""
    parent = draw_parents(len(frames), options, rng)
    shortest = shortest_distances(frames, options)
    n_pairs = frames.n_atoms * (frames.n_atoms - 1) // 2
    made = []
    for block in blocks(len(parent), n_pairs):
        displaced = displace(frames.select(parent[block]), shortest, options, rng)
        made.append(_Copies(parent[block], displaced.displacements, rule(displaced)))
    return made


def _stretched(
    frames: FrameSet, rule: LabelRule, options: AugmentOptions, rng: np.random.Generator
) -> list[_Copies]:
    """Make the copies with a bond stretched, drawn again where their labels are too high.

    None, with a warning, where frames have no bond that can be stretched but other copies are made.
    """
    if options.n_stretched == 0:
        return []
    try:
        stretcher = Stretcher(frames)
    except DataError as error:
        if options.n_frames == 0:
            raise
        warnings.warn(f"no stretched copies: {error}", stacklevel=3)
        return []
    rounds = -(-options.n_stretched // len(frames))
    parent = np.concatenate([rng.permutation(len(frames)) for _ in range(rounds)])[: options.n_stretched]
    kept: list[_Copies] = []
    for _ in range(ATTEMPTS):
        displaced = stretcher.draw(frames.select(parent), options, rng)
        labels = rule(displaced)
        good = labels.energy_change <= options.max_energy * EV_PER_KCAL_MOL
        kept.append(_Copies(parent[good], displaced.displacements[good], _some(labels, good)))
        parent = parent[~good]
        if not len(parent):
            return kept
    raise DataError(
        f"{frames.name}: in {ATTEMPTS} draws rule {options.rule!r} labelled every stretch of a frame "
        f"more than {options.max_energy:g} kcal/mol above it; give a narrower "
        "--stretch-range or a higher --max-energy"
    )


def _count(parts: list[_Copies]) -> int:
    return sum(len(part.parent) for part in parts)


def _some(labels: Labels, chosen: np.ndarray) -> Labels:
    error = None if labels.force_error is None else labels.force_error[chosen]
    return Labels(labels.energy_change[chosen], labels.forces[chosen], error)


def _joined(parts: list[_Copies]) -> _Copies:
    labels = [part.labels for part in parts]
    errors = [label.force_error for label in labels if label.force_error is not None]
    return _Copies(
        np.concatenate([part.parent for part in parts]),
        np.concatenate([part.displacements for part in parts]),
        Labels(
            np.concatenate([label.energy_change for label in labels]),
            np.concatenate([label.forces for label in labels]),
            np.concatenate(errors) if errors else None,
        ),
    )
