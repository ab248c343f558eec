"""Pair distances of all frames, by unordered element pair, every atom pair once."""

import numpy as np
from ase.data import chemical_symbols
from numpy.typing import NDArray

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image, molecule_pairs

BLOCK = 4_000_000
"""Largest number of pair vectors held in memory at once (96 MB)."""


def pair_name(number_a: int, number_b: int) -> str:
    """Return the name of an unordered element pair, the lighter element first: ``"H-O"``.

    Parameters
    ----------
    number_a, number_b
        Atomic numbers.
    """
    low, high = sorted((int(number_a), int(number_b)))
    return f"{chemical_symbols[low]}-{chemical_symbols[high]}"


def element_pairs(atomic_numbers: IntArray) -> tuple[IntArray, IntArray, dict[str, IntArray]]:
    """Return all pairs of atoms, grouped by element pair.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).

    Returns
    -------
    idx_i, idx_j
        Shape (n_pairs,), i < j.
    members
        Pair name -> indices into `idx_i`, in order of atomic numbers.
    """
    idx_i, idx_j = molecule_pairs(len(atomic_numbers))
    low = np.minimum(atomic_numbers[idx_i], atomic_numbers[idx_j])
    high = np.maximum(atomic_numbers[idx_i], atomic_numbers[idx_j])
    kinds = sorted(set(zip(low.tolist(), high.tolist(), strict=True)))
    members = {pair_name(a, b): np.flatnonzero((low == a) & (high == b)) for a, b in kinds}
    return idx_i, idx_j, members


def pair_vectors(frames: FrameSet, idx_i: IntArray, idx_j: IntArray, cutoff: float) -> FloatArray:
    """Return the vectors between atoms, in periodic frames to the nearest image.

    Parameters
    ----------
    frames
        Molecules or cells.
    idx_i, idx_j
        Shape (n_pairs,).
    cutoff
        Å. In periodic frames the images of pairs within it are exact; of other pairs it is only certain that
        they are beyond it.

    Returns
    -------
    vectors
        r_ij = r_j − r_i, shape (n_frames, n_pairs, 3), Å.
    """
    vectors = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    return minimum_image(vectors, frames.periodic_cells, cutoff)


def blocks(n_frames: int, n_pairs: int) -> list[slice]:
    """Return slices of the frames such that the pair vectors of one slice fit in memory.

    Parameters
    ----------
    n_frames
        Number of frames.
    n_pairs
        Number of pairs per frame.
    """
    step = max(1, BLOCK // max(1, n_pairs))
    return [slice(start, min(start + step, n_frames)) for start in range(0, n_frames, step)]


def pair_distances(frames: FrameSet, cutoff: float = 5.0) -> dict[str, tuple[FloatArray, NDArray[np.int64]]]:
    """Return the distances of each element pair over all frames.

    Parameters
    ----------
    frames
        Molecules or cells.
    cutoff
        In periodic frames pairs farther apart (Å) are left out; a molecule has all its pairs.

    Returns
    -------
    distances
        Pair name -> (distances in Å, index of the frame of each), ordered by frame. Element pairs without
        distances within the cutoff are left out.
    """
    idx_i, idx_j, members = element_pairs(frames.atomic_numbers)
    parts_of: dict[str, list[tuple[FloatArray, IntArray]]] = {name: [] for name in members}
    for block in blocks(len(frames), len(idx_i)):
        part = frames.select(block)
        distances = np.linalg.norm(pair_vectors(part, idx_i, idx_j, cutoff), axis=-1)
        for name, index in members.items():
            d = distances[:, index]
            frame = np.broadcast_to(np.arange(block.start, block.stop)[:, None], d.shape)
            keep = d <= cutoff if frames.periodic else np.ones_like(d, dtype=bool)
            parts_of[name].append((d[keep], frame[keep]))
    pooled = {
        name: (np.concatenate([d for d, _ in parts]), np.concatenate([f for _, f in parts]))
        for name, parts in parts_of.items()
    }
    return {name: samples for name, samples in pooled.items() if len(samples[0])}
