"""Pair distances: every atom pair once, nearest images in cells."""

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk
from ase.geometry import find_mic

from mdaug.frames import FrameSet
from mdaug.springs.distances import blocks, element_pairs, pair_distances, pair_name, pair_vectors


def make_frames(atomic_numbers, positions, **fields):
    positions = np.asarray(positions, dtype=float)
    return FrameSet(
        np.asarray(atomic_numbers), positions, np.zeros(len(positions)), np.zeros_like(positions), **fields
    )


def crystal(n_frames, repeat, seed=0):
    atoms = bulk("NaCl", "rocksalt", a=5.6, cubic=True) * repeat
    rng = np.random.default_rng(seed)
    shifts = 0.1 * rng.standard_normal((n_frames, len(atoms), 3)) + rng.uniform(-20, 20, (n_frames, 1, 3))
    cell = atoms.cell.array + np.array([[0, 0, 0], [1.0, 0, 0], [0.5, 0.7, 0]])
    return make_frames(
        atoms.numbers, atoms.positions + shifts, cells=np.tile(cell, (n_frames, 1, 1)), pbc=(True,) * 3
    )


def test_pair_names_have_the_lighter_element_first():
    assert pair_name(8, 1) == pair_name(1, 8) == "H-O"
    assert pair_name(17, 11) == "Na-Cl"


def test_every_atom_pair_is_listed_once():
    idx_i, idx_j, members = element_pairs(np.array([8, 1, 6, 1]))
    pairs = {(int(i), int(j)) for i, j in zip(idx_i, idx_j, strict=True)}
    assert pairs == {(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)}
    assert list(members) == ["H-H", "H-C", "H-O", "C-O"]
    assert {(int(idx_i[m]), int(idx_j[m])) for m in members["H-C"]} == {(1, 2), (2, 3)}


def test_distances_of_a_molecule_by_hand():
    water = [[0, 0, 0], [0.9, 0, 0], [0, 1.1, 0]]
    found = pair_distances(make_frames([8, 1, 1], [water, 2 * np.array(water)]))
    distances, frame = found["H-O"]
    assert distances == pytest.approx([0.9, 1.1, 1.8, 2.2])
    assert frame.tolist() == [0, 0, 1, 1]
    assert found["H-H"][0] == pytest.approx(np.hypot(0.9, 1.1) * np.array([1, 2]))


def test_a_molecule_has_pairs_beyond_the_cutoff():
    assert pair_distances(make_frames([1, 1], [[[0, 0, 0], [7, 0, 0]]]), cutoff=5.0)["H-H"][0] == [7.0]


@pytest.mark.parametrize("size", [1.0, 0.4])
def test_nearest_images_agree_with_ase_within_the_cutoff(size):
    # the large cell takes the fast way, the small one ASE's; both are far from rectangular
    cutoff, rng = 4.5, np.random.default_rng(0)
    cells = size * np.tile([[13.0, 0, 0], [6.0, 12.0, 0], [-5.0, 5.0, 12.0]], (2, 1, 1))
    positions = rng.uniform(-1, 2, (2, 30, 3)) @ cells
    frames = make_frames(np.ones(30, dtype=int), positions, cells=cells, pbc=(True,) * 3)
    idx_i, idx_j, _ = element_pairs(frames.atomic_numbers)
    vectors = pair_vectors(frames, idx_i, idx_j, cutoff)
    plain = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    expected = np.array([find_mic(v, c, True)[0] for v, c in zip(plain, frames.cells, strict=True)])
    within = np.linalg.norm(expected, axis=-1) <= cutoff
    assert within.sum() > 0
    np.testing.assert_allclose(vectors[within], expected[within], atol=1e-10)
    assert np.all(np.linalg.norm(vectors[~within], axis=-1) > cutoff)


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [0.3, 0, 1.0]])
def test_a_slab_is_not_periodic_along_its_normal(vector_c):
    frames = replace(crystal(1, (2, 2, 1)), pbc=(True, True, False))
    frames.cells[:, 2] = vector_c  # as in files of slabs without a third vector, or with any
    idx_i, idx_j, _ = element_pairs(frames.atomic_numbers)
    vectors = pair_vectors(frames, idx_i, idx_j, 4.0)
    plain = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    np.testing.assert_allclose(vectors[..., 2], plain[..., 2], atol=1e-10)


def test_pairs_beyond_the_cutoff_of_a_cell_are_left_out():
    distances, frame = pair_distances(crystal(3, (2, 2, 2)), cutoff=4.0)["Na-Cl"]
    assert distances.max() <= 4.0
    assert set(frame.tolist()) == {0, 1, 2}


def test_distances_do_not_depend_on_the_order_of_atoms_or_the_place():
    frames = crystal(2, (2, 2, 1), seed=3)
    order = np.random.default_rng(1).permutation(frames.n_atoms)
    moved = replace(
        frames, atomic_numbers=frames.atomic_numbers[order], positions=frames.positions[:, order] + 3.3
    )
    before, after = pair_distances(frames), pair_distances(moved)
    assert before.keys() == after.keys()
    for name, (distances, _) in before.items():
        np.testing.assert_allclose(np.sort(distances), np.sort(after[name][0]), atol=1e-9)


def test_blocks_cover_all_frames_once():
    parts = blocks(10, 2_000_000)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(10))
    assert all(part.stop - part.start == 2 for part in parts)
