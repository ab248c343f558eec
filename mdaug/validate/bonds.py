"""Names of bonds, the fragment that moves when one is stretched, and torsions."""

from collections.abc import Iterable

import numpy as np
from ase import Atoms
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames.bonds import find_bonds, minimum_image, sides
from mdaug.frames.frame_set import FloatArray, IntArray


def half_width(cells: FloatArray) -> float:
    """Return half the smallest distance between opposite faces of `cells` (…, 3, 3), Å."""
    # the columns of the inverse are the reciprocal vectors, whose lengths are one over the widths
    return float(0.5 / np.linalg.norm(np.linalg.inv(cells), axis=-2).max())


def bond_name(atomic_numbers: IntArray, atoms: Iterable[int]) -> str:
    """Return for example ``O2-H8``: symbols with 0-based indices; any number of atoms."""
    return "-".join(f"{chemical_symbols[atomic_numbers[i]]}{i}" for i in atoms)


def smaller_fragment(atoms: Atoms, bond: tuple[int, int]) -> IntArray:
    """Return the atoms that move when `bond` is stretched: the side with fewer atoms (if equal, the lighter).

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
    parts = sides(len(atoms), bonds, bond)
    if parts is None:
        raise DataError(
            f"bond {name} is part of a ring, so no fragment can move along it; choose another bond"
        )
    side_i, side_j = parts
    size_i, size_j = ((len(side), atoms.get_masses()[side].sum()) for side in parts)
    return side_i if size_i < size_j else side_j


def rotatable_torsions(atomic_numbers: IntArray, bonds: IntArray) -> IntArray:
    """Return one torsion a-b-c-d, shape (n_torsions, 4), for each bond b-c that others turn about.

    Bonds in rings and to terminal atoms have none. a and d are the heaviest neighbours (then the lowest
    indices); the chain starts at the end whose outer atom is heavier, so ethanol's hydroxyl is C-C-O-H.
    """
    found = []
    for b, c in bonds.tolist():
        if sides(len(atomic_numbers), bonds, (b, c)) is None:
            continue
        outer_b, outer_c = _neighbours(atomic_numbers, bonds, b, c), _neighbours(atomic_numbers, bonds, c, b)
        if not outer_b or not outer_c:
            continue
        torsion = [outer_b[0], b, c, outer_c[0]]
        forward = atomic_numbers[torsion[0]] >= atomic_numbers[torsion[3]]
        found.append(torsion if forward else torsion[::-1])
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def torsion_angles(positions: FloatArray, torsions: IntArray, cells: FloatArray | None = None) -> FloatArray:
    """Return the angles (n_frames, n_torsions) in degrees, −180 to 180, of positions (n_frames, n_atoms, 3).

    IUPAC sign: looking along b → c, positive if d lies clockwise of a; 0 is cis, ±180 trans.
    """
    a, b, c, d = (positions[:, torsions[:, k]] for k in range(4))
    ab, bc, cd = (minimum_image(v, cells) for v in (b - a, c - b, d - c))
    normal_b, normal_c = np.cross(ab, bc), np.cross(bc, cd)
    length = np.linalg.norm(bc, axis=-1)
    sine = length * np.einsum("...k,...k->...", ab, normal_c)
    return np.degrees(np.arctan2(sine, np.einsum("...k,...k->...", normal_b, normal_c)))


def _neighbours(atomic_numbers: IntArray, bonds: IntArray, atom: int, without: int) -> list[int]:
    """Return the atoms bonded to `atom` except `without`, heaviest first, then by index."""
    ends = [j if i == atom else i for i, j in bonds.tolist() if atom in (i, j)]
    return sorted((k for k in ends if k != without), key=lambda k: (-atomic_numbers[k], k))
