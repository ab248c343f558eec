"""Verlet list: neighbor pairs, updated only after atoms have moved far enough."""

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs

ALL_PAIRS_ATOMS = 40
"""A molecule of at most this many atoms has all its pairs in the list, at any distance."""

_BITS = 16
"""Bits for the bin number along each axis."""


class PairList:
    """Every unordered pair within the cutoff, periodic images and an atom's own images included.

    Pairs within cutoff + skin are searched once and reused until an atom has moved more than half the skin
    or the cell has changed; those beyond the cutoff are filtered out in each call. A small molecule always
    has all its pairs.

    Parameters
    ----------
    cutoff, skin
        Å.
    device
        Device of the returned tensors.
    sort
        Renumber the atoms at each search so that neighbors are close in memory; see ``order``.

    Attributes
    ----------
    order
        Shape (n_atoms,): the last pairs refer to ``positions[order]``. None if they refer to the positions as
        given: small molecules, and all systems without `sort`.
    n_searches
        Number of searches so far.
    """

    order: IntArray | None

    def __init__(self, cutoff: float, skin: float, device: torch.device, *, sort: bool = False) -> None:
        self.cutoff, self.skin, self.device, self.sort = cutoff, skin, device, sort
        self.n_searches, self.order = 0, None
        self._molecule_size = -1
        self._positions: FloatArray | None = None

    def pairs(
        self, positions: FloatArray, cell: FloatArray | None, pbc: tuple[bool, bool, bool]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the pairs of the atoms at these positions.

        Parameters
        ----------
        positions
            Shape (n_atoms, 3), Å; may lie outside the cell.
        cell
            Shape (3, 3), Å, rows are lattice vectors; None for a molecule.
        pbc
            Periodic directions.

        Returns
        -------
        idx_i, idx_j
            Shape (n_pairs,), indices into ``positions[order]``.
        shifts
            Shape (n_pairs, 3), Å: r_ij = r_j − r_i + shifts.
        """
        if cell is None and len(positions) <= ALL_PAIRS_ATOMS:
            return self._molecule(len(positions))
        if self._stale(positions, cell, pbc):
            self.order = spatial_order(positions, cell, self.cutoff) if self.sort else None
            pairs = neighbor_pairs(self._ordered(positions), cell, pbc, self.cutoff + self.skin)
            self._with_skin = self._tensors(*pairs)
            self._molecule_size, self._positions = -1, positions.copy()
            self._cell, self._pbc = None if cell is None else cell.copy(), pbc
            self.n_searches += 1
        return self._within_cutoff(torch.from_numpy(self._ordered(positions)).to(self.device))

    def _ordered(self, positions: FloatArray) -> FloatArray:
        return positions if self.order is None else positions[self.order]

    def _molecule(self, n_atoms: int) -> tuple[Tensor, Tensor, Tensor]:
        if n_atoms != self._molecule_size:
            idx_i, idx_j = molecule_pairs(n_atoms)
            self._with_skin = self._tensors(idx_i, idx_j, np.zeros((len(idx_i), 3)))
            self._molecule_size, self._positions, self.order = n_atoms, None, None
            self.n_searches += 1
        return self._with_skin

    def _stale(self, positions: FloatArray, cell: FloatArray | None, pbc: tuple[bool, bool, bool]) -> bool:
        if self._positions is None or len(positions) != len(self._positions) or pbc != self._pbc:
            return True
        if (cell is None) != (self._cell is None) or (cell is not None and not (cell == self._cell).all()):
            return True
        moved = positions - self._positions
        return float(np.einsum("ax,ax->a", moved, moved).max()) > (self.skin / 2) ** 2

    def _within_cutoff(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        idx_i, idx_j, shifts = self._with_skin
        r_ij = positions.index_select(0, idx_j) - positions.index_select(0, idx_i) + shifts
        within = torch.nonzero((r_ij * r_ij).sum(-1) < self.cutoff**2).squeeze(-1)
        return idx_i.index_select(0, within), idx_j.index_select(0, within), shifts.index_select(0, within)

    def _tensors(self, *arrays: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        idx_i, idx_j, shifts = (torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in arrays)
        return idx_i, idx_j, shifts


def spatial_order(positions: FloatArray, cell: FloatArray | None, bin_size: float) -> IntArray:
    """Return an order of the atoms in which neighbors in space are close in memory.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å; may lie outside the cell.
    cell
        Shape (3, 3), Å, rows are lattice vectors; None for a molecule.
    bin_size
        Approximate edge of a bin, Å.

    Returns
    -------
    order
        Shape (n_atoms,): indices bin by bin along a Z-order curve; within a bin in ascending order.
    """
    if cell is None:
        bin_positions = (positions - positions.min(axis=0)) / bin_size
    else:
        n_bins = np.maximum(1, np.linalg.norm(cell, axis=1) // bin_size)
        bin_positions = (positions @ np.linalg.inv(cell)) % 1.0 * n_bins
    bins = np.minimum(bin_positions, 2**_BITS - 1).astype(np.int64)
    x, y, z = (_spread_bits(bins[:, axis]) for axis in range(3))
    return np.argsort(x | y << 1 | z << 2, kind="stable")


def _spread_bits(numbers: IntArray) -> IntArray:
    """Move bit k of each number to bit 3k."""
    spread = np.zeros_like(numbers)
    for bit in range(_BITS):
        spread |= (numbers >> bit & 1) << 3 * bit
    return spread
