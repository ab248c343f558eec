"""Torsions: rotatable bonds of molecules, and torsion angles."""

import numpy as np

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import sides
from mdaug.geometry.pairs import minimum_image

STRAIGHT = float(np.cos(np.radians(15.0)))
"""A bond angle whose mean exceeds 165° counts as straight."""


def rotatable_torsions(atomic_numbers: IntArray, bonds: IntArray) -> IntArray:
    """Return one torsion a-b-c-d for each rotatable bond b-c.

    Bonds in rings and to terminal atoms have none. a and d are the heaviest neighbors (then the lowest
    indices); the chain starts at the end whose outer atom is heavier, so ethanol's hydroxyl is C-C-O-H.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), i < j.

    Returns
    -------
    torsions
        Shape (n_torsions, 4).
    """
    torsions = []
    for b, c in bonds.tolist():
        if sides(len(atomic_numbers), bonds, (b, c)) is None:
            continue
        outer_b, outer_c = _neighbors(atomic_numbers, bonds, b, c), _neighbors(atomic_numbers, bonds, c, b)
        if not outer_b or not outer_c:
            continue
        torsion = [outer_b[0], b, c, outer_c[0]]
        forward = atomic_numbers[torsion[0]] >= atomic_numbers[torsion[3]]
        torsions.append(torsion if forward else torsion[::-1])
    return np.array(torsions, dtype=np.int64).reshape(-1, 4)


def torsion_angles(positions: FloatArray, torsions: IntArray, cells: FloatArray | None = None) -> FloatArray:
    """Return torsion angles.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    torsions
        Shape (n_torsions, 4).
    cells
        As for `minimum_image`.

    Returns
    -------
    angles
        Shape (n_frames, n_torsions), degrees, −180 to 180. IUPAC sign: positive if, seen along b → c, d is
        clockwise of a; 0 is cis, ±180 trans.
    """
    ab, bc, cd = _chain_vectors(positions, torsions, cells)
    normal_b, normal_c = np.cross(ab, bc), np.cross(bc, cd)
    length = np.linalg.norm(bc, axis=-1)
    sine = length * np.einsum("...k,...k->...", ab, normal_c)
    return np.degrees(np.arctan2(sine, np.einsum("...k,...k->...", normal_b, normal_c)))


def without_straight(torsions: IntArray, positions: FloatArray, cells: FloatArray | None = None) -> IntArray:
    """Return the torsions whose two bond angles are not straight.

    About a straight angle (C-Zn-C, C-C≡N) the torsion is not defined.

    Parameters
    ----------
    torsions
        Shape (n_torsions, 4).
    positions
        Shape (n_frames, n_atoms, 3), Å; angles are averaged over the frames.
    cells
        As for `minimum_image`.

    Returns
    -------
    torsions
        Shape (n_kept, 4).
    """
    ab, bc, cd = _chain_vectors(positions, torsions, cells)
    cosines = [
        np.einsum("...k,...k->...", u, v) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
        for u, v in ((ab, bc), (bc, cd))
    ]
    kept: IntArray = torsions[np.max([cosine.mean(axis=0) for cosine in cosines], axis=0) < STRAIGHT]
    return kept


def _chain_vectors(
    positions: FloatArray, torsions: IntArray, cells: FloatArray | None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the vectors a → b, b → c and c → d, each of shape (n_frames, n_torsions, 3), Å."""
    a, b, c, d = (positions[:, torsions[:, k]] for k in range(4))
    return minimum_image(b - a, cells), minimum_image(c - b, cells), minimum_image(d - c, cells)


def _neighbors(atomic_numbers: IntArray, bonds: IntArray, atom: int, without: int) -> list[int]:
    """Return the atoms bonded to `atom` except `without`, heaviest first, then by index."""
    ends = [j if i == atom else i for i, j in bonds.tolist() if atom in (i, j)]
    return sorted((k for k in ends if k != without), key=lambda k: (-atomic_numbers[k], k))
