"""Nearest images, where all, some or no directions are periodic."""

from dataclasses import replace

import numpy as np
import pytest
from ase.geometry import find_mic

from mdaug.frames import FrameSet
from mdaug.geometry.periodic_images import minimum_image, narrowest_width, pair_lengths

FILM, WIRE = (True, True, False), (False, True, False)
CELL = np.array([[6.0, 0, 0], [2.5, 7.0, 0], [1.0, 1.5, 8.0]])


def in_cell(pbc: tuple[bool, bool, bool], vector_c: list[float]) -> FrameSet:
    """Atoms at random in three cells, each with `vector_c`."""
    positions = np.random.default_rng(0).uniform(-9.0, 9.0, (3, 20, 3))
    cells = np.tile(CELL, (3, 1, 1)) * np.array([1.0, 1.1, 1.2])[:, None, None]
    cells[:, 2] = vector_c
    return FrameSet(np.ones(20), positions, np.zeros(3), np.zeros_like(positions), cells=cells, pbc=pbc)


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [0, 0, 1.0], [3.0, 2.0, 4.0], [6.0, 0, 0]])
@pytest.mark.parametrize("pbc", [FILM, WIRE, (True, False, False)])
@pytest.mark.parametrize("cutoff", [0.0, 8.0])
def test_a_vector_that_is_not_periodic_counts_for_nothing(pbc, vector_c, cutoff):
    frames = in_cell(pbc, vector_c)
    vectors = frames.positions[:, 1:] - frames.positions[:, :-1]
    found = minimum_image(vectors, frames.periodic_cells, cutoff)
    straight = in_cell(pbc, [0, 0, 1.0]).cells
    expected = np.array([find_mic(v, cell, pbc)[0] for v, cell in zip(vectors, straight, strict=True)])
    sure = np.linalg.norm(expected, axis=-1) < (8.0 if cutoff else narrowest_width(frames.periodic_cells) / 2)
    assert sure.sum() > 1
    np.testing.assert_allclose(found[sure], expected[sure], atol=1e-9)


def test_the_width_of_a_film_is_that_of_its_periodic_vectors():
    film = in_cell(FILM, [0, 0, 0.1]).select(slice(0, 1))
    assert narrowest_width(film.periodic_cells) == pytest.approx(6.0 * 7.0 / np.hypot(2.5, 7.0))


def test_cells_of_all_directions_are_as_they_are_and_of_none_are_no_cells():
    crystal = in_cell((True, True, True), [1.0, 1.5, 8.0])
    assert crystal.periodic_cells is crystal.cells
    assert replace(crystal, pbc=(False, False, False)).periodic_cells is None


def test_a_search_beyond_half_the_width_finds_the_nearest_image():
    vectors = np.array([[5.5, 3.4, 3.9]])
    thin = np.array([[4.0, 0, 0], [3.0, 3.0, 0], [0, 0, 9.0]])
    expected, lengths = find_mic(vectors, thin)
    np.testing.assert_allclose(minimum_image(vectors, thin, 9.0), expected)
    rounded = minimum_image(vectors, thin)
    assert np.linalg.norm(rounded) >= lengths[0] - 1e-12


def test_pair_lengths_go_through_a_face():
    positions = np.array([[[0.2, 0, 0], [8.7, 0, 8.9]]])
    idx = np.array([0]), np.array([1])
    cells = np.tile(9.0 * np.eye(3), (1, 1, 1))
    assert pair_lengths(positions, cells, *idx)[0] == pytest.approx(np.hypot(0.5, 0.1))
    film = FrameSet(np.ones(2), positions, np.zeros(1), np.zeros_like(positions), cells=cells, pbc=FILM)
    assert pair_lengths(positions, film.periodic_cells, *idx)[0] == pytest.approx(np.hypot(0.5, 8.9))
