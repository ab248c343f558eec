"""Labels: against the formulas term by term, and against derivatives of their own energies."""

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest

from mdaug.augmentation import LABEL_RULES, AugmentOptions
from mdaug.augmentation.displacements import displace
from mdaug.augmentation.spring_labels import SPRING_RULES, read_springs


@pytest.fixture
def displaced(frames):
    options = AugmentOptions(epsilon=0.3, n_displaced=2)
    return displace(frames, {}, options, np.random.default_rng(3))


@pytest.fixture
def k(displaced, springs):
    return read_springs(displaced, springs, "linear", 5.0)


def naive_isotropic(displaced, k):
    """Sum as the formula says it, in loops."""
    shift, forces = displaced.displacements, displaced.parents.forces.copy()
    energies = np.zeros(len(forces))
    n_atoms = displaced.parents.n_atoms
    table = np.zeros((len(forces), n_atoms, n_atoms))
    table[:, displaced.idx_i, displaced.idx_j] = table[:, displaced.idx_j, displaced.idx_i] = k
    for frame in range(len(forces)):
        for i in range(n_atoms):
            if not np.any(shift[frame, i]):
                continue
            for j in range(n_atoms):
                if j != i:
                    energies[frame] += 0.5 * table[frame, i, j] * (shift[frame, i] @ shift[frame, i])
                    forces[frame, i] -= table[frame, i, j] * shift[frame, i]
    return energies, forces


def numeric_forces(displaced, k, rule, h=1e-5):
    """Return −∂ΔE/∂Δr of a rule by central differences, the springs held."""
    shape = displaced.displacements.shape
    forces = np.zeros(shape)
    for atom in range(shape[1]):
        for axis in range(3):
            energy = []
            for sign in (1, -1):
                shifted = displaced.displacements.copy()
                shifted[:, atom, axis] += sign * h
                energy.append(rule(replace(displaced, displacements=shifted), k).energy_change)
            forces[:, atom, axis] = -(energy[0] - energy[1]) / (2 * h)
    return forces


def test_isotropic_is_the_published_sum(displaced, k):
    energies, forces = naive_isotropic(displaced, k)
    labels = SPRING_RULES["isotropic"](displaced, k)
    np.testing.assert_allclose(labels.energy_change, energies, rtol=1e-12)
    np.testing.assert_allclose(labels.forces, forces, rtol=1e-12, atol=1e-13)


def test_isotropic_counts_a_pair_with_both_ends_displaced_twice(frames):
    pair = replace(
        frames,
        atomic_numbers=np.array([1, 8]),
        positions=frames.positions[:, 1::-1],
        forces=np.zeros((len(frames), 2, 3)),
    )
    options = AugmentOptions(epsilon=0.3, n_displaced=2)
    both = displace(pair, {}, options, np.random.default_rng(0))
    k = np.full((len(frames), 1), 7.0)
    a, b = np.moveaxis(np.sum(both.displacements**2, axis=-1), 1, 0)
    labels = SPRING_RULES["isotropic"](both, k)
    np.testing.assert_allclose(labels.energy_change, 3.5 * a + 3.5 * b)
    np.testing.assert_allclose(labels.forces, -7.0 * both.displacements)


def test_only_labels_by_whole_springs_have_a_net_force(displaced, k):
    net = {name: np.abs(rule(displaced, k).forces.sum(axis=1)).max() for name, rule in SPRING_RULES.items()}
    assert net["isotropic"] > 0.1
    assert net["signed"] > 0.1
    assert net["projected"] < 1e-12
    assert net["gradient"] < 1e-12


def test_projected_by_hand(frames):
    one = frames.select(slice(0, 1))
    pair = replace(
        one,
        atomic_numbers=np.array([1, 1]),
        positions=np.array([[[0.0, 0, 0], [1.0, 0, 0]]]),
        forces=np.array([[[0.5, 0, 0], [-0.5, 0, 0]]]),
    )
    stretched = displace(pair, {}, AugmentOptions(n_displaced=2), np.random.default_rng(0))
    shift = np.zeros((1, 2, 3))
    shift[0, 1, 0] = 0.2
    labels = SPRING_RULES["projected"](replace(stretched, displacements=shift), np.array([[10.0]]))
    assert labels.energy_change == pytest.approx([0.5 * 10 * 0.2**2])
    np.testing.assert_allclose(labels.forces[0, 1], [-0.5 - 10 * 0.2, 0, 0], atol=1e-12)
    labels = SPRING_RULES["projected"](replace(stretched, displacements=-shift), np.array([[10.0]]))
    np.testing.assert_allclose(labels.forces[0, 1], [-0.5 + 10 * 0.2, 0, 0], atol=1e-12)


def test_projected_forces_are_the_parents_less_the_derivative(displaced, k):
    rule = SPRING_RULES["projected"]
    expected = displaced.parents.forces + numeric_forces(displaced, k, rule)
    np.testing.assert_allclose(rule(displaced, k).forces, expected, atol=1e-7)


def test_gradient_forces_are_the_exact_gradient(displaced, k):
    rule = SPRING_RULES["gradient"]
    np.testing.assert_allclose(rule(displaced, k).forces, numeric_forces(displaced, k, rule), atol=1e-7)


def test_projected_and_isotropic_disagree_with_their_energies_by_the_parents_slope(displaced, k):
    for name in ("projected", "isotropic"):
        rule = SPRING_RULES[name]
        difference = rule(displaced, k).forces - numeric_forces(displaced, k, rule)
        atoms = np.linalg.norm(displaced.displacements, axis=-1) > 0
        np.testing.assert_allclose(difference[atoms], displaced.parents.forces[atoms], atol=1e-7)


@pytest.mark.parametrize("name", SPRING_RULES)
def test_no_displacement_is_the_parent(displaced, k, name):
    labels = SPRING_RULES[name](replace(displaced, displacements=np.zeros_like(displaced.displacements)), k)
    np.testing.assert_allclose(labels.energy_change, 0, atol=1e-15)
    np.testing.assert_allclose(labels.forces, displaced.parents.forces, atol=1e-15)


@pytest.mark.parametrize("name", ["projected", "gradient"])
def test_moving_all_atoms_alike_changes_nothing(displaced, k, name):
    together = np.broadcast_to(np.array([0.1, -0.2, 0.3]), displaced.displacements.shape)
    labels = SPRING_RULES[name](replace(displaced, displacements=together), k)
    np.testing.assert_allclose(labels.energy_change, 0, atol=1e-12)
    np.testing.assert_allclose(labels.forces, displaced.parents.forces, atol=1e-12)


def test_every_rule_can_be_asked_for():
    assert set(get_args(AugmentOptions.model_fields["rule"].annotation)) == set(LABEL_RULES)


def test_signed_labels_fall_along_the_force_and_rise_against_it(displaced, k):
    along = 0.1 * displaced.parents.forces
    down, up = (SPRING_RULES["signed"](replace(displaced, displacements=s * along), k) for s in (1, -1))
    plain = SPRING_RULES["isotropic"](replace(displaced, displacements=along), k)
    np.testing.assert_allclose(up.energy_change, plain.energy_change)
    np.testing.assert_allclose(down.energy_change, -plain.energy_change)
    np.testing.assert_allclose(
        down.forces - displaced.parents.forces, displaced.parents.forces - plain.forces
    )


def test_signed_forces_are_the_parents_less_the_derivative(displaced, k):
    rule = SPRING_RULES["signed"]
    expected = displaced.parents.forces + numeric_forces(displaced, k, rule)
    work = np.sum(displaced.parents.forces * displaced.displacements, axis=-1)
    atoms = np.abs(work) > 1e-3  # the others are within a step of the kink
    np.testing.assert_allclose(rule(displaced, k).forces[atoms], expected[atoms], atol=1e-7)
