"""Which molecules frames hold, and whether they stay together."""

import warnings

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bonded
from mdaug.geometry.pairs import molecule_pairs, narrowest_width, pair_lengths

APART_A = 6.0
"""Molecules whose nearest atoms are farther apart than this have has_parted: few networks reach so far."""

NARROWEST_A = 8.0
"""Of a cell with molecules: a bond stretched to 2.5 lengths is shorter than half of it."""

AT_ONCE = 4_000_000
"""Pairs held in memory at once."""

MAX_FRAMES = 300
"""More frames than this, evenly spaced, tell nothing new."""


def molecule_of_atom(n_atoms: int, bonds: IntArray) -> IntArray:
    """Return the number of the molecule that each atom belongs to, shape (n_atoms,), from 0.

    `bonds` has shape (n_bonds, 2); an atom without a bond is a molecule of its own.
    """
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(n_atoms, n_atoms))
    numbers: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def sampled_pair_lengths(frames: FrameSet) -> FloatArray:
    """Return the distances (n_some, n_pairs), Å, of the pairs of `molecule_pairs`, to nearest images.

    Of as many frames, evenly spaced, as fit in memory.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    few = frames.evenly_spaced(max(1, AT_ONCE // max(1, len(idx_i))))
    return pair_lengths(few.positions, few.periodic_cells, idx_i, idx_j)


def mean_lengths(frames: FrameSet) -> FloatArray:
    """Return the means over `sampled_pair_lengths` (n_pairs,), Å."""
    return sampled_pair_lengths(frames).mean(axis=0)


def mean_bonds(frames: FrameSet) -> tuple[IntArray, FloatArray]:
    """Return the pairs (n_bonds, 2), i < j, bonded by their mean distance (Å), and that, shape (n_bonds,)."""
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    mean = mean_lengths(frames)
    near = bonded(frames.atomic_numbers, idx_i, idx_j, mean)
    return np.stack([idx_i, idx_j], axis=1)[near], mean[near]


def frame_molecules(frames: FrameSet) -> IntArray:
    """Return the molecule of each atom, shape (n_atoms,), by `mean_bonds`."""
    return molecule_of_atom(frames.n_atoms, mean_bonds(frames)[0])


def count_molecules(frames: FrameSet) -> int:
    """Return how many molecules each frame holds."""
    return int(frame_molecules(frames).max()) + 1


def molecular_cells(frames: FrameSet) -> FloatArray | None:
    """Return the `periodic_cells` of `frames`.

    Raises
    ------
    DataError
        If they are so narrow that molecules meet their own images.
    """
    cells = frames.periodic_cells
    if cells is None:
        return None
    width = narrowest_width(cells)
    if width < NARROWEST_A:
        raise DataError(
            f"{frames.name}: the cell is {width:.3g} Å wide; molecules are told from their images in cells "
            f"of at least {NARROWEST_A:g} Å"
        )
    return cells


def connects_to_own_image(positions: FloatArray, bonds: IntArray, cell: FloatArray) -> bool:
    """Tell whether bonds lead from some atom to its own image.

    If not, every atom can be moved by whole cells such that no bond goes through a face.
    """
    vectors = positions[bonds[:, 1]] - positions[bonds[:, 0]]
    crossed = np.round(vectors @ np.linalg.inv(cell))
    ends = np.zeros((len(bonds), len(positions)))
    ends[np.arange(len(bonds)), bonds[:, 1]] += 1
    ends[np.arange(len(bonds)), bonds[:, 0]] -= 1
    moves = np.linalg.lstsq(ends, crossed)[0]
    return bool(np.abs(ends @ moves - crossed).max() > 1e-6)


def has_parted(positions: FloatArray) -> bool:
    """Tell whether some of the atoms (n_atoms, 3), Å, have left the others by more than `APART_A`."""
    idx_i, idx_j = molecule_pairs(len(positions))
    near = pair_lengths(positions[None], None, idx_i, idx_j)[0] < APART_A
    return bool(molecule_of_atom(len(positions), np.stack([idx_i, idx_j], axis=1)[near]).any())


def warn_of_parting(frames: FrameSet) -> None:
    """Warn of frames in which molecules have left each other, or a molecule has come apart."""
    if frames.periodic:
        return
    few = frames.evenly_spaced(MAX_FRAMES)
    n_parted = sum(has_parted(positions) for positions in few.positions)
    if n_parted:
        warnings.warn(
            f"{frames.name}: in {n_parted} of {len(few)} frames some atoms are more than {APART_A:g} Å away "
            "from all others (evaporated, or broken off): a network does not see so far, and springs "
            "mean nothing there; sample colder or shorter, or leave those frames out",
            stacklevel=2,
        )
