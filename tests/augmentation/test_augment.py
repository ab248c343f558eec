"""Augmented frames: their records, their groups, and that they are read back."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

from mdaug.augmentation import AugmentOptions, augment, augmented_frames
from mdaug.augmentation.displacements import displace
from mdaug.augmentation.spring_labels import SPRING_RULES, read_springs
from mdaug.data import load_frames, write_extxyz
from mdaug.data.load import read_frames
from mdaug.data.verification.verify import is_augmented
from mdaug.errors import DataError
from mdaug.springs import Springs

pytestmark = pytest.mark.slow

OPTIONS = AugmentOptions(
    n_frames=20, n_displaced=2, epsilon=0.2, n_stretched=0, rule="gradient", replacement=False, seed=5
)


def test_every_copy_knows_its_parent_rule_and_displacement(frames, springs):
    made = augment(frames, springs, OPTIONS)
    parent = made.info["parent"]
    assert len(made) == 20
    assert len(set(parent.tolist())) == 20
    np.testing.assert_allclose(made.positions, frames.positions[parent] + made.info["displacement"])
    assert set(made.info["rule"]) == {"gradient"}
    assert made.info["displacement"].shape == (20, 3, 3)


def test_copies_stay_in_the_group_of_their_parent(frames, springs):
    made = augment(frames, springs, OPTIONS)
    np.testing.assert_array_equal(made.group, frames.group[made.info["parent"]])


@pytest.mark.parametrize("rule", SPRING_RULES)
def test_labels_are_those_of_the_rule(frames, springs, rule):
    made = augment(frames, springs, OPTIONS.model_copy(update={"rule": rule}))
    parents = frames.select(made.info["parent"])
    displaced = replace(
        displace(parents, {}, OPTIONS, np.random.default_rng(0)), displacements=made.info["displacement"]
    )
    labels = SPRING_RULES[rule](displaced, read_springs(displaced, springs, "nearest", 5.0))
    np.testing.assert_allclose(made.energies, parents.energies + labels.energy_change)
    np.testing.assert_allclose(made.forces, labels.forces)


def test_springs_are_read_at_the_parents_distance(frames, springs):
    displaced = displace(frames, {}, OPTIONS, np.random.default_rng(0))
    k = read_springs(displaced, springs, "nearest", 5.0)
    oh = np.linalg.norm(frames.positions[:, 1] - frames.positions[:, 0], axis=-1)
    np.testing.assert_array_equal(k[:, 0], np.where(oh <= 0.985, 30.0, 20.0))
    np.testing.assert_array_equal(k[:, 2], 5.0)


@pytest.mark.parametrize("lookup", ["nearest", "linear", "responsibility"])
def test_the_look_up_asked_for_is_used(frames, springs, lookup):
    displaced = displace(frames, {}, OPTIONS, np.random.default_rng(0))
    d = np.linalg.norm(displaced.vectors[:, :2], axis=-1)
    k = read_springs(displaced, springs, lookup, 5.0)[:, :2]
    np.testing.assert_allclose(k, springs.lookup("H-O", d, lookup))


def test_pairs_beyond_the_cutoff_of_a_cell_have_no_spring(frames, springs):
    cells = np.tile(np.eye(3) * 12.0, (len(frames), 1, 1))
    periodic = replace(frames, cells=cells, pbc=(True,) * 3)
    displaced = displace(periodic, {}, OPTIONS, np.random.default_rng(0))
    hh = np.linalg.norm(frames.positions[:, 2] - frames.positions[:, 1], axis=-1)
    k = read_springs(displaced, springs, "nearest", np.median(hh))
    assert np.all(k[:, :2] > 0)
    np.testing.assert_array_equal(k[:, 2] > 0, hh <= np.median(hh))
    assert np.all(read_springs(displaced, springs, "nearest", 5.0) > 0)


def test_a_cell_across_its_boundary_gets_the_labels_of_the_molecule(frames, springs):
    cells = np.tile(np.eye(3) * 12.0, (len(frames), 1, 1))
    wrapped = replace(frames, positions=frames.positions % 12.0, cells=cells, pbc=(True,) * 3)
    plain, periodic = augment(frames, springs, OPTIONS), augment(wrapped, springs, OPTIONS)
    np.testing.assert_allclose(periodic.energies, plain.energies)
    np.testing.assert_allclose(periodic.forces, plain.forces, atol=1e-12)
    assert periodic.cells is not None


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [0, 0, 1.0]])
@pytest.mark.parametrize("rule", ["gradient", "force-matched"])
def test_a_film_of_molecules_gets_the_labels_of_the_molecule(vibrating, springs, rule, vector_c):
    frames = vibrating
    options = OPTIONS.model_copy(
        update={"rule": rule, "n_stretched": 10, "n_impulses": 0, "stretch_range": (0.6, 2.5)}
    )
    cells = np.tile(np.eye(3) * 12.0, (len(frames), 1, 1))
    cells[:, 2] = vector_c
    wrapped = frames.positions.copy()
    wrapped[..., :2] %= 12.0
    film = replace(frames, positions=wrapped, cells=cells, pbc=(True, True, False))
    plain, periodic = augment(frames, springs, options), augment(film, springs, options)
    np.testing.assert_allclose(periodic.info["displacement"], plain.info["displacement"], atol=1e-9)
    if rule == "gradient":
        np.testing.assert_allclose(periodic.energies, plain.energies)
        np.testing.assert_allclose(periodic.forces, plain.forces, atol=1e-9)
    assert set(periodic.info["rule"]) == {rule}


@pytest.mark.parametrize("vector_c", [[0.0, 0, 0], [0, 0, 1.0]])
def test_a_slab_gets_labels_by_springs(crystal, crystal_springs, vector_c):
    slab = replace(crystal, cells=crystal.cells.copy(), pbc=(True, True, False))
    slab.cells[:, 2] = vector_c
    options = OPTIONS.model_copy(update={"rule": "force-matched", "n_frames": 4, "epsilon": 0.05})
    with pytest.warns(UserWarning, match="here bonds go on from cell to cell; labels are made by rule 'grad"):
        made = augment(slab, crystal_springs, options)
    assert set(made.info["rule"]) == {"gradient"}
    assert made.cells is not None
    np.testing.assert_array_equal(made.cells[:, 2], np.tile(vector_c, (4, 1)))


def test_labels_follow_the_order_of_the_atoms(frames, springs):
    order = np.array([2, 0, 1])
    made = augment(frames, springs, OPTIONS)
    parents = frames.select(made.info["parent"])
    displaced = replace(
        displace(parents, {}, OPTIONS, np.random.default_rng(0)), displacements=made.info["displacement"]
    )
    mixed_parents = replace(
        parents,
        atomic_numbers=parents.atomic_numbers[order],
        positions=parents.positions[:, order],
        forces=parents.forces[:, order],
    )
    mixed = replace(
        displace(mixed_parents, {}, OPTIONS, np.random.default_rng(0)),
        displacements=made.info["displacement"][:, order],
    )
    labels = SPRING_RULES["gradient"](mixed, read_springs(mixed, springs, "nearest", 5.0))
    expected = SPRING_RULES["gradient"](displaced, read_springs(displaced, springs, "nearest", 5.0))
    np.testing.assert_allclose(labels.energy_change, expected.energy_change)
    np.testing.assert_allclose(labels.forces, expected.forces[:, order])


def test_same_seed_same_frames(frames, springs):
    first, second = augment(frames, springs, OPTIONS), augment(frames, springs, OPTIONS)
    np.testing.assert_array_equal(first.positions, second.positions)
    other = augment(frames, springs, OPTIONS.model_copy(update={"seed": 6}))
    assert not np.array_equal(first.positions, other.positions)


def test_many_blocks_are_as_good_as_one(frames, springs, monkeypatch):
    monkeypatch.setattr(
        augmented_frames, "blocks", lambda n_frames, n_pairs: [slice(0, 7), slice(7, 8), slice(8, n_frames)]
    )
    made = augment(frames, springs, OPTIONS)
    assert len(made) == 20
    np.testing.assert_allclose(
        made.positions, frames.positions[made.info["parent"]] + made.info["displacement"]
    )


def test_a_parent_may_have_many_copies_with_replacement(frames, springs):
    made = augment(frames, springs, OPTIONS.model_copy(update={"n_frames": 200, "replacement": True}))
    assert len(made) == 200
    assert len(np.unique(made.positions.reshape(200, -1), axis=0)) == 200


def test_extended_xyz_is_read_back_with_its_records(frames, springs, tmp_path):
    made = augment(frames, springs, OPTIONS)
    write_extxyz(made, tmp_path / "augmented.xyz")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random energies do not fit random forces, and the reader says so
        again = load_frames(tmp_path / "augmented.xyz")
    np.testing.assert_allclose(again.positions, made.positions, atol=1e-7)
    np.testing.assert_allclose(again.energies, made.energies, atol=1e-9)
    np.testing.assert_allclose(again.forces, made.forces, atol=1e-7)
    np.testing.assert_array_equal(again.info["parent"], made.info["parent"])
    np.testing.assert_array_equal(again.info["rule"], made.info["rule"])
    np.testing.assert_allclose(again.info["displacement"], made.info["displacement"], atol=1e-7)
    assert len(set(zip(again.group, made.group, strict=True))) == len(set(made.group))


def test_augmented_frames_are_known_by_their_whole_record(frames, springs, tmp_path):
    """The name of one column is nobody's: a user's frames with a `rule` are checked as all others are."""
    made = augment(frames, springs, OPTIONS)
    write_extxyz(made, tmp_path / "augmented.xyz")
    assert is_augmented(read_frames(tmp_path / "augmented.xyz").frames)
    for key in ("rule", "kind", "parent", "displacement"):
        others = {name: values for name, values in made.info.items() if name != key}
        assert not is_augmented(replace(made, info=others))
        assert not is_augmented(replace(made, info={key: made.info[key]}))
    n = len(made)
    for wrong in (
        {"kind": np.full(n, "training")},
        {"rule": np.zeros(n)},
        {"parent": np.full(n, "a")},
        {"parent": np.full(n, -1)},
        {"displacement": np.zeros(made.positions.shape)},
        {"displacement": np.ones(n)},
    ):
        assert not is_augmented(replace(made, info=made.info | wrong))


def test_frames_of_a_user_with_a_column_named_rule_are_checked(tmp_path):
    ethanol = load_frames("ethanol").select(slice(0, 200))
    shuffled = np.random.default_rng(0).permutation(ethanol.energies)
    for n, info in enumerate(({"rule": np.full(200, "published")}, {"rule": np.arange(200)})):
        path = tmp_path / f"{n}.xyz"
        write_extxyz(replace(ethanol, energies=shuffled, info=info), path)
        with pytest.raises(DataError, match="energ"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_frames(path)


def test_missing_springs_are_refused(frames, springs):
    without = Springs(400.0, {"H-O": springs.pairs["H-O"]})
    with pytest.raises(DataError, match="no springs for the element pair H-H"):
        augment(frames, without, OPTIONS)


def test_no_frames_are_refused(frames, springs):
    with pytest.raises(DataError, match="no frames to augment"):
        augment(frames.select(slice(0, 0)), springs, OPTIONS)
