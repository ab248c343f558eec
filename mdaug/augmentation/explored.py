"""Spurious minima that a model's own MD reaches, labeled by the force-matched field for retraining.

A network has spurious minima where it was trained on no frame, and its MD finds them. The force-matched
field M is right to a few kcal/mol there, so visited frames become augmented frames without any ab-initio
energy.
"""

from dataclasses import replace

import numpy as np

from mdaug.augmentation.force_matching.assessment import fit_sound_field
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.options import ExploreOptions
from mdaug.frames import FloatArray, FrameSet
from mdaug.units import EV_PER_KCAL_MOL


def sound_field(train: FrameSet, cutoff: float) -> ForceField:
    """Return the force-matched field of frames if it passes its assessment.

    Parameters
    ----------
    train
        Frames of molecules without a cell.
    cutoff
        Of the model, Å: bonds of the field are broken there.

    Raises
    ------
    DataError
        If no force field can be fitted to `train`, or it fails its assessment.
    """
    return fit_sound_field(train, cutoff)[0]


def label_visited(field: ForceField, train: FrameSet, positions: FloatArray) -> FrameSet:
    """Return visited frames with the energies and forces of the force-matched field.

    Parameters
    ----------
    field
        The force-matched field of `train`, from `sound_field`.
    train
        The model's training frames, without a cell, whose mean energy the labels have.
    positions
        Positions of the visited frames, Å, shape (n_visited, n_atoms, 3).
    """
    zero = np.mean(train.energies - field.evaluate(train.positions)[0])
    energies, forces = field.evaluate(positions)
    return replace(
        train.select(np.zeros(len(positions), dtype=np.int64)),
        positions=positions,
        energies=energies + zero,
        forces=forces,
        stresses=None,
        group=np.arange(len(positions)),
        name=f"{train.name}, explored",
        info={},
    )


def spurious_minima(
    visited: FrameSet, energies: FloatArray, lowest_eV: float, options: ExploreOptions
) -> FrameSet:
    """Return the visited frames whose energy a model underestimates, or as many as are kept of them.

    Parameters
    ----------
    visited
        From `label_visited`.
    energies
        Energies of the model, eV, shape (n_visited,).
    lowest_eV
        Lowest energy of the training frames.
    options
        Thresholds, number and weight.
    """
    underestimated = visited.energies - energies > options.gap * EV_PER_KCAL_MOL
    underestimated &= visited.energies - lowest_eV <= options.max_energy * EV_PER_KCAL_MOL
    rng = np.random.default_rng(options.seed)
    kept = np.sort(rng.permutation(np.flatnonzero(underestimated))[: options.n_kept])
    chosen = visited.select(kept)
    return replace(chosen, group=np.arange(len(kept)), weights=np.full(len(kept), options.weight))


def label_spurious_minima(
    field: ForceField, train: FrameSet, positions: FloatArray, energies: FloatArray, options: ExploreOptions
) -> FrameSet:
    """Return the visited frames whose energy a model underestimates, labeled by the force-matched field.

    Parameters
    ----------
    field, train, positions
        As for `label_visited`.
    energies, options
        As for `spurious_minima`.
    """
    visited = label_visited(field, train, positions)
    return spurious_minima(visited, energies, float(train.energies.min()), options)
