"""Tabulated general chemistry: what no frame near equilibrium can tell. Nothing here comes from the frames.

Bonds: how high the energy is when the bond, its fragments rigid, has 2.5 times its length (a vertical
plateau: nothing relaxes, so it is higher than a bond enthalpy), and the shape of the curve, for single
(1), double (2) and triple (3) bonds. H-C, H-O, C-C and C-O: broken-symmetry UCCSD(T) scans of methane,
water, methanol and ethane (water cc-pVTZ, others cc-pVDZ with the plateau brought to cc-pVTZ by MP2). The
others are estimates, good to about 8 kcal/mol: mean bond enthalpy plus zero-point energy and relaxation of
the fragments, with the shape of the nearest kind of bond.

Non-bonded repulsion: exponential, 0.3 kcal/mol at the sum of Bondi's radii (DOI 10.1021/j100785a001).
"""

from types import MappingProxyType
from typing import NamedTuple

from ase.data import chemical_symbols, covalent_radii, vdw_radii

from mdaug.units import EV_PER_KCAL_MOL


class BondShape(NamedTuple):
    """Energy at 2.5 bond lengths (eV), β0, β1, β2 (1/Å) of the expanded Morse oscillator."""

    plateau_eV: float
    beta0: float
    beta1: float
    beta2: float
    tabulated: bool = True


class Repulsion(NamedTuple):
    """Repulsion A exp(−B (d − R)): A (eV), B (1/Å), R (Å)."""

    strength_eV: float
    steepness: float
    contact_A: float


_TO_HYDROGEN = (2.3, 0.1, 2.0)
_C_H = (1.79, -0.13, 1.1)
_C_C = (1.71, 0.36, 3.1)
_SINGLE = (2.01, 0.76, 4.6)
_MULTIPLE = (2.3, 0.5, 4.0)

_BONDS = MappingProxyType(
    {
        ("H", "H", 1): (89.0, (1.94, 0.0, 1.0)),
        ("H", "C", 1): (113.0, _C_H),
        ("H", "N", 1): (112.0, _TO_HYDROGEN),
        ("H", "O", 1): (111.0, _TO_HYDROGEN),
        ("H", "F", 1): (138.0, _TO_HYDROGEN),
        ("H", "Si", 1): (96.0, _C_H),
        ("H", "P", 1): (88.0, _C_H),
        ("H", "S", 1): (95.0, _C_H),
        ("H", "Cl", 1): (106.0, _C_H),
        ("C", "C", 1): (113.0, _C_C),
        ("C", "C", 2): (190.0, _MULTIPLE),
        ("C", "C", 3): (260.0, _MULTIPLE),
        ("C", "N", 1): (100.0, _SINGLE),
        ("C", "N", 2): (175.0, _MULTIPLE),
        ("C", "N", 3): (240.0, _MULTIPLE),
        ("C", "O", 1): (104.0, _SINGLE),
        ("C", "O", 2): (190.0, _MULTIPLE),
        ("C", "F", 1): (120.0, _SINGLE),
        ("C", "S", 1): (85.0, _SINGLE),
        ("C", "Cl", 1): (92.0, _SINGLE),
        ("N", "N", 1): (75.0, _SINGLE),
        ("N", "N", 2): (120.0, _MULTIPLE),
        ("N", "O", 1): (65.0, _SINGLE),
        ("N", "O", 2): (120.0, _MULTIPLE),
        ("O", "O", 1): (55.0, _SINGLE),
        ("S", "S", 1): (70.0, _SINGLE),
    }
)

UNTABULATED = BondShape(80.0 * EV_PER_KCAL_MOL, *_SINGLE, tabulated=False)
"""Curve of a bond that is not in the table: the frames determine its length and stiffness, not how it
breaks."""

DOUBLE, TRIPLE = 0.925, 0.83
"""Bonds shorter than these multiples of the sum of covalent radii are double and triple ones."""


def bond_shape(z_i: int, z_j: int, length_A: float) -> BondShape:
    """Return the tabulated curve of a bond between two elements with this mean length; else `UNTABULATED`.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers, in any order.
    length_A
        Mean length, which decides between single, double and triple bonds.
    """
    ratio = length_A / (covalent_radii[z_i] + covalent_radii[z_j])
    order = 1 + (ratio < DOUBLE) + (ratio < TRIPLE)
    a, b = (chemical_symbols[z] for z in sorted((z_i, z_j)))
    entry = next((_BONDS[a, b, n] for n in (order, *range(order, 0, -1)) if (a, b, n) in _BONDS), None)
    if entry is None:
        return UNTABULATED
    plateau, shape = entry
    return BondShape(plateau * EV_PER_KCAL_MOL, *shape)


def repulsion(z_i: int, z_j: int) -> Repulsion:
    """Return the tabulated repulsion of two atoms that are not bonded.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers, in any order.
    """
    return Repulsion(0.3 * EV_PER_KCAL_MOL, 3.6, float(vdw_radii[z_i] + vdw_radii[z_j]))
