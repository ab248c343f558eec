"""Frames that a model's own dynamics visited, labelled by the force field matched to its training frames.

A network has false wells where there is neither frame nor copy, and its dynamics find them. The matched force
field M is right to a few kcal/mol there, so what was visited becomes copies, without any ab-initio energy.
"""

from dataclasses import replace
from typing import Annotated

import numpy as np
from pydantic import Field

from mdaug.augmentation.force_matching.fit import match
from mdaug.frames import FloatArray, FrameSet
from mdaug.options import Options, Positive, Seed
from mdaug.units import EV_PER_KCAL_MOL


class ExploreOptions(Options):
    """Which of the visited frames are kept."""

    n_kept: Positive = 500
    """At most so many, drawn at random."""

    gap: Annotated[float, Field(gt=0)] = 3.0
    """Only frames to which the model gives so much less than the matched force field, kcal/mol."""

    max_energy: Annotated[float, Field(gt=0)] = 200.0
    """Only frames that the force field puts at most this above the lowest training frame (kcal/mol)."""

    weight: Annotated[float, Field(gt=0, le=1e9)] = 0.004
    """Weight of each in the training loss (a frame of the data: 1, other copies: 0.02 or less)."""

    seed: Seed = 0
    """Seed of the draw."""


def false_wells(
    train: FrameSet, positions: FloatArray, energies: FloatArray, options: ExploreOptions
) -> FrameSet:
    """Return the visited frames that a model holds for much lower than they are, labelled by M.

    Parameters
    ----------
    train
        The model's training frames, without a cell; M is matched to them and has their mean energy.
    positions
        Of the visited frames, Å, shape (n_visited, n_atoms, 3).
    energies
        What the model gives them, eV, shape (n_visited,).

    Raises
    ------
    DataError
        If no force field can be matched to `train`.
    """
    field = match(train)
    zero = np.mean(train.energies - field.evaluate(train.positions)[0])
    labels, forces = field.evaluate(positions)
    labels = labels + zero
    wrong = labels - energies > options.gap * EV_PER_KCAL_MOL
    wrong &= labels - train.energies.min() <= options.max_energy * EV_PER_KCAL_MOL
    rng = np.random.default_rng(options.seed)
    kept = np.sort(rng.permutation(np.flatnonzero(wrong))[: options.n_kept])
    return replace(
        train.select(np.zeros(len(kept), dtype=np.int64)),
        positions=positions[kept],
        energies=labels[kept],
        forces=forces[kept],
        stresses=None,
        group=np.arange(len(kept)),
        weights=np.full(len(kept), options.weight),
        name=f"{train.name}, explored",
        info={},
    )
