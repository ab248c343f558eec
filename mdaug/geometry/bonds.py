"""Bond graph of a structure: bonds by covalent radii, their names, and the fragments on their two sides."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from ase import Atoms
from ase.data import atomic_masses, chemical_symbols, covalent_radii
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import structure_pairs

BoolArray = NDArray[np.bool_]

BOND_SCALE = 1.25
"""Atoms closer than this times the sum of their covalent radii (Cordero 2008, as in ASE) are bonded."""


H2_A = 0.74
"""Bond length of H₂, whose atoms are farther apart than their covalent radii imply (0.62 Å)."""


def single_bond_lengths(numbers_i: IntArray | int, numbers_j: IntArray | int) -> FloatArray:
    """Return the usual length of a single bond between elements: the sum of their covalent radii.

    Parameters
    ----------
    numbers_i, numbers_j
        Atomic numbers; shapes that broadcast.

    Returns
    -------
    lengths
        Å, of the common shape.
    """
    i, j = np.asarray(numbers_i), np.asarray(numbers_j)
    lengths: FloatArray = np.where((i == 1) & (j == 1), H2_A, covalent_radii[i] + covalent_radii[j])
    return lengths


def longest_bond(atomic_numbers: IntArray) -> float:
    """Return the distance (Å) beyond which no two of these atoms are bonded.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    """
    elements = np.unique(atomic_numbers)
    return BOND_SCALE * float(single_bond_lengths(elements[:, None], elements).max())


def bonded(
    atomic_numbers: IntArray,
    idx_i: IntArray,
    idx_j: IntArray,
    distances: FloatArray,
) -> BoolArray:
    """Return which pairs are bonds by their distance.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    idx_i, idx_j
        Shape (n_pairs,).
    distances
        Shape (…, n_pairs), Å.

    Returns
    -------
    bonded
        Shape (…, n_pairs).
    """
    close: BoolArray = distances < BOND_SCALE * single_bond_lengths(
        atomic_numbers[idx_i], atomic_numbers[idx_j]
    )
    return close


@dataclass(frozen=True)
class BondImages:
    """Bonds of a structure, one for each periodic image that an atom is bonded to.

    Parameters
    ----------
    index
        Shape (n_bonds, 2); the same atom twice if it is bonded to its own image.
    shifts
        Cartesian, Å, shape (n_bonds, 3): r_ij = r_j − r_i + shift.
    lengths
        Å, shape (n_bonds,).
    """

    index: IntArray
    shifts: FloatArray
    lengths: FloatArray


def bond_images(atoms: Atoms) -> BondImages:
    """Return the bonds of a structure by covalent radii, to every periodic image.

    Parameters
    ----------
    atoms
        A molecule or a periodic cell.
    """
    idx_i, idx_j, shifts = structure_pairs(atoms, atoms.positions, longest_bond(atoms.numbers))
    lengths = np.linalg.norm(atoms.positions[idx_j] - atoms.positions[idx_i] + shifts, axis=1)
    close = bonded(atoms.numbers, idx_i, idx_j, lengths)
    return BondImages(np.stack([idx_i, idx_j], axis=1)[close], shifts[close], lengths[close])


def find_bonds(atoms: Atoms) -> IntArray:
    """Return the pairs of bonded atoms of a structure.

    Parameters
    ----------
    atoms
        A molecule or a periodic cell; two atoms bonded through several images count once.

    Returns
    -------
    bonds
        Shape (n_bonds, 2), i < j, in lexical order.
    """
    index = np.sort(bond_images(atoms).index, axis=1)
    pairs: IntArray = np.unique(index[index[:, 0] != index[:, 1]], axis=0)
    return pairs


def sides(n_atoms: int, bonds: IntArray, bond: tuple[int, int]) -> tuple[IntArray, IntArray] | None:
    """Return the atoms on the two sides of a bond.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        All bonds, shape (n_bonds, 2), i < j.
    bond
        The bond (i, j) to cut, in either order.

    Returns
    -------
    side_i, side_j
        Indices of the atoms connected to i and to j after the cut; None if the bond is part of a ring.
    """
    i, j = sorted(bond)
    kept = bonds[~((bonds[:, 0] == i) & (bonds[:, 1] == j))]
    graph = coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(n_atoms, n_atoms))
    _, fragment = connected_components(graph, directed=False)
    if fragment[i] == fragment[j]:
        return None
    return np.flatnonzero(fragment == fragment[bond[0]]), np.flatnonzero(fragment == fragment[bond[1]])


def moving_side(atomic_numbers: IntArray, bonds: IntArray, bond: tuple[int, int]) -> IntArray | None:
    """Return the atoms that move when a bond is stretched: the side with fewer atoms (the lighter one if
    equal).

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        All bonds, shape (n_bonds, 2), i < j.
    bond
        The bond (i, j) that is stretched.

    Returns
    -------
    moving
        Indices of the atoms; None if the bond is part of a ring.
    """
    both_sides = sides(len(atomic_numbers), bonds, bond)
    if both_sides is None:
        return None
    side_i, side_j = both_sides
    size_i, size_j = ((len(side), atomic_masses[atomic_numbers[side]].sum()) for side in both_sides)
    return side_i if size_i < size_j else side_j


def bond_name(atomic_numbers: IntArray, atoms: Iterable[int]) -> str:
    """Return a name of symbols with 0-based indices, for example ``O2-H8``.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    atoms
        Indices of the atoms; any number of them.
    """
    return "-".join(f"{chemical_symbols[atomic_numbers[i]]}{i}" for i in atoms)


def smaller_fragment(atoms: Atoms, bond: tuple[int, int]) -> IntArray:
    """Return the `moving_side` of a bond of a structure.

    Parameters
    ----------
    atoms
        The structure, whose bonds follow from covalent radii.
    bond
        Indices of the two atoms.

    Raises
    ------
    DataError
        An index is out of range, the two atoms are not bonded, or the bond is part of a ring.
    """
    i, j = bond
    if not (0 <= i < len(atoms) and 0 <= j < len(atoms) and i != j):
        raise DataError(f"bond {i} {j}: expected two different atoms from 0 to {len(atoms) - 1}")
    bonds = find_bonds(atoms)
    name = bond_name(atoms.numbers, bond)
    if [min(bond), max(bond)] not in bonds.tolist():
        names = ", ".join(bond_name(atoms.numbers, pair) for pair in bonds[:12])
        raise DataError(
            f"{name} is not a bond of the structure ({atoms.get_distance(i, j, mic=True):.2f} Å apart); "
            f"its bonds are {names}{', …' if len(bonds) > 12 else ''}"
        )
    moving = moving_side(atoms.numbers, bonds, bond)
    if moving is None:
        raise DataError(
            f"bond {name} is part of a ring, so no fragment can move along it; choose another bond"
        )
    return moving
