"""Invariance of the energy to translation, rotation, and the exchange of equal atoms."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import cycle, islice

import networkx as nx
import numpy as np
from ase import Atoms
from scipy.spatial.transform import Rotation

from mdaug.examination.force_field import Budget, ExaminedForceField, displaced
from mdaug.examination.results import PartResult
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import find_bonds
from mdaug.verdicts import Verdict

ENERGY_LIMIT_KCAL_MOL = 0.02
"""Largest change of the energy by a motion that must not change it; self-consistent methods reach 0.005."""

FORCE_LIMIT_KCAL_MOL_A = 0.2
"""Largest difference of a force in two orientations."""

N_STRUCTURES = 3
"""Number of displaced structures."""

SHIFT_A = np.array([3.1, -2.3, 5.7])
"""Translation, no multiple of a usual lattice vector or grid."""

MOST_EXCHANGES = 12
"""Largest number of pairs of equal atoms that are exchanged."""

Pair = tuple[float, float]
"""Differences of energy, kcal/mol, and of forces, kcal/mol/Å."""


def examine_symmetry(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Move displaced structures as a whole, and exchange equal atoms.

    Parameters
    ----------
    examined
        The force field.
    budget
        Not used: at most 36 evaluations.
    """
    del budget
    rng = np.random.default_rng(examined.seed)
    structures = [displaced(examined.minimum, rng) for _ in range(N_STRUCTURES)]
    motions = {
        "translation": [_translated(examined, atoms) for atoms in structures],
        "rotation": [_rotated(examined, atoms, rng) for atoms in structures],
        "exchange of equal atoms": list(_exchanges(examined, structures, rng)),
    }
    checks, figures = [], {}
    for name, differences in motions.items():
        if differences:
            checks.append(_invariance(name, differences))
        figures[name] = [list(pair) for pair in differences]
    return PartResult(tuple(checks), figures)


def equivalent_atoms(atoms: Atoms) -> list[tuple[int, int]]:
    """Return pairs of atoms of one element that are bonded to the same atom and to no other.

    Their exchange maps the bond graph onto itself, so that even a force field whose parameters belong to
    indices must not change.

    Parameters
    ----------
    atoms
        The structure.
    """
    neighbors: dict[int, list[int]] = {k: [] for k in range(len(atoms))}
    for i, j in find_bonds(atoms).tolist():
        neighbors[i].append(j)
        neighbors[j].append(i)
    ends = [k for k, bonded in neighbors.items() if len(bonded) == 1]
    return [
        (i, j)
        for i in ends
        for j in ends
        if i < j and atoms.numbers[i] == atoms.numbers[j] and neighbors[i] == neighbors[j]
    ]


def other_orders(atoms: Atoms) -> list[IntArray]:
    """Return orders of the atoms of a molecule, other than their own, with the same elements and bonds.

    Of benzene, whose hydrogens have no common neighbor, these are the rotations and reflections of the ring.

    Parameters
    ----------
    atoms
        The molecule.
    """
    graph = nx.Graph(find_bonds(atoms).tolist())
    nx.set_node_attributes(graph, dict(enumerate(atoms.numbers.tolist())), "number")
    same_element = nx.algorithms.isomorphism.categorical_node_match("number", 0)
    matcher = nx.algorithms.isomorphism.GraphMatcher(graph, graph, node_match=same_element)
    orders = (
        np.array([mapping[k] for k in range(len(atoms))])
        for mapping in islice(matcher.isomorphisms_iter(), 1 + MOST_EXCHANGES)
    )
    return [order for order in orders if (order != np.arange(len(atoms))).any()]


def _exchanged(n_atoms: int, pair: tuple[int, int]) -> IntArray:
    """Return the order of the atoms after an exchange of two."""
    order = np.arange(n_atoms)
    order[list(pair)] = pair[::-1]
    return order


def _translated(examined: ExaminedForceField, atoms: Atoms) -> Pair:
    moved = atoms.copy()
    moved.positions += SHIFT_A
    return _differences(examined, atoms, moved, lambda forces: forces)


def _rotated(examined: ExaminedForceField, atoms: Atoms, rng: np.random.Generator) -> Pair:
    matrix = Rotation.random(random_state=rng).as_matrix()
    center = atoms.positions.mean(axis=0)
    positions, cell = center + (atoms.positions - center) @ matrix.T, atoms.cell.array @ matrix.T
    moved = Atoms(atoms.numbers, positions, cell=cell, pbc=atoms.pbc)
    return _differences(examined, atoms, moved, lambda forces: forces @ matrix.T)


def _exchanges(
    examined: ExaminedForceField, structures: Sequence[Atoms], rng: np.random.Generator
) -> Iterator[Pair]:
    """Yield the differences of each exchange; the exchanges take turns at the structures."""
    orders = [_exchanged(len(examined.minimum), pair) for pair in equivalent_atoms(examined.minimum)]
    if not orders and examined.is_one_molecule:
        orders = other_orders(examined.minimum)
    for order, atoms in zip(rng.permutation(orders)[:MOST_EXCHANGES], cycle(structures), strict=False):
        moved = atoms.copy()
        moved.positions = atoms.positions[order]
        yield _differences(examined, atoms, moved, partial(np.take, indices=order, axis=0))


def _differences(
    examined: ExaminedForceField, atoms: Atoms, moved: Atoms, transform: Callable[[FloatArray], FloatArray]
) -> Pair:
    (energy, forces), (other, turned) = examined.evaluate(atoms), examined.evaluate(moved)
    return abs(other - energy), float(np.abs(turned - transform(forces)).max())


def _invariance(name: str, differences: list[Pair]) -> Verdict:
    energy, force = (float(np.max(values)) for values in zip(*differences, strict=True))
    agrees = energy <= ENERGY_LIMIT_KCAL_MOL and force <= FORCE_LIMIT_KCAL_MOL_A
    article = "An" if name[0] == "e" else "A"
    text = (
        f"{article} {name} changes energy and forces by {energy:.2g} kcal/mol and {force:.2g} kcal/mol/Å; "
        f"the limits are {ENERGY_LIMIT_KCAL_MOL:g} and {FORCE_LIMIT_KCAL_MOL_A:g}."
    )
    value, limit = energy, ENERGY_LIMIT_KCAL_MOL
    if force > FORCE_LIMIT_KCAL_MOL_A and energy <= ENERGY_LIMIT_KCAL_MOL:  # the forces alone decide
        value, limit = force, FORCE_LIMIT_KCAL_MOL_A
    return Verdict(name, "ok" if agrees else "error", value, limit, text)
