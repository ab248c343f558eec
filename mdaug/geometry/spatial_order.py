"""Atoms in an order in which neighbours in space are neighbours in memory."""

import numpy as np

from mdaug.frames import FloatArray, IntArray

_BITS = 16
"""Of a bin's place along each axis."""


def spatial_order(positions: FloatArray, cell: FloatArray | None, bin_size: float) -> IntArray:
    """Return the atoms (n_atoms,) bin by bin along a Z-order curve, in their own order within a bin.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å; need not lie inside the cell.
    cell
        Shape (3, 3), Å; None for a molecule.
    bin_size
        About the edge of a bin, Å.
    """
    if cell is None:
        places = (positions - positions.min(axis=0)) / bin_size
    else:
        n_bins = np.maximum(1, np.linalg.norm(cell, axis=1) // bin_size)
        places = (positions @ np.linalg.inv(cell)) % 1.0 * n_bins
    bins = np.minimum(places, 2**_BITS - 1).astype(np.int64)
    x, y, z = (_spread_bits(bins[:, axis]) for axis in range(3))
    return np.argsort(x | y << 1 | z << 2, kind="stable")


def _spread_bits(numbers: IntArray) -> IntArray:
    """Move bit k of each number to bit 3k."""
    spread = np.zeros_like(numbers)
    for bit in range(_BITS):
        spread |= (numbers >> bit & 1) << 3 * bit
    return spread
