"""The bond graph of every frame, and the fraction of frames in which each pair is bonded."""

from dataclasses import dataclass

import numpy as np

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray, bonded, longest_bond
from mdaug.geometry.pairs import frame_pairs, molecule_pairs

DISTANCES_AT_ONCE = 4_000_000
"""Number of distances that are held in memory at once."""


@dataclass(frozen=True)
class BondGraphs:
    """The bonds of each of several frames.

    Parameters
    ----------
    pairs
        Shape (n_pairs, 2), i < j, sorted: every two atoms that are bonded in at least one frame.
    present
        Shape (n_frames, n_pairs): whether the pair is bonded in the frame.
    """

    pairs: IntArray
    present: BoolArray

    def bonds(self, frame: int) -> IntArray:
        """Return the bonds of one frame, shape (n_bonds, 2), i < j, sorted."""
        return self.pairs[self.present[frame]]

    @property
    def occurrence(self) -> FloatArray:
        """The fraction of frames in which each pair is bonded, shape (n_pairs,)."""
        return self.present.mean(axis=0)


def frame_bond_graphs(frames: FrameSet) -> BondGraphs:
    """Return the bonds of every frame by covalent radii, in periodic directions to the nearest image.

    Parameters
    ----------
    frames
        Frames of a molecule, several molecules or a cell.
    """
    n_atoms = frames.n_atoms
    if n_atoms < 2 or len(frames) == 0:
        return BondGraphs(np.empty((0, 2), np.int64), np.zeros((len(frames), 0), bool))
    of_frame, code = _molecule_bonds(frames) if frames.cells is None else _cell_bonds(frames)
    every, pair = np.unique(code, return_inverse=True)
    present = np.zeros((len(frames), len(every)), bool)
    present[of_frame, pair] = True
    return BondGraphs(np.stack([every // n_atoms, every % n_atoms], axis=1), present)


def _molecule_bonds(frames: FrameSet) -> tuple[IntArray, IntArray]:
    """Return the frame of each bond, and its atoms i < j as a number i · n_atoms + j, from all distances."""
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    code = idx_i * frames.n_atoms + idx_j
    step = max(1, DISTANCES_AT_ONCE // len(code))
    of_frame, codes = [], []
    for start in range(0, len(frames), step):
        positions = frames.positions[start : start + step]
        distances = np.linalg.norm(positions[:, idx_j] - positions[:, idx_i], axis=2)
        frame, pair = np.nonzero(bonded(frames.atomic_numbers, idx_i, idx_j, distances))
        of_frame.append(start + frame)
        codes.append(code[pair])
    return np.concatenate(of_frame), np.concatenate(codes)


def _cell_bonds(frames: FrameSet) -> tuple[IntArray, IntArray]:
    """Return the same as `_molecule_bonds` from neighbor lists; a bond to several images is there twice."""
    reach = longest_bond(frames.atomic_numbers)
    of_frame, codes = [], []
    for n in range(len(frames)):
        idx_i, idx_j, r_ij = frame_pairs(frames, n, reach)
        distances = np.linalg.norm(r_ij, axis=1)
        close = bonded(frames.atomic_numbers, idx_i, idx_j, distances) & (idx_i != idx_j)
        low, high = np.minimum(idx_i, idx_j)[close], np.maximum(idx_i, idx_j)[close]
        of_frame.append(np.full(len(low), n))
        codes.append(low * frames.n_atoms + high)
    return np.concatenate(of_frame), np.concatenate(codes)
