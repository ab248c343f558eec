"""Which molecules frames hold, and whether they stay together."""

import warnings

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mdaug.frames.bonds import bonded, pair_lengths
from mdaug.frames.frame_set import FloatArray, FrameSet, IntArray
from mdaug.frames.pairs import molecule_pairs

APART_A = 6.0
"""Molecules whose nearest atoms are farther apart than this have parted: few networks reach so far."""

MAX_FRAMES = 300
"""More frames than this, evenly spaced, tell nothing new."""


def molecule_of_atom(n_atoms: int, bonds: IntArray) -> IntArray:
    """Return the number of the molecule that each atom belongs to, shape (n_atoms,), from 0.

    `bonds` has shape (n_bonds, 2); an atom without a bond is a molecule of its own.
    """
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(n_atoms, n_atoms))
    numbers: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def frame_molecules(frames: FrameSet) -> IntArray:
    """Return the molecule of each atom, shape (n_atoms,), by mean distances (nearest images)."""
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    total, few = np.zeros(len(idx_i)), _evenly(frames)
    for n in range(len(few)):  # one by one: all pairs of a box of many frames would fill the memory
        cell = few.cells[n : n + 1] if few.cells is not None and few.periodic else None
        total += pair_lengths(few.positions[n : n + 1], cell, idx_i, idx_j)[0]
    near = bonded(frames.atomic_numbers, idx_i, idx_j, total / len(few))
    return molecule_of_atom(frames.n_atoms, np.stack([idx_i, idx_j], axis=1)[near])


def parted(positions: FloatArray) -> bool:
    """Tell whether some of the atoms (n_atoms, 3), Å, have left the others by more than `APART_A`."""
    idx_i, idx_j = molecule_pairs(len(positions))
    near = pair_lengths(positions[None], None, idx_i, idx_j)[0] < APART_A
    return bool(molecule_of_atom(len(positions), np.stack([idx_i, idx_j], axis=1)[near]).any())


def warn_of_parting(frames: FrameSet) -> None:
    """Warn of frames in which molecules have left each other, or a molecule has come apart."""
    if frames.periodic:
        return
    few = _evenly(frames)
    n_parted = sum(parted(positions) for positions in few.positions)
    if n_parted:
        warnings.warn(
            f"{frames.name}: in {n_parted} of {len(few)} frames some atoms are more than {APART_A:g} Å away "
            "from all others (evaporated, or broken off): a network does not see so far, and springs "
            "mean nothing there; sample colder or shorter, or leave those frames out",
            stacklevel=2,
        )


def _evenly(frames: FrameSet) -> FrameSet:
    return frames.select(np.unique(np.linspace(0, len(frames) - 1, MAX_FRAMES).astype(int)))
