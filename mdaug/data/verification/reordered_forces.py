"""Whether forces in a cell belong to the positions whose atoms were reordered with them."""

import numpy as np

from mdaug.data.origin import shown
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image

LEAST_FRAMES = 10
"""Fewest frames in the most frequent order that show how the forces answer the stretch of bonds."""

RIGID_A = 1e-3
"""Bonds whose lengths vary by less are constrained."""

LEAST_ANSWER, SIGNIFICANT = 0.5, 4.0
"""Forces that answer by less than this share, and by so many standard errors less, are of other atoms."""


def refuse_forces_of_other_atoms(frames: FrameSet, orders: IntArray, bonds: IntArray) -> None:
    """Refuse frames in a cell of which the positions were in another order of atoms, but not the forces.

    A free molecule then has a torque, which the checks find. In a cell the forces on atoms that were
    reordered answer the stretch of their bonds less than in the most frequent order.

    Parameters
    ----------
    frames
        Frames of one system, in one order of atoms.
    orders
        Shape (n_frames, n_atoms): number of each atom in its frame of the file.
    bonds
        Shape (n_bonds, 2).

    Raises
    ------
    DataError
        The forces of reordered atoms do not pull stretched bonds together as in the most frequent order.
    """
    kinds, member, counts = np.unique(orders, axis=0, return_inverse=True, return_counts=True)
    is_usual = member.reshape(-1) == counts.argmax()
    if not frames.periodic or not frames.has_forces or is_usual.sum() < LEAST_FRAMES or is_usual.all():
        return
    lengths, pulls = _lengths_and_pulls(frames, bonds)
    flexible = lengths[is_usual].std(axis=0) > RIGID_A
    moved = (orders != kinds[counts.argmax()])[:, bonds[flexible]]
    if not moved.any():
        return
    lengths, pulls = lengths[:, flexible], pulls[:, flexible]
    x, y = (values - values[is_usual].mean(axis=0) for values in (lengths[:, :, None], pulls))
    stiffness = np.sum(x[is_usual] * y[is_usual], axis=0) / np.sum(x[is_usual] ** 2, axis=0)
    expected = stiffness * x
    compared = is_usual[:, None, None] & moved.any(axis=0)
    noise = np.sum((y - expected)[compared] ** 2) / np.sum(expected[compared] ** 2)
    answer = np.sum((expected * y)[moved]) / np.sum(expected[moved] ** 2)
    if answer < LEAST_ANSWER and 1.0 - answer > SIGNIFICANT * np.sqrt(noise / moved.sum()):
        others = shown(frames, np.flatnonzero(~is_usual))
        raise DataError(
            f"{frames.name}: {others}: forces on reordered atoms answer the stretch of bonds {answer:.2f} "
            "times as in the other frames: positions are in another order of atoms, forces are not; expected "
            "both in the same order"
        )


def _lengths_and_pulls(frames: FrameSet, bonds: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return lengths of bonds, (n_frames, n_bonds), and the forces on their two atoms that shorten them."""
    idx_i, idx_j = bonds.T
    r_ij = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    cells = frames.periodic_cells
    if cells is not None:
        r_ij = minimum_image(r_ij, cells)
    lengths = np.linalg.norm(r_ij, axis=2)
    pulls = [
        sign * np.sum(frames.forces[:, atoms] * r_ij, axis=2) for sign, atoms in ((1, idx_i), (-1, idx_j))
    ]
    return lengths, np.stack(pulls, axis=2) / lengths[:, :, None]
