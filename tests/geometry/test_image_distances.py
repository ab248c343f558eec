"""Distances to several periodic images."""

from itertools import product

import numpy as np
import pytest

from mdaug.geometry.image_distances import all_image_lengths, farthest_image, image_lengths

CELLS = {
    "cubic": 3.0 * np.eye(3),
    "primitive": 2.7 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]]),
    "skewed": np.array([[2.5, 0, 0], [4.9, 2.6, 0], [1.0, -2.0, 7.0]]),
}


def every_length(cell: np.ndarray, vector: np.ndarray) -> np.ndarray:
    shifts = np.array(list(product(range(-20, 21), range(-9, 10), range(-9, 10)))) @ cell
    return np.sort(np.linalg.norm(vector + shifts, axis=1))


@pytest.mark.parametrize("name", list(CELLS))
def test_lengths_are_those_of_all_images(name):
    positions = np.random.default_rng(0).uniform(-3, 3, size=(5, 3, 3))
    cells = np.repeat(CELLS[name][None], 5, axis=0)
    pairs, image = np.array([[0, 1], [0, 1], [1, 2]]), np.array([0, 3, 1])
    lengths = image_lengths(positions, cells, pairs, image, reach=6.0)
    for n, k in np.ndindex(lengths.shape):
        i, j = pairs[k]
        expected = every_length(CELLS[name], positions[n, j] - positions[n, i])[image[k]]
        assert lengths[n, k] == pytest.approx(expected)
    every = all_image_lengths(positions[:1], cells[:1], reach=6.0)
    r = positions[0]
    to_others = np.concatenate([every_length(CELLS[name], r[j] - r[i]) for i, j in ((0, 1), (0, 2), (1, 2))])
    to_itself = np.tile(every_length(CELLS[name], np.zeros(3))[1::2], 3)
    expected = np.concatenate([to_others[to_others < 6.0], to_itself[to_itself < 6.0]])
    assert np.sort(every) == pytest.approx(np.sort(expected))


def test_lengths_of_positions_that_are_no_numbers_are_none():
    positions = np.array([[[0.0, 0, 0], [np.nan, 0, 0]]])
    assert np.isnan(image_lengths(positions, CELLS["cubic"][None], np.array([[0, 1]]), np.array([0]), 4.0))


def test_the_farthest_image_is_in_the_largest_hole():
    assert farthest_image(CELLS["cubic"], 0) == pytest.approx(3.0 * np.sqrt(3) / 2)
    assert farthest_image(CELLS["primitive"], 0) == pytest.approx(2.7)  # octahedral hole, half an edge
    assert farthest_image(np.diag([3.0, 3.0, 1e6]), 0) == np.inf
