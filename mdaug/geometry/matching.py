"""Molecules of a structure, matched atom by atom to known ones by their bond graphs."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import networkx as nx
import numpy as np
from networkx.algorithms.isomorphism import GraphMatcher, categorical_node_match

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.geometry.pairs import minimum_image


class MoleculeGraph(NamedTuple):
    """Elements and bonds of one molecule.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), indices of the atoms.
    """

    atomic_numbers: IntArray
    bonds: IntArray


def match_molecules(
    atomic_numbers: IntArray, bonds: IntArray, templates: Sequence[MoleculeGraph]
) -> list[IntArray] | None:
    """Return the atoms of each molecule in the order of the template with the same bond graph.

    Parameters
    ----------
    atomic_numbers
        Of the structure, shape (n_atoms,).
    bonds
        Of the structure, shape (n_bonds, 2).
    templates
        Known molecules.

    Returns
    -------
    list of array, or None
        For each template the atoms of its molecules, (n_molecules, n_atoms of the template); None if some
        molecule has the bond graph of no template.
    """
    matched: list[list[IntArray]] = [[] for _ in templates]
    # a model of hundreds of molecules has few of each composition
    of_composition: dict[bytes, list[int]] = {}
    for n, template in enumerate(templates):
        of_composition.setdefault(_composition(template), []).append(n)
    orders: dict[tuple[bytes, bytes], tuple[int, IntArray] | None] = {}  # of molecules of equal lists
    for atoms, own in _molecules(len(atomic_numbers), bonds):
        molecule = MoleculeGraph(atomic_numbers[atoms], own)
        key = molecule.atomic_numbers.tobytes(), own.tobytes()
        if key not in orders:
            orders[key] = _match(molecule, templates, of_composition.get(_composition(molecule), []))
        match = orders[key]
        if match is None:
            return None
        matched[match[0]].append(atoms[match[1]])
    return [
        np.array(molecules, dtype=np.int64).reshape(-1, len(template.atomic_numbers))
        for molecules, template in zip(matched, templates, strict=True)
    ]


def _molecules(n_atoms: int, bonds: IntArray) -> list[tuple[IntArray, IntArray]]:
    """Return the atoms of each molecule, ascending, and its bonds as indices of these, sorted."""
    numbers = molecule_of_atom(n_atoms, bonds)
    order = np.argsort(numbers, kind="stable")
    place = np.empty(n_atoms, dtype=np.int64)
    bonds_of: dict[int, list[list[int]]] = defaultdict(list)
    members = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    for atoms in members:
        place[atoms] = np.arange(len(atoms))
    for number, bond in zip(numbers[bonds[:, 0]].tolist(), place[bonds].tolist(), strict=True):
        bonds_of[number].append(sorted(bond))
    return [
        (atoms, np.array(sorted(bonds_of[int(numbers[atoms[0]])]), dtype=np.int64).reshape(-1, 2))
        for atoms in members
    ]


def _graph(molecule: MoleculeGraph) -> nx.Graph:
    graph = nx.Graph()
    graph.add_nodes_from((n, {"Z": int(number)}) for n, number in enumerate(molecule.atomic_numbers))
    graph.add_edges_from(molecule.bonds.tolist())
    return graph


def _composition(molecule: MoleculeGraph) -> bytes:
    return np.sort(molecule.atomic_numbers).astype(np.int64).tobytes()


def _match(
    molecule: MoleculeGraph, templates: Sequence[MoleculeGraph], numbers: Sequence[int]
) -> tuple[int, IntArray] | None:
    """Return which of the templates with these numbers a molecule is, and its atoms in the template's order;
    None if it is none."""
    n_atoms, graph = len(molecule.atomic_numbers), _graph(molecule)
    for n in numbers:
        template = templates[n]
        of_template = _graph(template)
        same = np.array_equal(molecule.atomic_numbers, template.atomic_numbers)
        if same and nx.utils.graphs_equal(graph, of_template):
            return n, np.arange(n_atoms)
        matcher = GraphMatcher(of_template, graph, node_match=categorical_node_match("Z", 0))
        if matcher.is_isomorphic():
            return n, np.array([matcher.mapping[atom] for atom in range(n_atoms)], dtype=np.int64)
    return None


def molecules_in_order(
    atomic_numbers: IntArray, templates: Sequence[MoleculeGraph], preferred: int = 0
) -> list[IntArray] | None:
    """Return the atoms of consecutive molecules, each in the order of a template, by elements alone.

    Parameters
    ----------
    atomic_numbers
        Of the structure, shape (n_atoms,).
    templates
        Known molecules.
    preferred
        Which template is taken where several have the elements, as isomers do.

    Returns
    -------
    list of array, or None
        As `match_molecules` returns; None if the elements are in another order.
    """
    matched: list[list[IntArray]] = [[] for _ in templates]
    longest_first = sorted(
        range(len(templates)), key=lambda n: (-len(templates[n].atomic_numbers), n != preferred)
    )
    start = 0
    while start < len(atomic_numbers):
        for n in longest_first:
            numbers = templates[n].atomic_numbers
            if np.array_equal(atomic_numbers[start : start + len(numbers)], numbers):
                matched[n].append(np.arange(start, start + len(numbers)))
                start += len(numbers)
                break
        else:
            return None
    return [
        np.array(molecules, dtype=np.int64).reshape(-1, len(template.atomic_numbers))
        for molecules, template in zip(matched, templates, strict=True)
    ]


def spanning_bonds(bonds: IntArray) -> list[tuple[int, int]]:
    """Return bonds that connect all bonded atoms without rings, in the order of growth from the first atom.

    Parameters
    ----------
    bonds
        Shape (n_bonds, 2).

    Returns
    -------
    list of tuple
        Pairs of an atom that is connected before and one that is connected by it.
    """
    graph = nx.Graph()
    graph.add_edges_from(bonds.tolist())
    parts = nx.connected_components(graph)
    return [bond for part in parts for bond in nx.bfs_edges(graph, min(part))]


def whole_molecules(
    positions: FloatArray, cells: FloatArray | None, spanning: Sequence[tuple[int, int]]
) -> FloatArray:
    """Return positions with every molecule in one piece, by lattice translations of its atoms.

    Parameters
    ----------
    positions
        Shape (n, n_atoms, 3), Å, each row one molecule.
    cells
        Shape (n, 3, 3), Å; None returns `positions`.
    spanning
        `spanning_bonds` of the molecule; bonded atoms are put at the nearest image of each other.
    """
    if cells is None:
        return positions
    whole = positions.copy()
    for parent, atom in spanning:
        step = positions[:, [atom]] - positions[:, [parent]]
        whole[:, atom] = whole[:, parent] + minimum_image(step, cells)[:, 0]
    return whole
