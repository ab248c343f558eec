"""Bonds, angles, torsions and non-bonded pairs of molecules, with classes of equivalent atoms."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.molecules import (
    connects_to_own_image,
    frame_bonds,
    molecular_cells,
    molecule_of_atom,
)
from mdaug.geometry.pairs import molecule_pairs


@dataclass(frozen=True)
class Topology:
    """Bonds, angles, torsions and non-bonded pairs of some molecules.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    classes
        Shape (n_atoms,): equal for atoms that are equivalent in the bond graph.
    bonds
        Shape (n_bonds, 2), i < j.
    angles
        Shape (n_angles, 3), the center in the middle.
    torsions
        Shape (n_torsions, 4), along three bonds.
    pairs
        Shape (n_pairs, 2): atoms of one molecule, two or more bonds apart.
    separation
        Shape (n_pairs,): bonds between the two atoms, 4 for four or more.
    intermolecular_pairs
        Shape (n_pairs, 2): atoms without a path of lasting bonds between them.
    molecule
        Shape (n_atoms,): number of each atom's molecule, from 0.
    changing
        Shape (n_changing, 2), i < j: bonds that only some of the frames have, as of a shared proton.
    """

    atomic_numbers: IntArray
    classes: IntArray
    bonds: IntArray
    angles: IntArray
    torsions: IntArray
    pairs: IntArray
    separation: IntArray
    intermolecular_pairs: IntArray
    molecule: IntArray
    changing: IntArray


def find_topology(frames: FrameSet) -> Topology:
    """Return the topology of the molecules in `frames`.

    Parameters
    ----------
    frames
        Frames of the same molecules.

    Raises
    ------
    DataError
        If the frames are of a crystal, of a cell too narrow, or without bonds.
    """
    cells = molecular_cells(frames)
    of_frames = frame_bonds(frames)
    bonds = of_frames.lasting
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(frames.n_atoms,) * 2).tocsr()
    steps = shortest_path(graph, directed=False, unweighted=True)
    if len(bonds) == 0:
        raise DataError(f"{frames.name}: a force field is fitted to molecules, and these frames have no bond")
    if cells is not None and connects_to_own_image(frames.positions[0], bonds, cells[0]):
        raise DataError(
            f"{frames.name}: a force field is fitted to molecules, and here bonds go on from cell to cell"
        )
    neighbors = neighbors_of(frames.n_atoms, bonds)
    angles = [(i, j, k) for j in range(frames.n_atoms) for i, k in combinations(neighbors[j], 2)]
    torsions = [
        (i, j, k, m) for j, k in bonds.tolist() for i in neighbors[j] for m in neighbors[k]
        if i != k and m not in (i, j)
    ]  # fmt: skip
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    apart = steps[idx_i, idx_j]
    inside = (apart >= 2) & np.isfinite(apart)
    return Topology(
        frames.atomic_numbers,
        atom_classes(frames.atomic_numbers, neighbors_of(frames.n_atoms, of_frames.all_bonds)),
        bonds,
        np.array(angles, dtype=np.int64).reshape(-1, 3),
        np.array(torsions, dtype=np.int64).reshape(-1, 4),
        np.stack([idx_i, idx_j], axis=1)[inside],
        np.minimum(apart[inside], 4).astype(np.int64),
        np.stack([idx_i, idx_j], axis=1)[~np.isfinite(apart)],
        molecule_of_atom(frames.n_atoms, of_frames.all_bonds),
        of_frames.changing,
    )


def neighbors_of(n_atoms: int, bonds: IntArray) -> list[list[int]]:
    """Return the indices of the atoms bonded to each atom.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        Shape (n_bonds, 2).
    """
    both = np.concatenate([bonds, bonds[:, ::-1]])
    return [sorted(both[both[:, 0] == atom, 1].tolist()) for atom in range(n_atoms)]


def atom_classes(atomic_numbers: IntArray, neighbors: list[list[int]]) -> IntArray:
    """Return classes of equivalent atoms: elements, refined by the neighbors' classes until nothing changes.

    The order of refinement does not depend on the order of the atoms (H. L. Morgan,
    DOI 10.1021/c160017a018).

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    neighbors
        Indices of the atoms bonded to each atom.
    """
    classes = np.asarray(atomic_numbers)
    while True:
        keys = [(int(classes[i]), sorted(classes[adjacent].tolist())) for i, adjacent in enumerate(neighbors)]
        distinct = sorted({(own, tuple(adjacent)) for own, adjacent in keys})
        refined = np.array([distinct.index((own, tuple(adjacent))) for own, adjacent in keys])
        if len(distinct) == len(np.unique(classes)):
            return refined
        classes = refined
