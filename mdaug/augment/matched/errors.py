"""How wrong labels are: measured between held-out frames, in proportion to strain.

A force field is matched to every other frame. From each of the rest its nearest neighbours among the rest are
labelled as displaced copies, whose true forces are known. The error of the forces grows with the strain, the
change of the energy beyond first order: on the embedded ethanol in proportion to it, over two orders of
magnitude.
"""

from dataclasses import dataclass

import numpy as np
from ase.build.rotate import rotation_matrix_from_points

from mdaug.frames.frame_set import FloatArray, FrameSet
from mdaug.units import EV_PER_KCAL_MOL

N_FRAMES, N_NEIGHBOURS = 150, 4

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


def neighbour_pairs(frames: FrameSet) -> tuple[FrameSet, FloatArray, FloatArray]:
    """Return frames with the displacements to their nearest others, and those others' forces.

    The others are turned onto the frames, which is what a displaced copy of them would look like.
    """
    few = frames.select(np.arange(min(N_FRAMES, len(frames))))
    centred = few.positions - few.positions.mean(axis=1, keepdims=True)
    parents, moved, forces = [], [], []
    for index, one in enumerate(centred):
        turns = [rotation_matrix_from_points(other.T, one.T) for other in centred]
        turned = np.array([other @ turn.T for other, turn in zip(centred, turns, strict=True)])
        away = np.linalg.norm(turned - one, axis=-1).max(axis=1)
        away[few.group == few.group[index]] = np.inf
        for near in np.argsort(away)[:N_NEIGHBOURS]:
            parents.append(index)
            moved.append(turned[near] - one)
            forces.append(few.forces[near] @ turns[near].T)
    return few.select(np.array(parents)), np.array(moved), np.array(forces)


def estimate_errors(frames: FrameSet) -> ErrorModel:
    """Measure the errors of labels on every other frame, with a force field matched to the rest."""
    from mdaug.augment.matched.fit import match
    from mdaug.augment.matched.rule import change_by

    field = match(frames.select(slice(0, None, 2)))
    parents, displacements, forces = neighbour_pairs(frames.select(slice(1, None, 2)))
    labels, strain = change_by(field, parents, displacements)
    squared = np.mean((labels.forces - forces) ** 2)
    return ErrorModel(float(np.sqrt(squared / np.mean(strain**2))))
