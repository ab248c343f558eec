"""Rules by name: fallback for crystals, semi-empirical labels on their own level of theory."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.displacements import displace
from mdaug.augmentation.force_matching.force_matched_rule import similar_frames
from mdaug.augmentation.label_rules import make_rule
from mdaug.augmentation.potential_labels import semiempirical_rule
from mdaug.augmentation.spring_labels import SPRING_RULES
from mdaug.data import load_frames
from mdaug.quantum.calculators import calculate_frames
from mdaug.springs import Springs


def test_crystals_get_gradient_labels_in_words(crystal, crystal_springs):
    with pytest.warns(UserWarning, match="bonds go on from cell to cell; labels are made by rule 'gradient'"):
        made = augment(
            crystal, crystal_springs, AugmentOptions(n_frames=4, n_stretched=0, rule="force-matched")
        )
    assert set(made.info["rule"]) == {"gradient"}
    same = augment(crystal, crystal_springs, AugmentOptions(n_frames=4, n_stretched=0, rule="gradient"))
    np.testing.assert_array_equal(made.forces, same.forces)


def test_where_nothing_can_be_matched_no_bond_is_stretched(frames, springs):
    """Springs are off by hundreds of kcal/mol/Å there."""
    with pytest.warns(UserWarning, match="rule 'gradient' instead"):
        made = augment(frames.select(slice(0, 3)), springs, AugmentOptions(n_frames=5, n_stretched=9))
    assert made.info["kind"].tolist() == ["displacement"] * 5


def test_bonds_without_a_table_are_matched_and_never_stretched(vibrating, springs):
    """One O-H is made O-He here, which is in no table; the other is stretched all the same."""
    strange = replace(vibrating, atomic_numbers=np.array([8, 2, 1]))
    pairs = {name: springs.pairs["H-O"] for name in ("H-O", "He-O", "H-He")}
    options = AugmentOptions(n_frames=8, n_stretched=20, n_impulses=6)
    with pytest.warns(UserWarning, match="no dissociation energy is tabulated for He-O bonds"):
        made = augment(strange, Springs(springs.temperature_K, pairs), options)
    assert set(made.info["rule"]) == {"force-matched"}
    assert set(made.info["kind"]) == {"displacement", "stretch", "impulse"}

    def lengths(some, atom):
        return np.linalg.norm(some.positions[:, atom] - some.positions[:, 0], axis=-1)

    before, after = (lengths(some, 1) / lengths(strange, 1).mean() for some in (strange, made))
    assert before.min() - 0.05 < after.min() < after.max() < 1.2
    assert (lengths(made, 2) / lengths(strange, 2).mean()).max() > 1.5


@pytest.mark.parametrize("n_frames", [1, 3])
def test_too_few_frames_get_gradient_labels_in_words(frames, springs, n_frames):
    few = frames.select(slice(0, n_frames))
    with pytest.warns(UserWarning, match=r"too few frames .* at least 4; .*rule 'gradient'"):
        assert make_rule(few, springs, AugmentOptions(rule="force-matched")).name == "gradient"


def test_errors_are_measured_between_frames_of_different_groups(frames):
    few = frames.select(slice(0, 5))  # groups 0, 0, 1, 1, 2
    near = similar_frames(few)
    assert np.all(few.group[near.parent] != few.group[near.other])
    assert np.bincount(near.parent).tolist() == [3, 3, 3, 3, 4]


def test_rules_keep_their_names(frames, springs):
    for name in SPRING_RULES:
        assert make_rule(frames, springs, AugmentOptions(rule=name)).name == name


@pytest.mark.tblite
def test_gfn2_labels_of_gfn2_frames_are_exact():
    frames = load_frames("ethanol").select(slice(0, 2))
    displaced = displace(frames, {}, AugmentOptions(epsilon=0.3, n_displaced=9), np.random.default_rng(0))
    rule = semiempirical_rule(frames)
    labels = rule(displaced)
    energies, forces = calculate_frames(rule.calculator, frames, frames.positions + displaced.displacements)
    np.testing.assert_allclose(labels.energy_change, energies - frames.energies, atol=1e-4)
    np.testing.assert_allclose(labels.forces, forces, atol=5e-4)


@pytest.mark.tblite
def test_gfn2_labels_have_the_parents_slope():
    frames = load_frames("ethanol").select(slice(0, 1))
    other = replace(frames, forces=frames.forces + 0.3 * np.eye(9, 3))
    displaced = displace(other, {}, AugmentOptions(epsilon=1e-3, n_displaced=9), np.random.default_rng(0))
    labels = semiempirical_rule(other)(displaced)
    slope = -np.sum(other.forces * displaced.displacements, axis=(1, 2))
    np.testing.assert_allclose(labels.energy_change, slope, atol=2e-4)
    assert np.abs(slope).max() > 5e-4


def test_a_liquid_is_told_what_its_copies_cost(frames, springs):
    """Eight waters far apart: 30 copies of 4 frames are many, 8 are not."""
    shifts = np.repeat(6.0 * np.stack(np.meshgrid(*3 * [np.arange(2)]), axis=-1).reshape(8, 3), 3, axis=0)
    box = replace(
        frames.select(slice(0, 4)),
        atomic_numbers=np.tile(frames.atomic_numbers, 8),
        positions=np.tile(frames.positions[:4], (1, 8, 1)) + shifts,
        forces=np.tile(frames.forces[:4], (1, 8, 1)),
    )
    oxygen = Springs(springs.temperature_K, {**springs.pairs, "O-O": springs.pairs["H-H"]})
    options = AugmentOptions(n_frames=30, n_stretched=0, n_impulses=0, rule="gradient")
    with pytest.warns(
        UserWarning, match="30 augmented frames holds all 8 molecules, so training takes 8 times as long"
    ):
        augment(box, oxygen, options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        augment(box, oxygen, options.model_copy(update={"n_frames": 8}))
