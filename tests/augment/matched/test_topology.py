"""Topology from mean distances, and classes that do not depend on the order of the atoms."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from mdaug.augment.matched.topology import find_topology
from mdaug.errors import DataError
from mdaug.frames.frame_set import FrameSet


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


def test_crystals_and_several_molecules_are_refused(ethanol_frames):
    cells = np.tile(np.eye(3) * 9.0, (len(ethanol_frames), 1, 1))
    with pytest.raises(DataError, match="periodic"):
        find_topology(replace(ethanol_frames, cells=cells, pbc=(True,) * 3))
    apart = FrameSet(
        np.array([1, 1]), np.array([[[0.0, 0, 0], [5.0, 0, 0]]]), np.zeros(1), np.zeros((1, 2, 3))
    )
    with pytest.raises(DataError, match="hold several"):
        find_topology(apart)
