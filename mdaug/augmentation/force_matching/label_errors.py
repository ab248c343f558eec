"""How wrong labels are: measured between held-out frames, in proportion to strain.

A force field is matched to every other frame. From each of the rest its nearest neighbours among the rest are
labelled as displaced copies, whose true forces are known. The error of the forces grows with the strain, the
change of the energy beyond first order: on the embedded ethanol in proportion to it, over two orders of
magnitude.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.build.rotate import rotation_matrix_from_points

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image
from mdaug.units import EV_PER_KCAL_MOL

N_FRAMES, N_NEIGHBOURS = 150, 4

LEAST_PER_STRAIN = 0.1
"""1/Å, of several molecules: those of neighbouring frames may have moved past each other, which is much
strain and says nothing of errors. (Two waters, two methanols: 0.11.)"""

BROKEN_FORCE_ERROR = 10.0 * EV_PER_KCAL_MOL
"""eV/Å along a bond that is half broken: what tabulated curves are off between molecules (about
5 kcal/mol over half an Å)."""


@dataclass(frozen=True)
class ErrorModel:
    """Expected errors of labels.

    Parameters
    ----------
    per_strain
        Rms error of a force component over strain, 1/Å.
    """

    per_strain: float

    def force_error(self, strain: FloatArray, broken: FloatArray) -> FloatArray:
        """Return the expected rms error (eV/Å) of the force components of copies.

        Parameters
        ----------
        strain
            eV, shape (n_frames,).
        broken
            Shape (n_frames,): 0 with all bonds intact, 1 with one half broken.
        """
        return np.hypot(self.per_strain * strain, BROKEN_FORCE_ERROR * broken)


class Neighbours(NamedTuple):
    """Pairs of frames: indices, the first frames, displacements to the second, the second's turned forces."""

    parent: IntArray
    other: IntArray
    parents: FrameSet
    displacements: FloatArray
    forces: FloatArray


def neighbour_pairs(frames: FrameSet) -> Neighbours:
    """Return frames with their nearest others, the displacements to these, and these others' forces.

    The others are of other groups, and turned onto the frames, which is what a displaced copy of them would
    look like.

    Raises
    ------
    DataError
        If all frames are of one group.
    """
    few = frames.select(np.arange(min(N_FRAMES, len(frames))))
    if len(np.unique(few.group)) < 2:
        raise DataError(f"{frames.name}: too few frames to measure the errors of labels; expected at least 4")
    if few.periodic:
        return _unturned(few)
    centred = few.positions - few.positions.mean(axis=1, keepdims=True)
    parents, others, moved, forces = [], [], [], []
    for index, one in enumerate(centred):
        turns = [rotation_matrix_from_points(other.T, one.T) for other in centred]
        turned = np.array([other @ turn.T for other, turn in zip(centred, turns, strict=True)])
        away = np.linalg.norm(turned - one, axis=-1).max(axis=1)
        away[few.group == few.group[index]] = np.inf
        for near in np.argsort(away)[: min(N_NEIGHBOURS, np.isfinite(away).sum())]:
            parents.append(index)
            others.append(near)
            moved.append(turned[near] - one)
            forces.append(few.forces[near] @ turns[near].T)
    first, second = np.array(parents), np.array(others)
    return Neighbours(first, second, few.select(first), np.array(moved), np.array(forces))


def _unturned(frames: FrameSet) -> Neighbours:
    """Return the same of frames of a cell, which is not turned; each atom has gone to its nearest image."""
    parents, others, moved = [], [], []
    for index, one in enumerate(frames.positions):
        shift = minimum_image(frames.positions - one, frames.periodic_cells)
        away = np.linalg.norm(shift, axis=-1).max(axis=1)
        away[frames.group == frames.group[index]] = np.inf
        for near in np.argsort(away)[: min(N_NEIGHBOURS, np.isfinite(away).sum())]:
            parents.append(index)
            others.append(near)
            moved.append(shift[near])
    first, second = np.array(parents), np.array(others)
    return Neighbours(first, second, frames.select(first), np.array(moved), frames.forces[second])


def estimate_errors(frames: FrameSet) -> ErrorModel:
    """Measure the errors of labels on every other frame, with a force field matched to the rest.

    Raises
    ------
    DataError
        If too few frames are left for either.
    """
    from mdaug.augmentation.force_matching.fit import match
    from mdaug.augmentation.force_matching.label_rule import change_by

    field = match(frames.select(slice(0, None, 2)))
    near = neighbour_pairs(frames.select(slice(1, None, 2)))
    labels, strain = change_by(field, near.parents, near.displacements)
    squared = np.mean((labels.forces - near.forces) ** 2)
    per_strain = float(np.sqrt(squared / np.mean(strain**2)))
    several = field.topology.molecule.any()
    return ErrorModel(max(per_strain, LEAST_PER_STRAIN) if several else per_strain)
