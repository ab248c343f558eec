"""Pairs of atoms of many frames, numbered as one system without pairs between frames."""

import numpy as np

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs


def pairs_of_frames(frames: FrameSet, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return idx_i and idx_j (n_pairs,), and shifts (n_pairs, 3), Å, of the pairs in all frames.

    Every unordered pair occurs once: r_ij = r_j − r_i + shift. Atom a of frame n has the number
    n · n_atoms + a.

    Parameters
    ----------
    frames
        Molecules, of which all pairs are returned, or periodic cells.
    cutoff
        Largest distance of the pairs in cells, Å.
    """
    of_frames = [_pairs(frames, n, cutoff) for n in range(len(frames))]
    first = np.repeat(np.arange(len(frames)) * frames.n_atoms, [len(pairs[0]) for pairs in of_frames])
    idx_i, idx_j, shifts = (np.concatenate([pairs[k] for pairs in of_frames]) for k in range(3))
    return idx_i + first, idx_j + first, shifts


def _pairs(frames: FrameSet, n: int, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    if frames.cells is not None:
        return neighbor_pairs(frames.positions[n], frames.cells[n], frames.pbc, cutoff)
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    return idx_i, idx_j, np.zeros((len(idx_i), 3))
