"""Distances to several periodic images, for cells that are narrower than two bonds.

There the nearest image of an atom says little: an atom of a primitive cell is bonded to four images of one
other atom, and when one of these moves away, another one is as near as before.
"""

from collections.abc import Iterator
from itertools import product

import numpy as np
from ase.geometry import minkowski_reduce

from mdaug.frames import OPEN_A, FloatArray, IntArray
from mdaug.geometry.pairs import molecule_pairs

_GRID = 12
"""Positions along each lattice vector at which the distance of a point from its images is looked for."""


def image_lengths(
    positions: FloatArray, cells: FloatArray, pairs: IntArray, image: IntArray, reach: float
) -> FloatArray:
    """Return the distance of atoms i to the nearest, second nearest, … image of atoms j.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    cells
        `image_cells`, shape (n_frames, 3, 3), Å.
    pairs
        Different atoms i and j, shape (n_pairs, 2).
    image
        Shape (n_pairs,): 0 for the nearest image, 1 for the second nearest, …
    reach
        Å. Distances up to it are exact; longer ones may be too long.

    Returns
    -------
    lengths
        Shape (n_frames, n_pairs), Å; infinite if no such image is near, NaN for positions that are no
        numbers.
    """
    idx_i, idx_j = pairs.T
    lengths = np.empty((len(positions), len(pairs)))
    for n, (r, images) in enumerate(zip(positions, _images_of(cells, reach), strict=True)):
        to_images = _to_images(r[idx_j] - r[idx_i], *images)
        lengths[n] = to_images[np.arange(len(pairs)), np.minimum(image, to_images.shape[1] - 1)]
    return lengths


def all_image_lengths(positions: FloatArray, cells: FloatArray, reach: float) -> FloatArray:
    """Return the distances of all atoms to all images of others and of themselves, each pair once.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    cells
        `image_cells`, shape (n_frames, 3, 3), Å.
    reach
        Longest distance, Å.

    Returns
    -------
    lengths
        Shape (n,), Å, of all frames.
    """
    idx_i, idx_j = molecule_pairs(positions.shape[1])
    lengths = []
    for r, (cell, shifts) in zip(positions, _images_of(cells, reach), strict=True):
        to_others = _to_images(r[idx_j] - r[idx_i], cell, shifts)
        to_itself = np.repeat(np.linalg.norm(shifts[: len(shifts) // 2], axis=1), len(r))
        lengths += [to_others[to_others < reach], to_itself[to_itself < reach]]
    return np.concatenate(lengths)


def farthest_image(cell: FloatArray, image: int) -> float:
    """Return how far the nearest, second nearest, … image of a point can be from another point, Å.

    Parameters
    ----------
    cell
        One of `image_cells`, shape (3, 3), Å.
    image
        0 for the nearest image, 1 for the second nearest, …

    Returns
    -------
    float
        Infinite if a direction is open; else the farthest on a grid.
    """
    reduced, _ = minkowski_reduce(cell)
    lengths = np.linalg.norm(reduced, axis=1)
    if lengths.max() >= OPEN_A:
        return np.inf
    places = np.array(list(product(np.arange(_GRID) / _GRID, repeat=3))) @ reduced
    return float(_to_images(places, *next(_images_of(cell[None], 2 * lengths.sum())))[:, image].max())


def _images_of(cells: FloatArray, reach: float) -> Iterator[tuple[FloatArray, FloatArray]]:
    """Yield for each cell its shortest lattice vectors (3, 3) and the shifts (n, 3) to images within reach.

    The middle shift is zero, and the last is the first one reversed, and so on.
    """
    last = reduced = shifts = np.empty(0)
    for cell in cells:
        if not np.array_equal(cell, last):
            last = cell
            reduced, _ = minkowski_reduce(cell)
            widths = 1 / np.linalg.norm(np.linalg.inv(reduced), axis=0)
            # an image n vectors away is farther than n − 1/2 widths from a vector within the cell
            most = np.maximum(np.ceil(reach / widths + 0.5).astype(np.int64) - 1, 0)
            steps = np.array(list(product(*(np.arange(-n, n + 1) for n in most))), dtype=np.float64)
            shifts = steps @ reduced
        yield reduced, shifts


def _to_images(vectors: FloatArray, cell: FloatArray, shifts: FloatArray) -> FloatArray:
    """Return the distances to images, nearest first, then infinity, shape (n_vectors, n_images + 1)."""
    nearest = vectors - np.round(vectors @ np.linalg.inv(cell)) @ cell
    lengths = np.sort(np.linalg.norm(nearest[:, None] + shifts, axis=-1), axis=1)
    return np.concatenate([lengths, np.full((len(vectors), 1), np.inf)], axis=1)
