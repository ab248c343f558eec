"""Rigid stretches: which atoms move, how far, in which direction."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.stretches import Stretcher, stretched
from mdaug.data import load_frames
from mdaug.errors import DataError
from mdaug.geometry.bonds import moving_side
from mdaug.units import EV_PER_KCAL_MOL


@pytest.fixture(scope="module")
def ethanol():
    return load_frames("ethanol", every=10)


def test_the_smaller_side_moves():
    bonds = np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 5], [1, 6], [1, 7], [2, 8]])
    numbers = np.array([6, 6, 8, 1, 1, 1, 1, 1, 1])
    assert moving_side(numbers, bonds, (2, 8)).tolist() == [8]
    assert moving_side(numbers, bonds, (0, 2)).tolist() == [2, 8]
    assert moving_side(numbers, bonds, (1, 0)).tolist() == [1, 5, 6, 7]
    assert moving_side(numbers[:3], np.array([[0, 1], [1, 2], [0, 2]]), (0, 1)) is None


def test_only_the_bond_gets_longer(ethanol):
    positions = ethanol.positions[0]
    moving = np.array([2, 8])
    far = stretched(positions, (0, 2), moving, 1.7)
    before, after = np.linalg.norm(positions[2] - positions[0]), np.linalg.norm(far[2] - far[0])
    assert after == pytest.approx(1.7 * before)
    np.testing.assert_allclose(np.cross(far[2] - far[0], positions[2] - positions[0]), 0, atol=1e-12)
    np.testing.assert_allclose(far[8] - far[2], positions[8] - positions[2])
    others = [0, 1, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(far[others], positions[others])


def test_lengths_are_uniform_over_the_range(ethanol):
    options = AugmentOptions(stretch_range=(0.8, 2.0), stretch_noise=0.0)
    stretcher, rng = Stretcher(ethanol), np.random.default_rng(0)
    drawn = [stretcher.draw(ethanol, options, rng) for _ in range(6)]
    factors = []
    for displaced in drawn:
        moved = ethanol.positions + displaced.displacements
        for shift, before, after in zip(displaced.displacements, ethanol.positions, moved, strict=True):
            lengths = [
                (np.linalg.norm(after[j] - after[i]) / length, np.linalg.norm(shift[j] - shift[i]))
                for (i, j), _, length in stretcher.bonds
            ]
            factors.append(max(lengths, key=lambda pair: pair[1])[0])
            assert sum(change > 1e-9 for _, change in lengths) == 1
            assert before.shape == after.shape
    assert 0.8 <= min(factors) < max(factors) <= 2.0 + 1e-9
    assert stats.kstest(factors, "uniform", (0.8, 1.2)).pvalue > 1e-3


def longest_bond(frames, options):
    """Return the longest of all bonds that are drawn from many frames, and its mean length, Å."""
    stretcher, rng = Stretcher(frames), np.random.default_rng(0)
    moved = [frames.positions + stretcher.draw(frames, options, rng).displacements for _ in range(20)]
    positions = np.concatenate(moved)
    lengths = [
        (np.linalg.norm(positions[:, j] - positions[:, i], axis=1).max(), length)
        for (i, j), _, length in stretcher.bonds
    ]
    return max(lengths)


@pytest.mark.parametrize("cutoff", [5.0, 7.0])
def test_bonds_of_molecules_are_stretched_to_the_cutoff(ethanol, cutoff):
    """Beyond the longest distance in the frames a network makes spurious maxima."""
    longest, _ = longest_bond(ethanol, AugmentOptions(cutoff=cutoff))
    assert 0.95 * cutoff < longest < cutoff + 0.05


def test_bonds_in_cells_do_not_reach_the_next_molecule(frames):
    cells = np.tile(np.eye(3) * 9.0, (len(frames), 1, 1))
    longest, length = longest_bond(replace(frames, cells=cells, pbc=(True,) * 3), AugmentOptions())
    assert longest == pytest.approx(2.5 * length, rel=0.05)


def test_springs_do_not_label_bonds_stretched_to_the_cutoff(ethanol):
    longest, length = longest_bond(ethanol, AugmentOptions(rule="gradient"))
    assert longest == pytest.approx(2.5 * length, rel=0.05)


def test_noise_moves_every_atom_a_little(ethanol):
    options = AugmentOptions(stretch_range=(0.999, 1.001), stretch_noise=0.02)
    shift = Stretcher(ethanol).draw(ethanol, options, np.random.default_rng(0)).displacements
    still = np.sort(np.linalg.norm(shift, axis=-1), axis=1)[:, :5]
    assert still.min() > 0
    assert still.max() <= 0.02


def test_copies_of_both_kinds_none_higher_than_allowed(frames, springs):
    options = AugmentOptions(n_frames=5, n_stretched=90, max_energy=100.0, rule="projected")
    made = augment(frames, springs, options)
    assert made.info["kind"].tolist() == ["displacement"] * 5 + ["stretch"] * 90
    change = made.energies - frames.energies[made.info["parent"]]
    assert change[5:].max() <= 100.0 * EV_PER_KCAL_MOL
    assert np.bincount(made.info["parent"][5:]).max() == 2
    only = augment(frames, springs, options.model_copy(update={"n_frames": 0}))
    assert set(only.info["kind"]) == {"stretch"}


def test_labels_that_are_all_too_high_say_what_to_do(frames, springs, monkeypatch):
    monkeypatch.setattr("mdaug.augmentation.augmented_frames.ATTEMPTS", 3)
    options = AugmentOptions(n_frames=0, n_stretched=2, stretch_range=(3.0, 4.0), rule="isotropic")
    with pytest.raises(DataError, match=r"every stretch .*--stretch-range"):
        augment(frames, springs, options)


def test_crystals_are_refused(crystal, crystal_springs):
    with pytest.raises(DataError, match="no bond outside rings"):
        augment(crystal, crystal_springs, AugmentOptions(n_frames=0, n_stretched=3, rule="gradient"))
    with pytest.warns(UserWarning, match="no stretched frames: .* no bond outside rings"):
        made = augment(crystal, crystal_springs, AugmentOptions(n_frames=4, n_stretched=3, rule="gradient"))
    assert made.info["kind"].tolist() == ["displacement"] * 4


def test_a_molecule_that_lies_across_a_face_of_its_cell_is_stretched_as_elsewhere(frames):
    cells = np.tile(np.eye(3) * 12.0, (len(frames), 1, 1))
    options = AugmentOptions(stretch_noise=0.0, stretch_range=(0.6, 2.5))
    plain = Stretcher(frames).draw(frames, options, np.random.default_rng(0))
    wrapped = replace(frames, positions=frames.positions % 12.0, cells=cells, pbc=(True,) * 3)
    assert np.ptp(wrapped.positions, axis=1).max() > 10
    boxed = Stretcher(wrapped).draw(wrapped, options, np.random.default_rng(0))
    np.testing.assert_allclose(boxed.displacements, plain.displacements, atol=1e-12)


def test_bonds_that_are_left_alone_are_not_stretched(frames):
    assert [bond for bond, _, _ in Stretcher(frames, excluded=[(0, 1)]).bonds] == [(0, 2)]
    with pytest.raises(DataError, match="no bond outside rings that may be stretched"):
        Stretcher(frames, excluded=[(0, 1), (0, 2)])


def test_no_copies_at_all_make_no_sense():
    with pytest.raises(ValueError, match="at least one augmented frame"):
        AugmentOptions(n_frames=0, n_stretched=0, n_impulses=0)
    with pytest.raises(ValueError, match="shorter length first"):
        AugmentOptions(stretch_range=(2.0, 1.0))
