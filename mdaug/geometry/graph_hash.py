"""Hash of a molecule's bond graph, equal for any order of its atoms."""

from functools import lru_cache

import numpy as np

from mdaug.frames import IntArray

LARGEST = 150
"""Atoms of a molecule up to which each atom is singled out; the time grows with their third power."""

HASH_LENGTH = 32
"""Hexadecimal digits of a hash."""

_MIX = tuple(np.uint64(factor) for factor in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def graph_hash(atomic_numbers: IntArray, bonds: IntArray) -> str:
    """Return a hash of the elements and bonds of a molecule that does not depend on the order of its atoms.

    Weisfeiler and Lehman's refinement, as many rounds as there are atoms, so that it reaches the whole
    molecule. It is repeated with each atom singled out in turn (individualization), which distinguishes
    molecules whose atoms all have like surroundings, such as decalin and bicyclopentyl.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), each bond once.

    Returns
    -------
    hash
        32 hexadecimal digits.
    """
    numbers, index = np.asarray(atomic_numbers, np.int64), np.asarray(bonds, np.int64).reshape(-1, 2)
    return _of_bytes(numbers.tobytes(), index.tobytes())


@lru_cache(maxsize=1024)
def _of_bytes(numbers: bytes, bonds: bytes) -> str:
    """Return the hash; frames of a trajectory and molecules of a box mostly have the same bonds."""
    elements = np.frombuffer(numbers, np.int64).astype(np.uint64)
    index = np.frombuffer(bonds, np.int64).reshape(-1, 2)
    n_atoms = len(elements)
    labels = np.tile(elements, (n_atoms if n_atoms <= LARGEST else 1, 1))
    if n_atoms <= LARGEST:
        labels[np.diag_indices(n_atoms)] += np.uint64(1 << 32)
    sources, targets = np.concatenate([index, index[:, ::-1]]).T
    order = np.argsort(sources, kind="stable")
    sources, targets = sources[order], targets[order]
    bonded, start = np.unique(sources, return_index=True)
    for _ in range(n_atoms):
        neighbors = np.zeros_like(labels)
        if len(bonded):
            neighbors[:, bonded] = np.add.reduceat(_mixed(labels[:, targets]), start, axis=1)
        labels = _mixed(labels + _MIX[0]) + _mixed(neighbors)
    graphs = _mixed(labels).sum(axis=1, dtype=np.uint64)
    total = _mixed(graphs).sum(dtype=np.uint64)
    return f"{int(total):016x}{int(_mixed(graphs + _MIX[2]).sum(dtype=np.uint64)):016x}"


def _mixed(values: np.ndarray) -> np.ndarray:
    """Scatter the bits of uint64 numbers (the finalizer of splitmix64); arithmetic is modulo 2⁶⁴."""
    values = (values ^ (values >> np.uint64(30))) * _MIX[1]
    values = (values ^ (values >> np.uint64(27))) * _MIX[2]
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
