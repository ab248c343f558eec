import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from MDAnalysis.lib.distances import calc_dihedrals

from mdaug.errors import DataError
from mdaug.geometry.bonds import bond_images, bond_name, find_bonds, smaller_fragment
from mdaug.geometry.pairs import half_width, minimum_image
from mdaug.geometry.torsions import (
    rotatable_torsions,
    torsion_angles,
    without_straight,
)


def test_bonds_of_ethanol(ethanol):
    expected = [[0, 1], [0, 6], [0, 7], [0, 8], [1, 2], [1, 4], [1, 5], [2, 3]]
    assert find_bonds(ethanol).tolist() == expected
    assert bond_name(ethanol.numbers, (2, 3)) == "O2-H3"


@pytest.mark.parametrize(
    ("bond", "moving"),
    [
        ((2, 3), [3]),
        ((3, 2), [3]),
        ((1, 2), [2, 3]),
        ((0, 1), [0, 6, 7, 8]),
        ((0, 7), [7]),
    ],
)
def test_the_side_with_fewer_atoms_moves(ethanol, bond, moving):
    assert smaller_fragment(ethanol, bond).tolist() == moving


def test_of_equal_sides_the_lighter_moves():
    assert smaller_fragment(Atoms("FH", [[0, 0, 0], [0, 0, 0.92]]), (0, 1)).tolist() == [1]
    assert smaller_fragment(Atoms("HF", [[0, 0, 0], [0, 0, 0.92]]), (0, 1)).tolist() == [0]


def test_another_molecule_beside_stays_where_it_is(ethanol):
    beside = ethanol.copy()
    beside.positions += [20.0, 0.0, 0.0]
    assert smaller_fragment(ethanol + beside, (1, 2)).tolist() == [2, 3]


def test_a_ring_bond_cannot_be_cut():
    with pytest.raises(DataError, match="C0-C1 is part of a ring"):
        smaller_fragment(molecule("C6H6"), (0, 1))


@pytest.mark.parametrize(
    ("bond", "message"), [((0, 3), "not a bond"), ((2, 9), "0 to 8"), ((2, 2), "two different")]
)
def test_what_is_not_a_bond_is_refused(ethanol, bond, message):
    with pytest.raises(DataError, match=message):
        smaller_fragment(ethanol, bond)


def test_bonds_reach_through_the_cell_wall():
    atoms = Atoms("OH", [[0.1, 0.1, 0.1], [7.2, 0.1, 0.1]], cell=[8, 8, 8], pbc=True)
    assert find_bonds(atoms).tolist() == [[0, 1]]
    atoms.pbc = False
    assert find_bonds(atoms).tolist() == []


def test_each_image_is_a_bond_of_its_own():
    silicon = bulk("Si", cubic=True)
    bonds = bond_images(silicon)
    assert len(bonds.index) == 16  # two an atom, across the faces too
    assert bonds.lengths == pytest.approx(2.351, abs=1e-3)
    i, j = bonds.index.T
    vectors = silicon.positions[j] - silicon.positions[i] + bonds.shifts
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(bonds.lengths)
    assert find_bonds(bulk("Si")).tolist() == [[0, 1]]  # four images in the primitive cell
    assert find_bonds(bulk("Cu")).tolist() == []  # an atom and its own images
    assert bond_images(bulk("Cu")).index.tolist() == 6 * [[0, 0]]


def test_directions_that_are_not_periodic_have_no_images():
    atoms = Atoms("OH", [[0.1, 0.1, 0.1], [7.2, 0.1, 0.1]], cell=[8, 8, 8], pbc=[False, True, True])
    assert find_bonds(atoms).tolist() == []


def test_each_silicon_has_four_bonds_and_none_can_be_cut():
    silicon = bulk("Si", cubic=True).repeat(2)
    bonds = find_bonds(silicon)
    assert (np.bincount(bonds.ravel()) == 4).all()
    with pytest.raises(DataError, match="ring"):
        smaller_fragment(silicon, tuple(bonds[0].tolist()))
    assert len(rotatable_torsions(silicon.numbers, bonds)) == 0


def test_minimum_image_in_a_skewed_cell():
    cell = np.array([[6.0, 0, 0], [2.0, 7.0, 0], [-1.0, 1.5, 8.0]])
    vectors = np.array([[0.3, -1.0, 2.0], [1.5, 1.0, -1.2]])
    shifted = vectors + np.array([[1, -2, 0], [3, 1, -1]]) @ cell
    assert np.linalg.norm(vectors, axis=1).max() < half_width(cell)
    np.testing.assert_allclose(minimum_image(shifted, cell), vectors, atol=1e-12)


def test_half_width_is_half_the_smallest_distance_of_faces():
    assert half_width(np.diag([4.0, 6.0, 8.0])) == pytest.approx(2.0)
    # sheared: the faces that b and c span are an area of 4 × 8 over |b| apart
    sheared = np.array([[4.0, 0, 0], [4.0, 8.0, 0], [0, 0, 20.0]])
    assert half_width(sheared) == pytest.approx(0.5 * 32.0 / np.sqrt(80.0))


def test_rotatable_torsions_of_ethanol(ethanol):
    names = {
        bond_name(ethanol.numbers, torsion)
        for torsion in rotatable_torsions(ethanol.numbers, find_bonds(ethanol))
    }
    assert names == {"C0-C1-O2-H3", "O2-C1-C0-H6"}


@pytest.mark.parametrize("angle", [-170.0, -60.0, 60.0, 120.0, 175.0])
def test_torsion_sign_is_iupac(angle):
    """Seen along b → c (towards +z), d turned clockwise from a is positive."""
    radians = np.radians(angle)
    # looking along +z with x up, y points to the right, so clockwise runs from x to y
    d = [np.cos(radians), np.sin(radians), 1.5]
    positions = np.array([[[1.0, 0, -0.3], [0, 0, 0], [0, 0, 1.2], d]])
    assert torsion_angles(positions, np.array([[0, 1, 2, 3]]))[0, 0] == pytest.approx(angle)


def test_torsions_agree_with_mdanalysis():
    positions = np.random.default_rng(3).normal(size=(50, 4, 3))
    expected = np.degrees(calc_dihedrals(*positions.transpose(1, 0, 2)))
    np.testing.assert_allclose(torsion_angles(positions, np.array([[0, 1, 2, 3]]))[:, 0], expected, atol=1e-4)


def test_no_torsion_about_a_straight_angle():
    """CH3-C≡C-CH2-OH: one torsion of six atoms' chain is left, that of the hydroxyl."""
    chain = np.array([[0, 0, 0], [1.46, 0, 0], [2.66, 0, 0], [4.12, 0, 0], [4.6, 1.33, 0], [5.56, 1.33, 0]])
    chain[0, 1], chain[3, 2] = 0.05, 0.05
    torsions = np.array([[0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5]])
    assert without_straight(torsions, chain[None]).tolist() == [[2, 3, 4, 5]]
