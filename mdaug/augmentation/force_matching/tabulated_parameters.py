"""Tabulated general chemistry: what no frame near equilibrium can tell. Nothing here comes from the frames.

Bonds: how high the energy is when the bond, its fragments rigid, has 2.5 times its length (a vertical
plateau: nothing relaxes, so it is higher than a bond enthalpy), and the shape of the curve, for single
(1), double (2) and triple (3) bonds. The source of each entry, in kcal/mol, is beside it:

- scan: broken-symmetry UCCSD(T) (water cc-pVTZ, others cc-pVDZ with the plateau brought to cc-pVTZ by MP2);
- fragments: UCCSD(T)/def2-SVP with MP2/def2-TZVPP, the fragments far apart (benchmarks/bond_energies.py);
- D298: bond dissociation enthalpies (Y.-R. Luo, Comprehensive Handbook of Chemical Bond Energies, CRC Press
  2007), plus 2 to 9 for zero-point energy and heat, and 7 to 8 for each CH3 that would become flat;
- De: of diatomic molecules (K. P. Huber, G. Herzberg, Constants of Diatomic Molecules, 1979);
- estimate: from bonds alike.

All but the scans are good to about 8 kcal/mol, and have the shape of the nearest kind of bond.

Non-bonded repulsion: exponential, 0.3 kcal/mol at the sum of Bondi's radii (DOI 10.1021/j100785a001).
Of atoms bonded to one atom it adds to the energy of their angle, and is chosen so that angles of ethanol
(CCSD(T)) and of four molecules of the zoo (GFN2-xTB) are right down to 60°.
"""

from types import MappingProxyType
from typing import NamedTuple

from ase.data import chemical_symbols, covalent_radii, vdw_radii

from mdaug.frames import IntArray
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

_H_H = (1.94, 0.0, 1.0)

_BONDS = MappingProxyType(
    {
        ("H", "H", 1): (89.0, _H_H),  # De 109.5 (Kolos, Wolniewicz) less 20 at 2.5 lengths
        ("H", "B", 1): (110.0, _C_H),  # fragments of BH3
        ("H", "C", 1): (113.0, _C_H),  # scan of CH4
        ("H", "N", 1): (112.0, _TO_HYDROGEN),  # D298 of NH3 107.6, of CH3NH2 101.6
        ("H", "O", 1): (111.0, _TO_HYDROGEN),  # scans of H2O, CH3OH
        ("H", "F", 1): (138.0, _TO_HYDROGEN),  # De 141.2
        ("H", "Si", 1): (96.0, _C_H),  # D298 of SiH4 91.7
        ("H", "P", 1): (88.0, _C_H),  # D298 of PH3 82.5
        ("H", "S", 1): (95.0, _C_H),  # D298 of H2S 91.2; fragments of CH3SH 91.7
        ("H", "Cl", 1): (106.0, _C_H),  # De 106.5
        ("H", "Br", 1): (90.0, _C_H),  # De 90.5
        ("H", "I", 1): (73.0, _C_H),  # De 73.8
        ("B", "C", 1): (117.0, _C_C),  # fragments of H2B-CH3 119.0
        ("B", "N", 2): (
            135.0,
            _SINGLE,
        ),  # estimate, from H2B-NH2; dative ones have no entry
        ("B", "O", 1): (150.0, _SINGLE),  # fragments of H2B-OH 155.7, less in B(OH)3
        ("B", "F", 1): (170.0, _SINGLE),  # D298 of BF3 168
        ("B", "Cl", 1): (110.0, _SINGLE),  # estimate, from the mean of BCl3 106
        ("C", "C", 1): (113.0, _C_C),  # scan of C2H6
        ("C", "C", 2): (190.0, _MULTIPLE),  # estimate, D298 of C2H4 174
        ("C", "C", 3): (260.0, _MULTIPLE),  # estimate, between the states in which CH can part
        ("C", "N", 1): (100.0, _SINGLE),  # D298 of CH3-NH2 85.2
        ("C", "N", 2): (175.0, _MULTIPLE),  # estimate
        ("C", "N", 3): (240.0, _MULTIPLE),  # estimate
        ("C", "O", 1): (104.0, _SINGLE),  # scan of CH3OH
        ("C", "O", 2): (190.0, _MULTIPLE),  # D298 of CH2O 178.8
        ("C", "O", 3): (258.0, _MULTIPLE),  # De of CO 259.3
        ("C", "F", 1): (120.0, _SINGLE),  # D298 of CH3F 110.0
        ("C", "Si", 1): (103.0, _C_C),  # D298 of CH3-SiH3 89.6
        ("C", "P", 1): (82.0, _C_C),  # fragments of CH3-PH2 82.2
        ("C", "S", 1): (85.0, _SINGLE),  # D298 of CH3-SH 74.7
        ("C", "S", 2): (137.0, _MULTIPLE),  # D298 of CH2S 130
        ("C", "Cl", 1): (92.0, _SINGLE),  # D298 of CH3Cl 83.7
        ("C", "Br", 1): (81.0, _SINGLE),  # fragments of CH3Br 81.4
        ("C", "I", 1): (67.0, _SINGLE),  # D298 of CH3I 57.6 (fragments 71.5, without spin-orbit coupling)
        ("N", "N", 1): (75.0, _SINGLE),  # D298 of N2H4 66.2
        ("N", "N", 2): (120.0, _MULTIPLE),  # D298 of N2H2 121
        ("N", "N", 3): (228.0, _MULTIPLE),  # De of N2 228.4
        ("N", "O", 1): (65.0, _SINGLE),  # D298 of NH2OH 61.3
        ("N", "O", 2): (120.0, _MULTIPLE),  # D298 of HNO 115
        ("N", "F", 1): (67.0, _SINGLE),  # estimate, from the first bond of NF3 59
        ("N", "Si", 1): (105.0, _SINGLE),  # estimate, D298 of (CH3)3Si-NHCH3 100
        ("N", "P", 1): (80.0, _SINGLE),  # estimate
        ("N", "S", 1): (68.0, _SINGLE),  # estimate
        ("N", "Cl", 1): (62.0, _SINGLE),  # D298 of NH2Cl 60
        ("O", "O", 1): (55.0, _SINGLE),  # D298 of H2O2 50.3
        ("O", "O", 2): (119.0, _MULTIPLE),  # De of O2 120.2
        ("O", "F", 1): (51.0, _SINGLE),  # D298 of HOF 51.6
        ("O", "Si", 1): (125.0, _SINGLE),  # fragments of H3Si-OH 123.9
        ("O", "P", 1): (95.0, _SINGLE),  # estimate, from phosphites 86 and phosphates 100
        ("O", "P", 2): (
            130.0,
            _MULTIPLE,
        ),  # estimate, D298 of (CH3)3PO 139, of Cl3PO 122
        ("O", "S", 1): (75.0, _SINGLE),  # estimate
        ("O", "S", 2): (105.0, _MULTIPLE),  # estimate, D298 of sulfoxides 87 and of sulfones 112
        ("O", "Cl", 1): (57.0, _SINGLE),  # D298 of HOCl 55.8
        ("F", "F", 1): (38.0, _SINGLE),  # De 39.0
        ("F", "Si", 1): (160.0, _SINGLE),  # D298 of (CH3)3SiF 158.7
        ("F", "P", 1): (125.0, _SINGLE),  # estimate, from the mean of PF3 117
        ("F", "S", 1): (90.0, _SINGLE),  # estimate, D298 of SF6 93
        ("F", "Cl", 1): (61.0, _SINGLE),  # De 61.5
        ("F", "Br", 1): (66.0, _SINGLE),  # De 67
        ("F", "I", 1): (66.0, _SINGLE),  # De 66
        ("Si", "Si", 1): (80.0, _C_C),  # D298 of Si2H6 76.7
        ("Si", "Cl", 1): (114.0, _SINGLE),  # D298 of (CH3)3SiCl 117, of SiH3Cl 109
        ("Si", "Br", 1): (97.0, _SINGLE),  # estimate
        ("P", "P", 1): (65.0, _SINGLE),  # D298 of P2H4 61
        ("P", "S", 2): (95.0, _MULTIPLE),  # estimate
        ("P", "Cl", 1): (82.0, _SINGLE),  # estimate, from the mean of PCl3 78
        ("S", "S", 1): (70.0, _SINGLE),  # D298 of CH3S-SCH3 65.2
        ("S", "S", 2): (102.0, _MULTIPLE),  # De of S2 102.8
        ("S", "Cl", 1): (65.0, _SINGLE),  # estimate, D298 of SCl2 61
        ("Cl", "Cl", 1): (58.0, _SINGLE),  # De 58.0
        ("Cl", "Br", 1): (52.0, _SINGLE),  # De 52
        ("Cl", "I", 1): (50.0, _SINGLE),  # De 50.5
        ("Br", "Br", 1): (46.0, _SINGLE),  # De 45.9
        ("Br", "I", 1): (42.0, _SINGLE),  # De 42.6
        ("I", "I", 1): (36.0, _SINGLE),  # De 35.9
    }
)
"""Plateau, kcal/mol, and shape; elements in order of atomic number."""

_HYDROGEN_OF = MappingProxyType(
    {
        "C sp": 130.0,  # D298 of HCC-H 133.3, De 141 less 11 at 2.5 lengths
        "C sp2": 119.0,  # D298 of C2H3-H 110.7, of C6H5-H 112.9
        "C acyl": 97.0,  # D298 of HCO-H 88.1, of CH3CO-H 89.4
        "C secondary": 107.0,  # D298 of (CH3)2CH-H 98.1, of CH3CH(OH)-H 95.8
        "N ammonium": 127.0,  # D298 of NH3+-H 123
        "O acid": 118.0,  # D298 of CH3COO-H 112
    }
)
"""Plateaus of bonds to hydrogen, kcal/mol, by the surroundings of the other atom."""

UNTABULATED = BondShape(80.0 * EV_PER_KCAL_MOL, *_SINGLE, tabulated=False)
"""Curve of a bond that is not in the table: the frames determine its length and stiffness, not how it
breaks."""

DOUBLE, TRIPLE = 0.925, 0.83
"""Bonds shorter than these multiples of the sum of covalent radii are double and triple ones."""

DOUBLE_OXIDE = 0.9
"""The same of double bonds of phosphorus and sulfur to oxygen (P=O 0.86, P-O 0.92)."""


_OXIDES = (("O", "P"), ("O", "S"))


def bond_shape(z_i: int, z_j: int, length_A: float, surroundings: str = "") -> BondShape:
    """Return the tabulated curve of a bond between two elements with this mean length; else `UNTABULATED`.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers, in any order.
    length_A
        Mean length, which decides between single, double and triple bonds.
    surroundings
        Of the atom that a hydrogen is bonded to, as from `surroundings`.
    """
    ratio = length_A / (covalent_radii[z_i] + covalent_radii[z_j])
    a, b = (chemical_symbols[z] for z in sorted((z_i, z_j)))
    order = 1 + (ratio < (DOUBLE_OXIDE if (a, b) in _OXIDES else DOUBLE)) + (ratio < TRIPLE)
    entry = next((_BONDS[a, b, n] for n in (order, *range(order, 0, -1)) if (a, b, n) in _BONDS), None)
    if entry is None:
        return UNTABULATED
    plateau, shape = entry
    if a == "H":
        plateau = _HYDROGEN_OF.get(surroundings, plateau)
    return BondShape(plateau * EV_PER_KCAL_MOL, *shape)


def surroundings(atom: int, atomic_numbers: IntArray, neighbors: list[list[int]]) -> str:
    """Return the surroundings of an atom on which the energy of its bonds to hydrogen depends; "" for others.

    Parameters
    ----------
    atom
        Index of the atom.
    atomic_numbers
        Shape (n_atoms,).
    neighbors
        Indices of the atoms bonded to each atom.
    """
    own = neighbors[atom]
    heavy = [other for other in own if atomic_numbers[other] != 1]
    symbol, n_neighbors = chemical_symbols[atomic_numbers[atom]], len(own)
    if symbol == "C" and n_neighbors == 2:
        return "C sp"
    if symbol == "C" and n_neighbors == 3:
        return "C acyl" if any(_is_carbonyl(other, atomic_numbers, neighbors) for other in heavy) else "C sp2"
    if symbol == "C" and n_neighbors == 4 and len(heavy) > 1:
        return "C secondary"
    if symbol == "N" and n_neighbors == 4:
        return "N ammonium"
    if symbol == "O" and len(heavy) == 1 and atomic_numbers[heavy[0]] == 6:
        beside = [other for other in neighbors[heavy[0]] if other != atom]
        if any(_is_carbonyl(other, atomic_numbers, neighbors) for other in beside):
            return "O acid"
    return ""


def _is_carbonyl(atom: int, atomic_numbers: IntArray, neighbors: list[list[int]]) -> bool:
    return bool(atomic_numbers[atom] == 8) and len(neighbors[atom]) == 1


def repulsion(z_i: int, z_j: int) -> Repulsion:
    """Return the tabulated repulsion of two atoms that are not bonded.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers, in any order.
    """
    return Repulsion(0.3 * EV_PER_KCAL_MOL, 3.6, float(vdw_radii[z_i] + vdw_radii[z_j]))


def geminal_repulsion(z_i: int, z_j: int) -> Repulsion:
    """Return the tabulated repulsion of two atoms that are bonded to the same atom.

    Parameters
    ----------
    z_i, z_j
        Atomic numbers, in any order.
    """
    strength, steepness = (25.0, 2.0) if 1 in (z_i, z_j) else (150.0, 3.6)
    return Repulsion(strength * EV_PER_KCAL_MOL, steepness, float(covalent_radii[z_i] + covalent_radii[z_j]))
