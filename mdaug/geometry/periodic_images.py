"""Nearest periodic images.

Cells are those of `FrameSet.periodic_cells`: where a direction is not periodic, nothing reaches through them.
"""

import numpy as np
from ase.geometry import find_mic

from mdaug.frames import FloatArray, IntArray


def minimum_image(vectors: FloatArray, cells: FloatArray | None, cutoff: float = 0.0) -> FloatArray:
    """Return `vectors` (…, 3) shifted to their nearest periodic image; unchanged if `cells` is None.

    Parameters
    ----------
    cells
        Shape (3, 3), or (n_frames, 3, 3) for vectors of shape (n_frames, n, 3); rows are lattice vectors.
    cutoff
        Å. Images closer than half the cell's smallest width are exact; if `cutoff` is longer than that, all
        are (by ASE's search, which is slow).
    """
    if cells is None:
        return vectors
    if 2 * cutoff <= narrowest_width(cells):
        # a vector shorter than half of every width has fractions below 1/2: rounding finds it
        return vectors - np.round(vectors @ np.linalg.inv(cells)) @ cells
    if cells.ndim == 2:
        return find_mic(vectors, cells)[0]
    return np.array([find_mic(v, cell)[0] for v, cell in zip(vectors, cells, strict=True)])


def pair_lengths(
    positions: FloatArray, cells: FloatArray | None, idx_i: IntArray, idx_j: IntArray
) -> FloatArray:
    """Return |r_j − r_i| to the nearest image (n_frames, n_pairs) of positions (n_frames, n_atoms, 3)."""
    return np.linalg.norm(minimum_image(positions[:, idx_j] - positions[:, idx_i], cells), axis=-1)


def narrowest_width(cells: FloatArray) -> float:
    """Return the least distance (Å) between opposite faces of any of `cells` (…, 3, 3)."""
    # the columns of the inverse are the reciprocal vectors, whose lengths are one over the widths
    return float(1 / np.linalg.norm(np.linalg.inv(cells), axis=-2).max())
