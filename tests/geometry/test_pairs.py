"""Pairs of molecules and cells."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.geometry import find_mic

from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.pairs import (
    minimum_image,
    molecule_pairs,
    narrowest_width,
    neighbor_pairs,
    pair_lengths,
    quintic_switch,
)


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
    with pytest.raises(DataError, match=r"cell with vectors of 1e\+09 × 5 × 5 Å, too far for .* in Å"):
        neighbor_pairs(positions, cell, (True, True, True), 3.0)
    with pytest.raises(DataError, match=r"atoms extend over 5e\+299 × 0 × 0 Å, too far for .* in Å"):
        neighbor_pairs(1e300 * positions, None, (False, False, False), 3.0)


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


def test_the_switch_has_two_derivatives_that_end_at_zero_and_is_the_same_for_tensors():
    t = np.linspace(-0.5, 1.5, 4001)
    switch = quintic_switch(t)
    assert (switch[t <= 0] == 1).all() and (switch[t >= 1] == 0).all() and switch[2000] == 0.5
    slope = np.gradient(switch, t)
    assert np.abs(np.diff(slope)).max() < 6 * (t[1] - t[0])  # the second derivative is 5.77 at most
    curvature = np.gradient(slope, t)
    assert np.abs(np.diff(curvature)).max() < 61 * (t[1] - t[0])  # the third is 60 at the ends
    assert quintic_switch(torch.as_tensor(t)).numpy() == pytest.approx(switch, abs=1e-15)


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (np.diag([5.0, np.nan, 5.0]), "the cell is .*nan.*expected finite numbers"),  # crashed the search
        (np.diag([5.0, np.inf, 5.0]), "the cell is .*inf"),
        (np.array([[5.0, 0, 0], [5, 0, 0], [0, 0, 5]]), "are zero, parallel or in one plane"),
        (np.diag([5.0, 0.0, 5.0]), "are zero, parallel or in one plane"),
    ],
)
def test_impossible_lattices_are_refused(cell, expected):
    positions = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    with pytest.raises(DataError, match=expected):
        neighbor_pairs(positions, cell, (True, True, True), 4.0)


@pytest.mark.parametrize(
    ("cell", "pbc"),
    [
        (np.diag([1e-3, 1e-3, 1e-3]), (True, True, True)),
        (np.diag([9e-10, 9e-10, 9e-10]), (True, True, True)),
        (np.diag([1e-100, 9.0, 9.0]), (True, True, True)),
        (np.diag([1e-6, 50.0, 50.0]), (True, False, False)),
        (np.diag([1e-3, 1e-3, 50.0]), (True, True, False)),
        (np.array([[9.0, 0, 0], [9.0, 1e-5, 0], [0, 0, 9.0]]), (True, True, True)),
    ],
)
def test_cells_with_too_many_images_are_refused_at_once(cell, pbc):
    """As lengths in m or nm give: the search would not end."""
    with pytest.raises(DataError, match=r"too small for 3 atoms.*expected lengths in Å"):
        neighbor_pairs(np.eye(3), cell, pbc, 5.0)


def test_small_and_large_cells_are_searched():
    assert len(neighbor_pairs(np.zeros((1, 3)), np.diag([0.5, 0.5, 0.5]), (True, True, True), 5.0)[0]) > 2000
    far = np.diag([1e3, 1e3, 3.0])
    assert len(neighbor_pairs(np.eye(3), far, (True, True, True), 5.0)[0]) > 3
