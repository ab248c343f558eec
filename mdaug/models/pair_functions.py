"""Closed forms of pair energies φ(d), eV, at distances in Å (arrays of any shape); all have two derivatives.

All are finite down to d = 0, and go on smoothly below it, as the ends of a spline table need.
"""

import numpy as np
from ase.data import covalent_radii

from mdaug.frames import FloatArray
from mdaug.units import COULOMB_EV_A, EV_PER_KCAL_MOL

ZBL_RANGE = (0.375, 0.75)
"""The ZBL repulsion is switched off between these multiples of the length of a single bond."""

ZBL_CORE_A = 0.1
"""Below this distance ZBL goes on as its Taylor polynomial of second order."""

WELL_DEPTH = 110.0 * EV_PER_KCAL_MOL
"""Energy that it takes to pull a single bond of light elements apart with the rest held still."""

WALL_DECAY_PER_A = 3.6
"""How fast non-bonded repulsion falls off: the C-C value of Williams (DOI 10.1063/1.1701684)."""

_ZBL_SHARES = np.array([0.18175, 0.50986, 0.28022, 0.02817])
_ZBL_DECAYS = np.array([3.19980, 0.94229, 0.40290, 0.20162])


def switch_off(d: FloatArray, start: float, end: float) -> FloatArray:
    """1 up to `start`, 0 from `end` on (Å), 1 − 10t³ + 15t⁴ − 6t⁵ between: two derivatives everywhere."""
    t = np.clip((d - start) / (end - start), 0.0, 1.0)
    return 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t * t)


def bond_length(first: int, second: int) -> float:
    """Length of a single bond (Å) between two elements: the sum of their covalent radii."""
    return float(covalent_radii[first] + covalent_radii[second])


def zbl_range(first: int, second: int, cutoff: float = np.inf) -> tuple[float, float]:
    """Distances (Å) between which the ZBL repulsion of two elements is switched off.

    Both are shortened alike where they would end beyond the `cutoff`.
    """
    length = min(bond_length(first, second), cutoff / ZBL_RANGE[1])
    return ZBL_RANGE[0] * length, ZBL_RANGE[1] * length


def zbl(d: FloatArray, first: int, second: int, cutoff: float = np.inf) -> FloatArray:
    """Universal repulsion of Ziegler, Biersack and Littmark between two elements at short range.

    φ(d) = Z₁ Z₂ e²/(4π ε₀ d) · Σ_k c_k exp(−e_k d / a), a = 0.46850 Å / (Z₁^0.23 + Z₂^0.23)
    (DOI 10.1007/978-1-4615-8103-1_3), times `switch_off` over `zbl_range`: it is nothing where frames of
    stable molecules are, and beyond the `cutoff`.
    """
    decays = _ZBL_DECAYS * (first**0.23 + second**0.23) / 0.46850
    charges = first * second * COULOMB_EV_A
    r = np.maximum(d, ZBL_CORE_A)[..., None]
    terms = charges * _ZBL_SHARES * np.exp(-decays * r) / r
    value = terms.sum(-1)
    slope = -(terms * (decays + 1 / r)).sum(-1)
    curvature = (terms * (decays**2 + 2 * decays / r + 2 / r**2)).sum(-1)
    inside = np.minimum(d - ZBL_CORE_A, 0.0)
    return (value + slope * inside + curvature * inside**2 / 2) * switch_off(
        d, *zbl_range(first, second, cutoff)
    )


def well(d: FloatArray, r0: float, a: float, start: float, end: float) -> FloatArray:
    """Morse's bond (DOI 10.1103/PhysRev.34.57), zero where the atoms are apart and −`WELL_DEPTH` at `r0`.

    φ(d) = D (e^(−2a(d − r0)) − 2 e^(−a(d − r0))), switched off between `start` and `end`; Å and 1/Å.
    """
    e = np.exp(-a * (d - r0))
    return WELL_DEPTH * (e * e - 2.0 * e) * switch_off(d, start, end)


def wall(d: FloatArray, height: float, at: float, cutoff: float) -> FloatArray:
    """Repulsion of atoms that are not bonded, φ(d) = h e^(−b(d − at)): `height` (eV) at distance `at` (Å).

    b is `WALL_DECAY_PER_A`. Switched off over the second half of the `cutoff`, where little of it is left.
    """
    return height * np.exp(-WALL_DECAY_PER_A * (d - at)) * switch_off(d, cutoff / 2, cutoff)
