"""Energies of pairs of atoms as functions of their distance: ZBL repulsion, Morse bonds, repulsive walls."""

import numpy as np
from ase.data import covalent_radii

from mdaug.frames import FloatArray
from mdaug.geometry.pairs import quintic_switch
from mdaug.units import COULOMB_EV_A, EV_PER_KCAL_MOL

ZBL_RANGE = (0.375, 0.75)
"""The ZBL repulsion is switched off between these multiples of the length of a single bond."""

ZBL_CORE_A = 0.1
"""Below this distance ZBL is continued by its Taylor polynomial of second order."""

WELL_DEPTH = 110.0 * EV_PER_KCAL_MOL
"""Depth of a Morse bond (eV): about the dissociation energy of a single bond between light elements."""

WALL_DECAY_PER_A = 3.6
"""Decay constant of non-bonded repulsion: the C-C value of Williams (DOI 10.1063/1.1701684)."""

_ZBL_SHARES = np.array([0.18175, 0.50986, 0.28022, 0.02817])
_ZBL_DECAYS = np.array([3.19980, 0.94229, 0.40290, 0.20162])


def bond_length(first: int, second: int) -> float:
    """Return the length of a single bond (Å): the sum of the covalent radii.

    Parameters
    ----------
    first, second
        Atomic numbers.
    """
    return float(covalent_radii[first] + covalent_radii[second])


def zbl_range(first: int, second: int, cutoff: float = np.inf) -> tuple[float, float]:
    """Return the distances (Å) between which the ZBL repulsion of two elements is switched off.

    Both are scaled down by the same factor where the second would exceed the cutoff.

    Parameters
    ----------
    first, second
        Atomic numbers.
    cutoff
        Å.
    """
    length = min(bond_length(first, second), cutoff / ZBL_RANGE[1])
    return ZBL_RANGE[0] * length, ZBL_RANGE[1] * length


def switch_off(d: FloatArray, start: float, end: float) -> FloatArray:
    """Return 1 up to `start`, 0 from `end` on, 1 − 10t³ + 15t⁴ − 6t⁵ between: two derivatives everywhere.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    start, end
        Å.
    """
    return quintic_switch((np.asarray(d) - start) / (end - start))


def zbl(d: FloatArray, first: int, second: int, cutoff: float = np.inf) -> FloatArray:
    """Return the universal short-range repulsion of Ziegler, Biersack and Littmark, eV.

    φ(d) = Z₁ Z₂ e²/(4π ε₀ d) · Σ_k c_k exp(−e_k d / a), a = 0.46850 Å / (Z₁^0.23 + Z₂^0.23)
    (DOI 10.1007/978-1-4615-8103-1_3), times `switch_off` over `zbl_range`: it is zero at the distances of
    stable molecules and beyond the cutoff.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    first, second
        Atomic numbers.
    cutoff
        Å.
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
    """Return the energy of a Morse bond (DOI 10.1103/PhysRev.34.57), eV: −`WELL_DEPTH` at `r0`, 0 far away.

    φ(d) = D (e^(−2a(d − r0)) − 2 e^(−a(d − r0))), switched off between `start` and `end`.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    r0
        Length of the bond, Å.
    a
        Width of the well, 1/Å.
    start, end
        Distances between which it is switched off, Å.
    """
    e = np.exp(-a * (d - r0))
    return WELL_DEPTH * (e * e - 2.0 * e) * switch_off(d, start, end)


def wall(d: FloatArray, height: float, at: float, cutoff: float) -> FloatArray:
    """Return the repulsion of atoms that are not bonded, φ(d) = h e^(−b(d − at)), eV.

    b is `WALL_DECAY_PER_A`. It is switched off over the second half of the cutoff, where it is small.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    height
        h, the energy at distance `at`, eV.
    at
        Å.
    cutoff
        Å.
    """
    return height * np.exp(-WALL_DECAY_PER_A * (d - at)) * switch_off(d, cutoff / 2, cutoff)
