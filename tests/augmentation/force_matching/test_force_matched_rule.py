"""Labels by a matched force field: exact gradients, first order, what is left far out, weights."""

from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.displacements import displace
from mdaug.augmentation.force_matching.checks import HeldOut
from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.force_matched_rule import (
    ErrorModel,
    ForceMatchedRule,
    estimate_errors,
    label_changes,
    similar_frames,
    strained_molecules,
)
from mdaug.augmentation.generate import label_weights
from mdaug.augmentation.potential_labels import switch
from mdaug.augmentation.spring_labels import Labels
from mdaug.geometry.pairs import pair_lengths
from mdaug.springs import SpringOptions, fit_springs
from mdaug.units import EV_PER_KCAL_MOL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rule(matched):
    return ForceMatchedRule(matched, ErrorModel(0.1))


@pytest.fixture
def displaced(ethanol_frames):
    options = AugmentOptions(epsilon=0.5, n_displaced=9)
    return displace(ethanol_frames.select(slice(0, 4)), {}, options, np.random.default_rng(0))


def assert_forces_are_the_gradient(rule, displaced, components):
    """Compare forces of (atom, axis) with central differences of the energy."""
    h, found = 1e-5, rule(displaced).forces
    for atom, axis in components:
        energies = []
        for sign in (1, -1):
            shift = displaced.displacements.copy()
            shift[:, atom, axis] += sign * h
            energies.append(rule(replace(displaced, displacements=shift)).energy_change)
        np.testing.assert_allclose(found[:, atom, axis], (energies[1] - energies[0]) / (2 * h), atol=1e-6)


def test_forces_are_the_gradient_of_the_energy_also_of_the_switch(rule, displaced):
    assert np.ptp(switch(np.linalg.norm(displaced.displacements, axis=-1))[0]) > 0.5
    assert_forces_are_the_gradient(rule, displaced, [(atom, axis) for atom in (0, 2, 8) for axis in range(3)])


def test_no_displacement_is_the_parent(rule, displaced):
    labels = rule(replace(displaced, displacements=np.zeros_like(displaced.displacements)))
    np.testing.assert_allclose(labels.energy_change, 0, atol=1e-12)
    np.testing.assert_allclose(labels.forces, displaced.parents.forces, atol=1e-12)


def test_the_first_order_is_the_parents_own_whatever_the_field(unmatched, displaced):
    small = replace(displaced, displacements=1e-4 * displaced.displacements)
    labels, _ = label_changes(unmatched, small.parents, small.displacements)
    slope = -np.sum(small.parents.forces * small.displacements, axis=(1, 2))
    np.testing.assert_allclose(labels.energy_change, slope, atol=2e-6)
    assert np.abs(slope).max() > 2e-5


def test_far_out_only_the_field_speaks(matched, ethanol_frames):
    parents = ethanol_frames.select(slice(0, 1))
    shift = np.zeros_like(parents.positions)
    shift[0, 8] = 6.0
    labels, _ = label_changes(matched, parents, shift)
    moved = matched.evaluate(parents.positions + shift)
    expected = moved[0] - matched.evaluate(parents.positions)[0]
    np.testing.assert_allclose(labels.energy_change, expected, atol=1e-3)
    np.testing.assert_allclose(labels.forces[0, 8], moved[1][0, 8], atol=1e-3)


def test_true_energies_of_other_frames_are_met(matched, ethanol_frames):
    """From each frame to its neighbors, many kcal/mol away, the label is right to about one."""
    near = similar_frames(ethanol_frames)
    labels, strain = label_changes(matched, near.parents, near.displacements)
    error = np.sqrt(np.mean((labels.forces - near.forces) ** 2)) / EV_PER_KCAL_MOL
    first_order = np.sqrt(np.mean((near.parents.forces - near.forces) ** 2)) / EV_PER_KCAL_MOL
    assert np.median(strain) > 5 * EV_PER_KCAL_MOL
    assert first_order > 20
    assert error < 4
    wrong = labels.energy_change - (ethanol_frames.energies[near.other] - near.parents.energies)
    assert np.sqrt(np.mean(wrong**2)) < 1.5 * EV_PER_KCAL_MOL


def test_neighbours_are_turned_onto_the_frame(ethanol_frames):
    few = ethanol_frames.select(slice(0, 6))
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((3, 3)))[0]
    turn *= np.linalg.det(turn)
    half = np.arange(6) % 2 == 1
    positions = np.where(half[:, None, None], few.positions @ turn.T + 3.0, few.positions)
    forces = np.where(half[:, None, None], few.forces @ turn.T, few.forces)
    plain, turned = similar_frames(few), similar_frames(replace(few, positions=positions, forces=forces))
    np.testing.assert_array_equal(turned.other, plain.other)
    for before, after in zip(plain[3:], turned[3:], strict=True):
        np.testing.assert_allclose(np.linalg.norm(after, axis=-1), np.linalg.norm(before, axis=-1), atol=1e-9)


def test_errors_grow_with_strain_and_with_bonds_half_broken(rule, displaced):
    near = replace(displaced, displacements=0.1 * displaced.displacements)
    assert np.all(rule(near).force_error < rule(displaced).force_error)
    intact, broken = ErrorModel(0.1).force_error(np.ones(2), np.array([0.0, 1.0]))
    assert intact == pytest.approx(0.1)
    assert broken > 0.4


def test_broken_bonds_are_counted_where_they_break(matched, ethanol_frames):
    positions = np.repeat(ethanol_frames.positions[:1], 3, axis=0)
    bond = positions[0, 8] - positions[0, 2]
    for copy, factor in zip(positions, (1.0, 1.5, 3.0), strict=True):
        copy[8] = copy[2] + factor * matched.mean_lengths[-1] * bond / np.linalg.norm(bond)
    intact, half, gone = matched.broken(positions)
    assert half - intact == pytest.approx(1.0, abs=0.1)
    assert gone == pytest.approx(intact, abs=0.1)


def test_weights_halve_at_the_error_scale():
    labels = Labels(np.zeros(3), np.zeros((3, 1, 3)), np.array([0.0, 2.0, 6.0]) * EV_PER_KCAL_MOL)
    options = AugmentOptions(weight=0.5, error_scale=2.0)
    np.testing.assert_allclose(label_weights(labels, options), [0.5, 0.25, 0.05])
    without = options.model_copy(update={"error_scale": float("inf")})
    np.testing.assert_allclose(label_weights(labels, without), 0.5)
    np.testing.assert_allclose(label_weights(replace(labels, force_error=None), options), 0.001)


@pytest.fixture(scope="module")
def waters_rule(boxed_waters):
    return ForceMatchedRule(match_forces(boxed_waters), ErrorModel(0.1))


def test_labels_in_a_cell_have_the_parents_slope_and_are_a_gradient(waters_rule, boxed_waters):
    """Forces of the frames that the field does not have are kept to first order."""
    other = replace(boxed_waters, forces=boxed_waters.forces + 0.3 * np.eye(6, 3)).select(slice(0, 3))
    displaced = displace(other, {}, AugmentOptions(epsilon=0.3), np.random.default_rng(1))
    assert_forces_are_the_gradient(waters_rule, displaced, [(0, 0), (2, 1), (4, 2)])
    small = replace(displaced, displacements=1e-4 * displaced.displacements)
    slope = -np.sum(other.forces * small.displacements, axis=(1, 2))
    np.testing.assert_allclose(waters_rule(small).energy_change, slope, atol=1e-6)
    assert np.abs(slope).max() > 1e-5


def test_copies_of_several_molecules_are_of_all_kinds_and_keep_their_contacts(boxed_waters):
    springs = fit_springs(replace(boxed_waters, temperature_K=300.0), SpringOptions(bootstrap=0))
    options = AugmentOptions(n_frames=20, n_stretched=30, n_impulses=10)
    made = augment(boxed_waters, springs, options)
    assert set(made.info["rule"]) == {"force-matched"}
    assert [np.sum(made.info["kind"] == kind) for kind in ("displacement", "stretch")] == [20, 30]
    idx = np.array([(i, j) for i in range(3) for j in range(3, 6)]).T
    oxygen_hydrogen = np.array([1, 2, 3, 6])  # of these nine pairs
    closest = {}
    for name, some in (("frames", boxed_waters), ("copies", made)):
        closest[name] = pair_lengths(some.positions, some.cells, *idx)[:, oxygen_hydrogen].min()
    assert closest["copies"] >= 0.85 * closest["frames"]
    assert closest["copies"] < closest["frames"]


def test_strain_is_that_of_one_molecule(waters_rule, boxed_waters):
    """Both molecules strained alike: twice the energy, the strain and so the error of one."""
    change, molecule = np.zeros((3, 6, 3)), np.array([0, 0, 0, 1, 1, 1])
    change[0, :3, 0], change[1, :, 0] = 1.0, 1.0
    shift = np.full((3, 6, 3), 0.1)
    np.testing.assert_allclose(strained_molecules(shift, change, molecule), [1.0, 2.0, 1.0])
    near = similar_frames(boxed_waters)
    _, strain = label_changes(waters_rule.field, near.parents, near.displacements)
    before = waters_rule.field.evaluate(near.parents.positions, near.parents.cells)
    after = waters_rule.field.evaluate(near.parents.positions + near.displacements, near.parents.cells)
    whole = np.abs(after[0] - before[0] + np.sum(before[1] * near.displacements, axis=(1, 2)))
    assert np.all((strain <= whole + 1e-12) & (strain >= whole / 2 - 1e-12))
    assert np.median(strain / whole) < 0.95


def test_neighbours_in_a_cell_are_at_their_nearest_images(boxed_waters):
    near = similar_frames(boxed_waters)
    arrived = near.parents.positions + near.displacements - boxed_waters.positions[near.other]
    fractions = arrived @ np.linalg.inv(boxed_waters.cells[0])
    np.testing.assert_allclose(fractions, np.round(fractions), atol=1e-9)
    assert np.linalg.norm(near.displacements, axis=-1).max() < 2.0
    np.testing.assert_array_equal(near.forces, boxed_waters.forces[near.other])


def held_out(frames):
    """A field of every other frame, and the rest."""
    fitted, others = frames.select(slice(0, None, 2)), frames.select(slice(1, None, 2))
    return HeldOut(match_forces(fitted), fitted, others)


def test_several_molecules_are_never_thought_better_known_than_two_waters(boxed_waters):
    """Even frames that the field fits without any error."""
    assert estimate_errors(held_out(boxed_waters)).per_strain == pytest.approx(0.1)
