"""Verlet list: neighbor pairs that are searched again only when atoms have moved far enough."""

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs

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


ALL_PAIRS_ATOMS = 40
"""A molecule of at most so many atoms has all its pairs in the list, whatever their distance."""


class PairList:
    """Every unordered pair within the cutoff, periodic images and self-images included.

    Pairs within cutoff + skin are found once and serve until an atom has moved more than half the skin, or
    the cell has changed; those beyond the cutoff are left out at each call. A small molecule has all its
    pairs.

    Parameters
    ----------
    cutoff, skin
        Å.
    sort
        Number the atoms anew at each search, so that neighbours are close in memory; see ``order``.

    Attributes
    ----------
    order
        Shape (n_atoms,): the last pairs are those of ``positions[order]``. None if they are those of the
        positions as given: small molecules, and all systems without `sort`.
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
        """Return idx_i, idx_j (n_pairs,) and shifts (n_pairs, 3), Å, with r_ij = r_j − r_i + shifts.

        Atoms are numbered by their places in ``order``.
        """
        if cell is None and len(positions) <= ALL_PAIRS_ATOMS:
            return self._molecule(len(positions))
        if self._stale(positions, cell, pbc):
            self.order = spatial_order(positions, cell, self.cutoff) if self.sort else None
            found = neighbor_pairs(self._ordered(positions), cell, pbc, self.cutoff + self.skin)
            self._found = self._tensors(*found)
            self._molecule_size, self._positions = -1, positions.copy()
            self._cell, self._pbc = None if cell is None else cell.copy(), pbc
            self.n_searches += 1
        return self._near(torch.from_numpy(self._ordered(positions)).to(self.device))

    def _ordered(self, positions: FloatArray) -> FloatArray:
        return positions if self.order is None else positions[self.order]

    def _molecule(self, n_atoms: int) -> tuple[Tensor, Tensor, Tensor]:
        if n_atoms != self._molecule_size:
            idx_i, idx_j = molecule_pairs(n_atoms)
            self._found = self._tensors(idx_i, idx_j, np.zeros((len(idx_i), 3)))
            self._molecule_size, self._positions, self.order = n_atoms, None, None
            self.n_searches += 1
        return self._found

    def _stale(self, positions: FloatArray, cell: FloatArray | None, pbc: tuple[bool, bool, bool]) -> bool:
        if self._positions is None or len(positions) != len(self._positions) or pbc != self._pbc:
            return True
        if (cell is None) != (self._cell is None) or (cell is not None and not (cell == self._cell).all()):
            return True
        moved = positions - self._positions
        return float(np.einsum("ax,ax->a", moved, moved).max()) > (self.skin / 2) ** 2

    def _near(self, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        idx_i, idx_j, shifts = self._found
        r_ij = positions.index_select(0, idx_j) - positions.index_select(0, idx_i) + shifts
        near = torch.nonzero((r_ij * r_ij).sum(-1) < self.cutoff**2).squeeze(-1)
        return idx_i.index_select(0, near), idx_j.index_select(0, near), shifts.index_select(0, near)

    def _tensors(self, *arrays: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        idx_i, idx_j, shifts = (torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in arrays)
        return idx_i, idx_j, shifts
