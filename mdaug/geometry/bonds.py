"""Which atoms are bonded, how bonds are named, and what falls apart when one is cut."""

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


def bonded(atomic_numbers: IntArray, idx_i: IntArray, idx_j: IntArray, distances: FloatArray) -> BoolArray:
    """Tell which of the pairs `idx_i`, `idx_j` with these distances (Å) are bonds, shape (n_pairs,)."""
    radii = covalent_radii[atomic_numbers]
    close: BoolArray = distances < BOND_SCALE * (radii[idx_i] + radii[idx_j])
    return close


@dataclass(frozen=True)
class BondImages:
    """Bonds of a structure, one for each periodic image that an atom is bonded to.

    Parameters
    ----------
    index
        Shape (n_bonds, 2); twice the same atom if it is bonded to its own image.
    shifts
        Cartesian, Å, shape (n_bonds, 3): r_ij = r_j − r_i + shift.
    lengths
        Å, shape (n_bonds,).
    """

    index: IntArray
    shifts: FloatArray
    lengths: FloatArray


def bond_images(atoms: Atoms) -> BondImages:
    """Return the bonds of one structure by covalent radii, in periodic directions to every image."""
    reach = 2.0 * BOND_SCALE * float(covalent_radii[atoms.numbers].max())
    idx_i, idx_j, shifts = structure_pairs(atoms, atoms.positions, reach)
    lengths = np.linalg.norm(atoms.positions[idx_j] - atoms.positions[idx_i] + shifts, axis=1)
    close = bonded(atoms.numbers, idx_i, idx_j, lengths)
    return BondImages(np.stack([idx_i, idx_j], axis=1)[close], shifts[close], lengths[close])


def find_bonds(atoms: Atoms) -> IntArray:
    """Return which atoms of one structure are bonded, each two once: shape (n_bonds, 2), i < j, in order."""
    index = np.sort(bond_images(atoms).index, axis=1)
    pairs: IntArray = np.unique(index[index[:, 0] != index[:, 1]], axis=0)
    return pairs


def sides(n_atoms: int, bonds: IntArray, bond: tuple[int, int]) -> tuple[IntArray, IntArray] | None:
    """Return the atoms on the side of i and on the side of j once bond (i, j) is cut; None in a ring."""
    i, j = sorted(bond)
    kept = bonds[~((bonds[:, 0] == i) & (bonds[:, 1] == j))]
    graph = coo_array((np.ones(len(kept)), (kept[:, 0], kept[:, 1])), shape=(n_atoms, n_atoms))
    _, part = connected_components(graph, directed=False)
    if part[i] == part[j]:
        return None
    return np.flatnonzero(part == part[bond[0]]), np.flatnonzero(part == part[bond[1]])


def moving_side(atomic_numbers: IntArray, bonds: IntArray, bond: tuple[int, int]) -> IntArray | None:
    """Return the atoms that move when `bond` is stretched: the side with fewer atoms (if equal, the lighter).

    None if the bond is part of a ring.
    """
    parts = sides(len(atomic_numbers), bonds, bond)
    if parts is None:
        return None
    side_i, side_j = parts
    size_i, size_j = ((len(side), atomic_masses[atomic_numbers[side]].sum()) for side in parts)
    return side_i if size_i < size_j else side_j


def bond_name(atomic_numbers: IntArray, atoms: Iterable[int]) -> str:
    """Return for example ``O2-H8``: symbols with 0-based indices; any number of atoms."""
    return "-".join(f"{chemical_symbols[atomic_numbers[i]]}{i}" for i in atoms)


def smaller_fragment(atoms: Atoms, bond: tuple[int, int]) -> IntArray:
    """Return the `moving_side` of a bond of one structure.

    Raises
    ------
    DataError
        If an index is out of range, the two atoms are not bonded, or the bond is part of a ring.
    """
    i, j = bond
    if not (0 <= i < len(atoms) and 0 <= j < len(atoms) and i != j):
        raise DataError(f"bond {i} {j}: expected two different atoms from 0 to {len(atoms) - 1}")
    bonds = find_bonds(atoms)
    name = bond_name(atoms.numbers, bond)
    if [min(bond), max(bond)] not in bonds.tolist():
        known = ", ".join(bond_name(atoms.numbers, pair) for pair in bonds[:12])
        raise DataError(
            f"{name} is not a bond of the structure ({atoms.get_distance(i, j, mic=True):.2f} Å apart); "
            f"its bonds are {known}{', …' if len(bonds) > 12 else ''}"
        )
    moving = moving_side(atoms.numbers, bonds, bond)
    if moving is None:
        raise DataError(
            f"bond {name} is part of a ring, so no fragment can move along it; choose another bond"
        )
    return moving
