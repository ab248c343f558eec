"""Drawings of molecules: every atom with its index, readable, and a view that carries its own data."""

import json
from itertools import combinations

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from matplotlib.backends.backend_agg import FigureCanvasAgg

from mdaug.geometry.bonds import find_bonds
from mdaug.reports.molecule import MOST_LABELS, MoleculeView, draw_molecule, drawn_bonds
from mdaug.reports.style import element_color

STRUCTURES = ("CH3CH2OH", "C6H6", "isobutane", "C2H2", "H2O", "bicyclobutane")


def labels_of(ax):
    return [text for text in ax.texts if text.get_gid() == "atom label"]


@pytest.mark.parametrize("name", STRUCTURES)
def test_every_atom_has_a_label_and_labels_do_not_overlap(name):
    atoms = molecule(name)
    ax = draw_molecule(atoms)
    labels = labels_of(ax)
    assert [text.get_text() for text in labels] == [f"{symbol}{k}" for k, symbol in enumerate(atoms.symbols)]
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.figure.draw_without_rendering()
    for one, other in combinations(labels, 2):
        assert not one.get_window_extent(renderer).overlaps(other.get_window_extent(renderer))


def test_atoms_at_one_place_of_the_drawing_have_labels_side_by_side():
    atoms = Atoms("H8", [[0.0, 0.0, 0.01 * k] for k in range(8)])
    ax = draw_molecule(atoms, bonds=np.empty((0, 2), int))
    renderer = FigureCanvasAgg(ax.figure).get_renderer()
    ax.figure.draw_without_rendering()
    for one, other in combinations(labels_of(ax), 2):
        assert not one.get_window_extent(renderer).overlaps(other.get_window_extent(renderer))


def test_bonds_are_those_of_covalent_radii_and_a_marked_one_is_dashed():
    ethanol = molecule("CH3CH2OH")
    ax = draw_molecule(ethanol, marked=(2, 3))
    halves = [line for line in ax.lines if line.get_gid() == "bond"]
    assert len(halves) == 2 * (len(find_bonds(ethanol)) - 1)
    (dashed,) = [line for line in ax.lines if line.get_linestyle() not in ("-", "None")]
    assert dashed.get_gid() is None
    assert any(text.get_text() == f"{ethanol.get_distance(2, 3):.2f} Å" for text in ax.texts)


def test_the_drawing_keeps_distances_within_its_plane():
    benzene = molecule("C6H6")
    benzene.rotate(50, (1, 2, 3))
    circles = draw_molecule(benzene).patches
    centers = np.array([circle.center for circle in circles])
    flat = np.linalg.norm(centers[:, None] - centers, axis=-1)
    assert np.abs(flat - benzene.get_all_distances()).max() < 0.35


def test_large_systems_are_drawn_without_labels():
    crystal = bulk("Si", cubic=True) * (3, 3, 3)
    assert len(crystal) > MOST_LABELS
    assert labels_of(draw_molecule(crystal)) == []


def test_bonds_through_the_cell_are_left_out():
    water = molecule("H2O")
    water.set_cell([6, 6, 6])
    water.pbc = True
    water.wrap()
    bonds = find_bonds(water)
    assert len(bonds) == 2
    assert len(drawn_bonds(water, bonds)) < 2


def test_a_view_holds_what_the_page_draws():
    frames = [molecule("H2O") for _ in range(3)]
    view = MoleculeView(frames, find_bonds(frames[0]), (0, 1), "broken")
    data = json.loads(view.to_json())
    assert data["labels"] == ["O0", "H1", "H2"]
    assert data["colors"][0] == element_color("O")
    assert len(data["frames"]) == 3 and np.shape(data["frames"]) == (3, 3, 3)
    assert data["bonds"] == [[0, 1], [0, 2]] and data["marked"] == [0, 1]
    drawn = np.array(data["frames"][0])
    distance = np.linalg.norm(drawn[0] - drawn[1])
    assert distance == pytest.approx(frames[0].get_distance(0, 1), abs=2e-3)
