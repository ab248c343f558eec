"""Topology from mean distances, and classes that do not depend on the order of the atoms."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mdaug.augmentation.force_matching.topology import find_topology
from mdaug.errors import DataError
from mdaug.frames import FrameSet


def test_ethanol(ethanol_frames):
    topology = find_topology(ethanol_frames)
    assert topology.bonds.tolist() == [[0, 1], [0, 2], [0, 3], [0, 4], [1, 5], [1, 6], [1, 7], [2, 8]]
    assert len(topology.angles) == 6 + 6 + 1
    assert len(topology.torsions) == 3 * 3 + 3
    assert len(topology.pairs) == 36 - 8
    groups = [np.flatnonzero(topology.classes == c).tolist() for c in np.unique(topology.classes)]
    assert sorted(groups) == [[0], [1], [2], [3, 4], [5, 6, 7], [8]]


def test_classes_follow_the_atoms(ethanol_frames):
    order = np.array([8, 3, 1, 0, 7, 2, 4, 6, 5])
    mixed = replace(
        ethanol_frames,
        atomic_numbers=ethanol_frames.atomic_numbers[order],
        positions=ethanol_frames.positions[:, order],
    )
    np.testing.assert_array_equal(find_topology(mixed).classes, find_topology(ethanol_frames).classes[order])


def test_angles_have_their_centre_in_the_middle_and_torsions_follow_bonds(ethanol_frames):
    topology = find_topology(ethanol_frames)
    bonds = {frozenset(bond) for bond in topology.bonds.tolist()}
    for chain in (*topology.angles.tolist(), *topology.torsions.tolist()):
        assert all(frozenset(ends) in bonds for ends in pairwise(chain))
        assert len(set(chain)) == len(chain)


def test_several_molecules_have_bonds_within_and_pairs_between(water_frames, boxed_waters):
    for frames in (water_frames, boxed_waters):
        topology = find_topology(frames)
        assert topology.bonds.tolist() == [[0, 1], [0, 2], [3, 4], [3, 5]]
        assert topology.molecule.tolist() == [0, 0, 0, 1, 1, 1]
        assert topology.classes[[1, 2, 4, 5]].tolist() == [topology.classes[1]] * 4
        assert topology.pairs.tolist() == [[1, 2], [4, 5]]
        assert sorted(map(tuple, topology.intermolecular_pairs.tolist())) == [
            (i, j) for i in range(3) for j in range(3, 6)
        ]


def test_atoms_without_bonds_are_refused():
    apart = FrameSet(
        np.array([1, 1]), np.array([[[0.0, 0, 0], [5.0, 0, 0]]]), np.zeros(1), np.zeros((1, 2, 3))
    )
    with pytest.raises(DataError, match="have no bond"):
        find_topology(apart)
