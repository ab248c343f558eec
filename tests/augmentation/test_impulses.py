"""Impulses: how strong, whom they meet, what is conserved, and which rules can follow them."""

from dataclasses import replace

import numpy as np
import pytest
from ase.data import atomic_masses
from scipy import stats

from mdaug.augmentation import AugmentOptions, augment
from mdaug.augmentation.augmented_frames import AugmentedFrameMaker, count, joined
from mdaug.augmentation.impulses import apply_impulses, draw_velocities
from mdaug.augmentation.spring_labels import Labels
from mdaug.data import load_frames
from mdaug.errors import DataError
from mdaug.springs import Springs, fit_springs
from mdaug.units import EV_PER_KCAL_MOL, FS

pytestmark = pytest.mark.slow

OPTIONS = AugmentOptions(n_frames=2, n_stretched=3, n_impulses=8, rule="force-matched")


class Held:
    """Every atom held at its place by a spring."""

    def __init__(self, places, stiffness):
        self.places, self.stiffness = places, stiffness

    def forces_at(self, positions, cells):
        return -self.stiffness * (positions - self.places)


@pytest.fixture(scope="module")
def ethanol():
    return load_frames("ethanol", every=60)


@pytest.fixture(scope="module")
def masses(ethanol):
    return atomic_masses[ethanol.atomic_numbers][:, None]


def test_energies_are_uniform_and_the_whole_stays(ethanol, masses):
    positions = np.tile(ethanol.positions, (20, 1, 1))
    velocities = draw_velocities(positions, masses, 3.0, np.random.default_rng(0))
    energies = 0.5 * np.sum(masses * velocities**2, axis=(1, 2))
    assert stats.kstest(energies, "uniform", (0, 3.0)).pvalue > 1e-3
    momenta = masses * velocities
    np.testing.assert_allclose(momenta.sum(axis=1), 0, atol=1e-10)
    np.testing.assert_allclose(np.cross(positions, momenta).sum(axis=1), 0, atol=1e-9)


def test_one_atom_may_have_it_all_or_each_its_share(ethanol, masses):
    positions = np.tile(ethanol.positions[:1], (800, 1, 1))
    velocities = draw_velocities(positions, masses, 1.0, np.random.default_rng(0))[::2]
    energies = np.sum(masses * velocities**2, axis=-1)
    largest = energies.max(axis=1) / energies.sum(axis=1)
    assert np.mean(largest > 0.8) > 0.05
    assert np.mean(largest < 0.4) > 0.3
    assert len(np.unique(energies.argmax(axis=1))) == 9


def test_of_every_other_frame_two_atoms_collide(ethanol, masses):
    """Towards each other, which turns nothing; any two may be the ones."""
    positions = np.tile(ethanol.positions[:1], (400, 1, 1))
    momenta = masses * draw_velocities(positions, masses, 1.0, np.random.default_rng(0))[1::2]
    fastest = np.sort(np.argsort(np.linalg.norm(momenta, axis=-1), axis=1)[:, -2:], axis=1)
    assert len(np.unique(fastest, axis=0)) == 36
    frame, (i, j) = np.arange(200), fastest.T
    towards = positions[frame, j] - positions[frame, i]
    along = np.sum((momenta[frame, i] - momenta[frame, j]) * towards, axis=1)
    np.testing.assert_allclose(momenta[frame, i], -momenta[frame, j], atol=1e-9)
    np.testing.assert_array_less(0, along)


def test_in_a_cell_two_atoms_collide_through_its_faces_and_turning_stays(masses):
    """Of two atoms 1 Å apart through a face each is driven out of the cell."""
    positions = np.array([[[0.5, 5.0, 5.0], [9.5, 5.0, 5.0]]]).repeat(10, axis=0)
    cells = np.tile(10.0 * np.eye(3), (10, 1, 1))
    velocities = draw_velocities(positions, np.ones((2, 1)), 1.0, np.random.default_rng(0), cells)
    assert np.all(velocities[1::2, 0, 0] < 0)
    np.testing.assert_allclose(velocities.sum(axis=1), 0, atol=1e-12)
    assert np.abs(velocities[::2, :, 1:]).max() > 1e-3


def test_two_atoms_vibrate_and_do_not_turn():
    positions, masses = np.array([[[0.0, 0, 0], [0, 0, 0.74]]]).repeat(5, axis=0), np.ones((2, 1))
    velocities = draw_velocities(positions, masses, 1.0, np.random.default_rng(0))
    np.testing.assert_allclose(velocities[..., :2], 0, atol=1e-12)
    assert np.abs(velocities[..., 2]).min() > 0


@pytest.mark.parametrize(("stiffness", "time_fs", "atol"), [(20.0, 10.0, 2e-3), (2.0, 300.0, 0.03)])
def test_energy_is_conserved_on_the_way(ethanol, masses, stiffness, time_fs, atol):
    """What the springs hold after the time is what a harmonic oscillator holds then."""
    options = OPTIONS.model_copy(update={"impulse_time": time_fs, "impulse_energy": 100.0})
    shift = apply_impulses(ethanol, Held(ethanol.positions, stiffness), options, np.random.default_rng(3))
    potential = 0.5 * stiffness * np.sum(shift**2, axis=(1, 2))
    rng = np.random.default_rng(3)
    velocities = draw_velocities(ethanol.positions, masses, 100.0 * EV_PER_KCAL_MOL, rng)
    time = rng.uniform(0, time_fs, size=(len(ethanol), 1, 1)) * FS
    omega = np.sqrt(stiffness / masses)
    exact = velocities / omega * np.sin(omega * time)
    np.testing.assert_allclose(shift, exact, atol=atol)
    assert potential.max() > 20.0 * EV_PER_KCAL_MOL


@pytest.fixture(scope="module")
def ethanol_springs(ethanol):
    return fit_springs(ethanol)


def test_impulse_frames_come_last_and_stay_in_bounds(ethanol, ethanol_springs):
    options = OPTIONS.model_copy(update={"max_energy": 40.0})
    made = augment(ethanol, ethanol_springs, options)
    assert made.info["kind"].tolist() == ["displacement"] * 2 + ["stretch"] * 3 + ["impulse"] * 8
    rise = (made.energies - ethanol.energies[made.info["parent"]])[-8:]
    assert rise.max() <= 40.0 * EV_PER_KCAL_MOL
    assert rise.max() > 5.0 * EV_PER_KCAL_MOL
    assert np.all(made.info["force_error"] > 0)
    without = augment(ethanol, ethanol_springs, options.model_copy(update={"n_impulses": 0}))
    np.testing.assert_array_equal(made.positions[:5], without.positions)


@pytest.mark.parametrize(("n_molecules", "time_fs"), [(1, 25.0), (2, 500.0), (7, 500.0), (8, 25.0)])
def test_a_few_molecules_get_time_to_turn(n_molecules, time_fs, frames, springs, monkeypatch):
    seen = []

    def watch(maker):
        seen.append(maker.options.impulse_time)
        return []

    monkeypatch.setattr(AugmentedFrameMaker, "with_impulses", watch)
    shifts = np.repeat(6.0 * np.arange(n_molecules)[:, None] * np.eye(3)[:1], 3, axis=0)
    several = replace(
        frames,
        atomic_numbers=np.tile(frames.atomic_numbers, n_molecules),
        positions=np.tile(frames.positions, (1, n_molecules, 1)) + shifts,
        forces=np.tile(frames.forces, (1, n_molecules, 1)),
    )
    pairs = {**springs.pairs, "O-O": springs.pairs["H-H"]}
    options = AugmentOptions(n_frames=2, n_stretched=0, n_impulses=1, rule="gradient")
    augment(several, Springs(springs.temperature_K, pairs), options)
    augment(several, Springs(springs.temperature_K, pairs), options.model_copy(update={"impulse_time": 40.0}))
    assert seen == [time_fs, 40.0]


def test_rules_without_a_potential_make_none(frames, springs):
    options = OPTIONS.model_copy(update={"rule": "gradient"})
    assert set(augment(frames, springs, options).info["kind"]) == {"displacement", "stretch"}
    with pytest.raises(DataError, match=r"'gradient' makes no impulse frames, .*--rule force-matched"):
        augment(frames, springs, options.model_copy(update={"n_frames": 0, "n_stretched": 0}))


class Falling(Held):
    """Labels every second copy far below all frames."""

    def __call__(self, displaced):
        change = np.where(np.arange(len(displaced.parents)) % 2, -100.0, 0.1)
        return Labels(change, displaced.parents.forces, np.ones(len(change)))


def test_frames_in_spurious_minima_of_the_potential_are_drawn_again(ethanol, monkeypatch):
    maker = AugmentedFrameMaker(
        ethanol, Falling(ethanol.positions[:1], 20.0), OPTIONS, np.random.default_rng(0)
    )
    made = joined(maker.with_impulses())
    assert sorted(made.parent) == sorted(set(made.parent))
    np.testing.assert_array_equal(made.labels.energy_change, [0.1] * 8)
    monkeypatch.setattr("mdaug.augmentation.augmented_frames.IMPULSE_ATTEMPTS", 1)
    with pytest.warns(UserWarning, match="4 of 8 impulse frames are left out"):
        assert count(maker.with_impulses()) == 4
