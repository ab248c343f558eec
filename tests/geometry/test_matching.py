"""Molecules matched by their bond graphs, whatever the order of their atoms."""

import numpy as np
import pytest
from ase.build import molecule

from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.matching import MoleculeGraph, match_molecules, molecules_in_order


def graph_of(name):
    atoms = molecule(name)
    return MoleculeGraph(atoms.numbers, find_bonds(atoms))


ETHANOL, ETHER, WATER = (graph_of(name) for name in ("CH3CH2OH", "CH3OCH3", "H2O"))


def structure(*names, seed=None):
    """Return numbers and bonds of molecules side by side, atoms shuffled with a seed."""
    numbers = np.concatenate([molecule(name).numbers for name in names])
    starts = np.cumsum([0, *(len(molecule(name)) for name in names)])
    bonds = np.concatenate([find_bonds(molecule(n)) + s for n, s in zip(names, starts, strict=False)])
    if seed is None:
        return numbers, bonds
    order = np.random.default_rng(seed).permutation(len(numbers))
    return numbers[order], np.argsort(order)[bonds]


@pytest.mark.parametrize("seed", range(5))
def test_every_molecule_is_found_in_the_order_of_its_template(seed):
    numbers, bonds = structure("H2O", "CH3CH2OH", "H2O", "CH3CH2OH", "H2O", seed=seed)
    matched = match_molecules(numbers, bonds, [ETHANOL, WATER])
    assert [part.shape for part in matched] == [(2, 9), (3, 3)]
    assert sorted(np.concatenate([part.ravel() for part in matched])) == list(range(27))
    present = {tuple(sorted(bond)) for bond in bonds.tolist()}
    for template, molecules in zip((ETHANOL, WATER), matched, strict=True):
        for atoms in molecules:
            assert np.array_equal(numbers[atoms], template.atomic_numbers)
            assert {tuple(sorted(bond)) for bond in atoms[template.bonds].tolist()} <= present


def test_isomers_and_broken_molecules_match_no_template():
    assert match_molecules(*structure("CH3OCH3"), [ETHANOL]) is None
    assert [len(part) for part in match_molecules(*structure("CH3OCH3"), [ETHANOL, ETHER])] == [0, 1]
    numbers, bonds = structure("CH3CH2OH")
    assert match_molecules(numbers, bonds[:-1], [ETHANOL]) is None


def test_an_equal_order_is_kept():
    numbers, bonds = structure("H2O", "H2O")
    (matched,) = match_molecules(numbers, bonds, [WATER])
    assert matched.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_molecules_in_order_by_elements():
    numbers, _ = structure("H2O", "CH3CH2OH", "H2O")
    ethanol, water = molecules_in_order(numbers, [ETHANOL, WATER])
    assert ethanol.tolist() == [list(range(3, 12))]
    assert water.tolist() == [[0, 1, 2], [12, 13, 14]]
    assert molecules_in_order(numbers[::-1], [ETHANOL, WATER]) is None
