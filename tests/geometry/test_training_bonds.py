"""Bonds of the training frames: ranges, shared hydrogens, and their record in a manifest."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.shared_hydrogens import shared_hydrogens
from mdaug.geometry.training_bonds import TrainingBonds

ETHANOL = molecule("CH3CH2OH")
WATERS = Atoms("OHO", [[0.0, 0, 0], [0.98, 0, 0], [2.6, 0, 0]])
"""A proton between two oxygens 2.6 Å apart."""


def frames_of(atoms, positions) -> FrameSet:
    n = len(positions)
    return FrameSet(atoms.numbers, np.asarray(positions), np.zeros(n), np.zeros((n, len(atoms), 3)))


def hydroxyl_at(*stretches_A: float) -> FrameSet:
    axis = ETHANOL.positions[3] - ETHANOL.positions[2]
    positions = np.repeat(ETHANOL.positions[None], len(stretches_A), axis=0)
    positions[:, 3] += np.array(stretches_A)[:, None] * axis / np.linalg.norm(axis)
    return frames_of(ETHANOL, positions)


def proton_at(*x_A: float) -> FrameSet:
    positions = np.repeat(WATERS.positions[None], len(x_A), axis=0)
    positions[:, 1, 0] = x_A
    return frames_of(WATERS, positions)


def test_means_and_ranges_are_over_the_training_frames():
    bonds = TrainingBonds.from_frames(hydroxyl_at(-0.05, 0.0, 0.08))
    length = ETHANOL.get_distance(2, 3)
    assert bonds.names[-1] == "O2-H3"
    assert bonds.mean_A[-1] == pytest.approx(length + 0.01)
    assert bonds.range_A[-1] == pytest.approx([length - 0.05, length + 0.08])
    assert (len(bonds.bonds), bonds.shared) == (8, ())


def test_a_shared_proton_is_recorded_with_its_partners():
    (proton,) = TrainingBonds.from_frames(proton_at(0.98, 1.05, 1.3, 1.6, 1.5, 0.97)).shared
    assert (proton.atom, proton.partners) == (1, (0, 2))
    assert proton.range_A == pytest.approx((0.97, 1.3))
    assert proton.mean_A == pytest.approx(np.mean([0.98, 1.05, 1.3, 1.0, 1.1, 0.97]))
    assert shared_hydrogens(proton_at(0.98, 1.2)) == ()


def test_bonds_of_a_manifest():
    wanted = TrainingBonds.from_frames(hydroxyl_at(-0.05, 0.0, 0.05))
    manifest = {
        "training": {
            "bonds": [
                {"atoms": [int(i), int(j)], "mean_A": float(mean), "std_A": 0.03}
                for (i, j), mean in zip(wanted.bonds, wanted.mean_A, strict=True)
            ],
            "reference_structure": {"atomic_numbers": ETHANOL.numbers.tolist(), "positions": []},
        }
    }
    bonds = TrainingBonds.from_manifest(manifest)
    assert bonds.names == wanted.names
    assert bonds.mean_A == pytest.approx(wanted.mean_A)
    with pytest.raises(DataError, match="no training bonds"):
        TrainingBonds.from_manifest({"training": {}})
    assert np.isnan(bonds.range_A).all()


def test_a_bridging_hydrogen_with_lasting_bonds_is_not_shared():
    bridge = Atoms("BHB", [[0.0, 0, 0], [1.1, 0.7, 0], [2.2, 0, 0]])
    positions = np.repeat(bridge.positions[None], 20, axis=0)
    positions[0, 1, 0] += 0.3  # one bond is long in one of twenty frames
    bonds = TrainingBonds.from_frames(frames_of(bridge, positions))
    assert bonds.shared == ()
    assert bonds.names == ("B0-H1", "H1-B2")
