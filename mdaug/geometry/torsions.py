"""How torsions turn, and the narrowest width of a cell."""

import numpy as np

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import sides
from mdaug.geometry.pairs import minimum_image

STRAIGHT = float(np.cos(np.radians(15.0)))
"""Bond angles above 165° on average are straight."""


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


def without_straight(torsions: IntArray, positions: FloatArray, cells: FloatArray | None = None) -> IntArray:
    """Return the torsions none of whose two bond angles is straight in `positions` (n_frames, n_atoms, 3).

    About a straight angle (C-Zn-C, C-C≡N) nothing turns, and the torsion is not defined.
    """
    a, b, c, d = (positions[:, torsions[:, k]] for k in range(4))
    ab, bc, cd = (minimum_image(v, cells) for v in (b - a, c - b, d - c))
    cosines = [
        np.einsum("...k,...k->...", u, v) / (np.linalg.norm(u, axis=-1) * np.linalg.norm(v, axis=-1))
        for u, v in ((ab, bc), (bc, cd))
    ]
    bent: IntArray = torsions[np.max([cosine.mean(axis=0) for cosine in cosines], axis=0) < STRAIGHT]
    return bent


def _neighbours(atomic_numbers: IntArray, bonds: IntArray, atom: int, without: int) -> list[int]:
    """Return the atoms bonded to `atom` except `without`, heaviest first, then by index."""
    ends = [j if i == atom else i for i, j in bonds.tolist() if atom in (i, j)]
    return sorted((k for k in ends if k != without), key=lambda k: (-atomic_numbers[k], k))
