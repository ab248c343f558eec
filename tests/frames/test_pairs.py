"""Pairs of molecules and cells."""

import numpy as np
import pytest

from mdaug.frames.pairs import molecule_pairs, neighbor_pairs


def test_molecule_pairs_are_all_unordered_pairs() -> None:
    idx_i, idx_j = molecule_pairs(4)
    assert list(zip(idx_i, idx_j, strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]


def test_neighbor_pairs_agree_with_a_sum_over_images() -> None:
    """In a small skewed cell pairs cross it several times, and an atom meets its own images."""
    rng = np.random.default_rng(0)
    cell = np.array([[3.1, 0.0, 0.0], [0.7, 2.9, 0.0], [-0.4, 0.5, 3.3]])
    positions, cutoff = rng.uniform(-2, 5, (3, 3)), 4.0
    idx_i, idx_j, shifts = neighbor_pairs(positions, cell, (True, True, True), cutoff)
    found = np.sort(np.linalg.norm(positions[idx_j] - positions[idx_i] + shifts, axis=1))
    images = np.array([[i, j, k] for i in range(-5, 6) for j in range(-5, 6) for k in range(-5, 6)]) @ cell
    every = np.linalg.norm(positions[None, :, None] - positions[:, None, None] + images, axis=-1)
    expected = np.sort(every[(every > 1e-9) & (every < cutoff)])[::2]  # each pair was met from both ends
    assert found == pytest.approx(expected)
    assert (idx_i == idx_j).any()


def test_only_periodic_directions_have_images() -> None:
    positions, cell = np.array([[0.0, 0, 0], [0.0, 0, 1.0]]), np.eye(3) * 3.0
    _, _, shifts = neighbor_pairs(positions, cell, (True, False, False), 3.5)
    assert (shifts[:, 0] != 0).any()
    assert (shifts[:, 1:] == 0).all()


def test_a_molecule_has_no_images() -> None:
    idx_i, idx_j, shifts = neighbor_pairs(np.array([[0.0, 0, 0], [1.0, 0, 0]]), None, (False,) * 3, 9.0)
    assert len(idx_i) == len(idx_j) == 1
    assert (shifts == 0).all()
