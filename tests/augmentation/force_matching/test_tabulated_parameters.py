"""The tables: orders by length, and a guess where there is none."""

import pytest

from mdaug.augmentation.force_matching.tabulated_parameters import bond_shape, repulsion, surroundings
from mdaug.augmentation.force_matching.topology import neighbors_of
from mdaug.geometry.bonds import find_bonds
from mdaug.sampling.structures import starting_structures
from mdaug.units import EV_PER_KCAL_MOL


def test_shorter_bonds_are_stronger():
    single, double, triple = (bond_shape(6, 6, length).plateau_eV for length in (1.53, 1.33, 1.20))
    assert 100 * EV_PER_KCAL_MOL < single < double < triple


@pytest.mark.parametrize(("length", "order"), [(1.43, 1), (1.21, 2), (1.13, 2)])
def test_carbon_and_oxygen(length, order):
    assert bond_shape(8, 6, length) == bond_shape(6, 8, length)
    assert (bond_shape(6, 8, length).plateau_eV > 150 * EV_PER_KCAL_MOL) == (order == 2)


@pytest.mark.parametrize(("z", "single", "double"), [(15, 1.60, 1.48), (16, 1.62, 1.45)])
def test_oxides_of_phosphorus_and_sulfur(z, single, double):
    assert bond_shape(z, 8, single).plateau_eV < 100 * EV_PER_KCAL_MOL < bond_shape(z, 8, double).plateau_eV


@pytest.mark.parametrize(
    ("z_i", "z_j", "length"),
    [
        (14, 8, 1.6),
        (5, 6, 1.6),
        (5, 8, 1.4),
        (5, 1, 1.2),
        (6, 15, 1.8),
        (6, 35, 1.9),
        (6, 53, 2.1),
        (16, 8, 1.5),
    ],
)
def test_bonds_of_the_main_groups_are_tabulated(z_i, z_j, length):
    assert bond_shape(z_i, z_j, length).tabulated


@pytest.mark.parametrize(
    ("smiles", "atom", "expected"),
    [
        ("C#C", 0, "C sp"),
        ("C=C", 0, "C sp2"),
        ("CC=O", 1, "C acyl"),
        ("CC=O", 0, ""),
        ("CCO", 1, "C secondary"),
        ("CCO", 2, ""),
        ("C[NH3+]", 1, "N ammonium"),
        ("CN", 1, ""),
        ("CC(=O)O", 3, "O acid"),
    ],
)
def test_surroundings_of_hydrogen(smiles, atom, expected):
    atoms = starting_structures(smiles, 1)[0]
    found = surroundings(atom, atoms.numbers, neighbors_of(len(atoms), find_bonds(atoms)))
    assert found == expected


def test_hydrogen_of_a_triple_bond_is_bound_strongest():
    plateaus = [bond_shape(1, 6, 1.08, where).plateau_eV for where in ("C sp", "C sp2", "", "C secondary")]
    assert sorted(plateaus, reverse=True) == plateaus


def test_a_bond_without_table_is_a_guess_that_says_so():
    guess = bond_shape(26, 6, 1.9)
    assert not guess.tabulated
    assert bond_shape(6, 6, 1.53).tabulated
    assert 50 * EV_PER_KCAL_MOL < guess.plateau_eV < 110 * EV_PER_KCAL_MOL


def test_repulsion_is_weak_at_contact():
    wall = repulsion(1, 1)
    assert wall.contact_A == pytest.approx(2.4, abs=0.1)
    assert wall.strength_eV < EV_PER_KCAL_MOL
