"""Draws: who is displaced, how far, where to, and the guard."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mdaug.augmentation import AugmentOptions
from mdaug.augmentation.displacements import displace, draw_displacements, draw_parents, shortest_distances
from mdaug.errors import DataError


def draw(n_frames, n_atoms=5, seed=0, **options):
    return draw_displacements(n_frames, n_atoms, AugmentOptions(**options), np.random.default_rng(seed))


def moved(displacements):
    """Return the displacements of displaced atoms, one a row."""
    return displacements[np.linalg.norm(displacements, axis=-1) > 0]


@pytest.mark.parametrize("shape", ["shell", "ball"])
@pytest.mark.parametrize("n_displaced", [0, 1, 3, 5])
def test_so_many_atoms_move_at_most_epsilon(shape, n_displaced):
    lengths = np.linalg.norm(draw(500, n_displaced=n_displaced, draw=shape, epsilon=0.3), axis=-1)
    assert np.all((lengths > 0).sum(axis=1) == (n_displaced or lengths.shape[1]))
    assert lengths.max() <= 0.3


def test_every_atom_is_chosen_alike():
    chosen = (np.linalg.norm(draw(6000, n_displaced=2), axis=-1) > 0).sum(axis=0)
    assert stats.chisquare(chosen).pvalue > 1e-3


@pytest.mark.parametrize(("shape", "power"), [("shell", 1), ("ball", 3)])
def test_lengths_are_distributed_as_said(shape, power):
    lengths = np.linalg.norm(moved(draw(4000, draw=shape, epsilon=0.2)), axis=-1)
    assert stats.kstest((lengths / 0.2) ** power, "uniform").pvalue > 1e-3


@pytest.mark.parametrize("shape", ["shell", "ball"])
def test_directions_are_uniform_on_the_sphere(shape):
    vectors = moved(draw(4000, draw=shape))
    x, y, z = (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).T
    for cosine in (x, y, z):  # Archimedes: each coordinate is uniform in (−1, 1)
        assert stats.kstest(cosine, "uniform", (-1, 2)).pvalue > 1e-3
    assert stats.kstest(np.arctan2(y, x), "uniform", (-np.pi, 2 * np.pi)).pvalue > 1e-3


def test_atoms_of_a_frame_move_independently():
    both = draw(3000, n_atoms=2, n_displaced=2, epsilon=1.0)
    assert abs(np.mean(np.sum(both[:, 0] * both[:, 1], axis=-1))) < 0.02


def test_same_seed_same_draw():
    np.testing.assert_array_equal(draw(10, seed=4), draw(10, seed=4))
    assert not np.array_equal(draw(10, seed=4), draw(10, seed=5))


def test_parents_are_drawn_once_each_unless_with_replacement():
    rng = np.random.default_rng(0)
    assert sorted(draw_parents(30, AugmentOptions(n_frames=30, replacement=False), rng)) == list(range(30))
    assert len(set(draw_parents(30, AugmentOptions(n_frames=90), rng))) > 15
    with pytest.raises(DataError, match=r"31 augmented frames .* 30 frames to draw.*--replacement"):
        draw_parents(30, AugmentOptions(n_frames=31, replacement=False), rng)


def test_guard_redraws_only_what_is_too_close(frames):
    options = AugmentOptions(epsilon=0.6, n_displaced=frames.n_atoms, min_distance_fraction=0.9)
    shortest = shortest_distances(frames, options)
    free, kept = (displace(frames, limit, options, np.random.default_rng(0)) for limit in ({}, shortest))
    least = np.array([shortest[name] for name in ("H-O", "H-O", "H-H")])
    before, after = (np.linalg.norm(d.displaced_vectors, axis=-1) for d in (free, kept))
    bad = (before < least).any(axis=1)
    assert 0 < bad.sum() < len(frames)
    assert np.all(after >= least)
    np.testing.assert_array_equal(free.displacements[~bad], kept.displacements[~bad])


def test_guard_is_a_fraction_of_the_shortest_observed_distance(frames):
    limits = shortest_distances(frames, AugmentOptions(min_distance_fraction=0.5))
    oh = np.linalg.norm(frames.positions[:, 1:] - frames.positions[:, :1], axis=-1)
    assert limits["H-O"] == pytest.approx(0.5 * oh.min())
    assert shortest_distances(frames, AugmentOptions(min_distance_fraction=0)) == {}


def test_an_impossible_guard_says_which_atoms(frames):
    # a limit longer than the bond plus the displacement can never be kept
    with pytest.raises(DataError, match=r"no displacement of 3 atoms .* atoms 0 and \d .*--epsilon"):
        displace(frames, {"H-O": 3.0}, AugmentOptions(), np.random.default_rng(0))


def test_more_atoms_than_there_are_is_refused(frames):
    with pytest.raises(DataError, match="--n-displaced is 4, but the frames have 3 atoms"):
        displace(frames, {}, AugmentOptions(n_displaced=4), np.random.default_rng(0))


def test_nearest_image_of_the_parent_is_kept(frames):
    # the bond crosses the boundary; the displaced vector must not jump to another image
    cells = np.tile(np.eye(3) * 12.0, (len(frames), 1, 1))
    wrapped = replace(frames, positions=frames.positions % 12.0, cells=cells, pbc=(True,) * 3)
    options = AugmentOptions(n_displaced=3, epsilon=0.3)
    plain, periodic = (displace(f, {}, options, np.random.default_rng(1)) for f in (frames, wrapped))
    np.testing.assert_allclose(periodic.displaced_vectors, plain.displaced_vectors, atol=1e-12)
