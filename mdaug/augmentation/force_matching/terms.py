"""Terms of a force-matched field: products of internal coordinates, equal for equivalent atoms.

Internal coordinates ("primitives", in this order): x = 1 − exp(−2 (r − r̄)) of each bond, u of each angle
(`mdaug.geometry.internal_coordinates.bends`), T1, T2, T3 of each torsion, exp(−2 (d − R)) of each pair three
or more bonds apart.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from mdaug.augmentation.force_matching.topology import Topology
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import sides

N_FACTORS = 3
"""Most primitives in a product."""

WIDTHS_EV = {
    "u": 3.0,
    "u2": 5.0,
    "u3": 3.0,
    "xx": 3.0,
    "xu": 3.0,
    "xxu": 3.0,
    "xuu": 3.0,
    "uu": 3.0,
    "uuu": 2.0,
    "T": 0.05,
    "xT": 0.1,
    "uT": 0.1,
    "uuT": 0.1,
    "ring T": 1.0,
    "ring xT": 1.0,
    "ring uT": 1.0,
    "ring uuT": 1.0,
    "pair": 1.0,
}
"""Prior widths of the coefficients by kind of term, eV; wide, so that the frames determine the
coefficients.

Torsions about bonds that are not in rings have narrow ones, of the size of torsional barriers. If frames
show a part of the circle only, cos φ, cos 2φ and cos 3φ are nearly collinear there, and with wide priors
their sum is arbitrary elsewhere: the O-H of aspirin's acid, within 47° of cis in 1000 frames, had −63 to +14
kcal/mol at trans, depending on the 300 frames that were fitted, and has 9 to 11 with these (GFN2-xTB: 8 to
10).
"""


@dataclass(frozen=True)
class Terms:
    """E = Σ_t c[parameter_t] Π primitives[factors_t] Π gates[gates_t].

    Parameters
    ----------
    factors
        Shape (n_terms, 3): indices of primitives; `n_primitives` stands for a factor 1.
    gates
        Shape (n_terms, n_bonds): True for the bonds whose breaking switches the term off.
    parameter
        Shape (n_terms,): index of the coefficient.
    widths
        Shape (n_coefficients,): prior widths, eV.
    """

    factors: IntArray
    gates: IntArray
    parameter: IntArray
    widths: FloatArray

    @property
    def n_coefficients(self) -> int:
        """Number of coefficients."""
        return len(self.widths)


@dataclass(frozen=True)
class _Term:
    kind: str
    label: Any
    factors: tuple[int, ...]
    bonds: frozenset[int]


def make_terms(topology: Topology) -> Terms:
    """Return all terms of the molecules, equivalent ones with a common coefficient.

    Parameters
    ----------
    topology
        Bonds, angles, torsions and pairs of the molecules.
    """
    builder = _Builder(topology)
    terms = list(builder.all())
    keys = {key: number for number, key in enumerate(dict.fromkeys((t.kind, t.label) for t in terms))}
    factors = np.full((len(terms), N_FACTORS), builder.n_primitives)
    gates = np.zeros((len(terms), len(topology.bonds)), dtype=bool)
    for row, term in enumerate(terms):
        factors[row, : len(term.factors)] = term.factors
        gates[row, list(term.bonds)] = True
    parameter = np.array([keys[t.kind, t.label] for t in terms], dtype=np.int64)
    return Terms(factors, gates, parameter, np.array([WIDTHS_EV[kind] for kind, _ in keys], dtype=float))


def coefficient_keys(topology: Topology, labels: IntArray) -> list[Hashable]:
    """Return kind and atoms of the term of each coefficient of `make_terms`.

    Parameters
    ----------
    topology
        Bonds, angles, torsions and pairs of the molecules.
    labels
        Shape (n_atoms,), numbers that stand for the atoms, equal for equivalent ones.
    """
    own = ((term.kind, term.label) for term in _Builder(topology).all())
    named = ((term.kind, term.label) for term in _Builder(replace(topology, classes=labels)).all())
    return list(dict(zip(own, named, strict=True)).values())


class _Builder:
    """Numbers the primitives and lists the terms of a molecule."""

    def __init__(self, topology: Topology) -> None:
        self.topology = topology
        self.bond_of = {frozenset(bond): n for n, bond in enumerate(topology.bonds.tolist())}
        self.angles = [tuple(angle) for angle in topology.angles.tolist()]
        self.angle_of = {(frozenset((i, k)), j): n for n, (i, j, k) in enumerate(self.angles)}
        self.first_angle = len(topology.bonds)
        self.first_torsion = self.first_angle + len(self.angles)
        self.first_pair = self.first_torsion + 3 * len(topology.torsions)
        self.far = np.flatnonzero(topology.separation >= 3)
        self.n_primitives = self.first_pair + len(self.far)

    def all(self) -> Iterator[_Term]:
        yield from self.of_bond_pairs()
        for angle in self.angles:
            yield from self.of_angle(angle)
        yield from self.of_angle_pairs()
        for number, torsion in enumerate(self.topology.torsions.tolist()):
            yield from self.of_torsion(number, tuple(torsion))
        for place, pair in enumerate(self.far.tolist()):
            i, j = self.topology.pairs[pair]
            label = (
                *sorted(self.topology.atomic_numbers[[i, j]].tolist()),
                int(self.topology.separation[pair]),
            )
            yield _Term("pair", label, (self.first_pair + place,), frozenset())

    def label(self, chain: tuple[int, ...], marked: Iterable[int] = ()) -> tuple[Any, ...]:
        """Return the classes along a chain of atoms, some of them marked, alike from both ends."""
        marks = set(marked)
        forward = tuple((int(self.topology.classes[a]), a in marks) for a in chain)
        return min(forward, forward[::-1])

    def bonds(self, *chains: tuple[int, ...]) -> frozenset[int]:
        """Return the bonds along chains of bonded atoms."""
        return frozenset(self.bond_of[frozenset(ends)] for chain in chains for ends in pairwise(chain))

    def angle(self, i: int, j: int, k: int) -> int:
        return self.first_angle + self.angle_of[frozenset((i, k)), j]

    def of_bond_pairs(self) -> Iterator[_Term]:
        for i, j, k in self.angles:
            bonds = self.bonds((i, j, k))
            yield _Term("xx", self.label((i, j, k)), tuple(bonds), bonds)

    def of_angle(self, angle: tuple[int, ...]) -> Iterator[_Term]:
        i, j, k = angle
        u, bonds, label = self.angle(i, j, k), self.bonds(angle), self.label(angle)
        yield _Term("u", label, (u,), bonds)
        yield _Term("u2", label, (u, u), bonds)
        yield _Term("u3", label, (u, u, u), bonds)
        for end in (i, k):
            (x,) = self.bonds((j, end))
            label = self.label(angle, (j, end))
            yield _Term("xu", label, (x, u), bonds)
            yield _Term("xxu", label, (x, x, u), bonds)
            yield _Term("xuu", label, (x, u, u), bonds)
        for other in self.others(j, (i, k)):
            (x,) = self.bonds((j, other))
            label = (self.label(angle), int(self.topology.classes[other]))
            yield _Term("xu", label, (x, u), bonds | {x})
            yield _Term("xuu", label, (x, u, u), bonds | {x})

    def of_angle_pairs(self) -> Iterator[_Term]:
        for a, b in combinations(self.angles, 2):
            if a[1] != b[1]:
                continue
            shared = set(a) & set(b)
            label = (*sorted((self.label(a, shared), self.label(b, shared))),)
            bonds, factors = self.bonds(a, b), (self.angle(*a), self.angle(*b))
            yield _Term("uu", label, factors, bonds)

    def of_torsion(self, number: int, chain: tuple[int, ...]) -> Iterator[_Term]:
        first, bonds = self.first_torsion + 3 * number, self.bonds(chain)
        i, j, k, m = chain
        of_ring = "ring " * (sides(len(self.topology.atomic_numbers), self.topology.bonds, (j, k)) is None)
        for fold in range(3):
            yield _Term(f"{of_ring}T", (fold, self.label(chain)), (first + fold,), bonds)
        for ends in ((i, j), (j, k), (k, m)):
            (x,) = self.bonds(ends)
            yield _Term(f"{of_ring}xT", (0, self.label(chain, ends)), (x, first), bonds)
            yield _Term(f"{of_ring}xT", (2, self.label(chain, ends)), (x, first + 2), bonds)
        for triple in (chain[:3], chain[1:]):
            yield _Term(f"{of_ring}uT", self.label(chain, triple), (self.angle(*triple), first), bonds)
        factors = (self.angle(i, j, k), self.angle(j, k, m), first)
        yield _Term(f"{of_ring}uuT", self.label(chain), factors, bonds)
        (outer,), (other,) = self.bonds((i, j)), self.bonds((k, m))
        yield _Term("xx", ("far", self.label(chain)), (outer, other), bonds)

    def others(self, center: int, excluded: tuple[int, ...]) -> list[int]:
        """Return the neighbors of `center` without those `excluded`."""
        neighbors = [
            a for bond in self.topology.bonds.tolist() if center in bond for a in bond if a != center
        ]
        return [a for a in neighbors if a not in excluded]
