"""Pairs of molecules and cells."""

import numpy as np
import pytest

from mdaug.errors import DataError
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs


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


@pytest.mark.parametrize("far", [1e6, 1e12])
def test_an_atom_lost_far_away_is_no_pair(far) -> None:
    """Vesin's grid would have no box in the other directions: a division by zero that ends the process."""
    positions = np.array([[0.0, 0, 0], [far, 0, 0], [0, 0, 1.0]])
    idx_i, idx_j, shifts = neighbor_pairs(positions, None, (False, False, False), 3.0)
    assert (idx_i.tolist(), idx_j.tolist(), shifts.tolist()) == ([0], [2], [[0, 0, 0]])


def test_a_wide_sheet_has_the_pairs_of_its_atoms() -> None:
    """1.6 million boxes in two directions, one in the third."""
    positions = np.array([[0.0, 0, 0], [1.0, 0, 0], [4000.0, 4000.0, 0], [4000.0, 3999.0, 0], [4000.0, 0, 0]])
    idx_i, idx_j, _ = neighbor_pairs(positions, None, (False, False, False), 3.0)
    assert sorted(map(sorted, zip(idx_i.tolist(), idx_j.tolist(), strict=True))) == [[0, 1], [2, 3]]


def test_absurd_lengths_are_refused() -> None:
    positions, cell = np.array([[0.0, 0, 0], [0.5, 0, 0]]), np.diag([1e9, 5.0, 5.0])
    with pytest.raises(DataError, match=r"cell with vectors of 1e\+09 × 5 × 5 Å, too far .* in Å"):
        neighbor_pairs(positions, cell, (True, True, True), 3.0)
    with pytest.raises(DataError, match=r"atoms spread over 5e\+299 × 0 × 0 Å, too far .* in Å"):
        neighbor_pairs(1e300 * positions, None, (False, False, False), 3.0)
