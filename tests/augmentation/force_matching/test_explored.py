"""Visited frames are kept where a model gives too little, and labeled by the matched force field."""

import numpy as np
import pytest

from mdaug.augmentation.explored import ExploreOptions, label_spurious_minima, sound_field
from mdaug.units import EV_PER_KCAL_MOL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def visited(ethanol_frames, matched):
    """Four frames of the set with O-H longer by up to 0.6 Å, and what the matched force field gives them."""
    positions = ethanol_frames.positions[:4].copy()
    along = positions[:, 8] - positions[:, 2]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    positions[:, 8] += np.array([0.0, 0.2, 0.4, 0.6])[:, None] * along
    zero = np.mean(ethanol_frames.energies - matched.evaluate(ethanol_frames.positions)[0])
    energies, forces = matched.evaluate(positions)
    return positions, energies + zero, forces


def test_only_wells_are_kept_and_labelled_by_the_force_field(ethanol_frames, visited):
    positions, energies, forces = visited
    field = sound_field(ethanol_frames, 5.0)
    below = np.array([10.0, 2.0, 10.0, -10.0]) * EV_PER_KCAL_MOL
    found = label_spurious_minima(
        field, ethanol_frames, positions, energies - below, ExploreOptions(weight=0.01)
    )
    np.testing.assert_array_equal(found.positions, positions[[0, 2]])
    np.testing.assert_allclose(found.energies, energies[[0, 2]], atol=1e-9)
    np.testing.assert_allclose(found.forces, forces[[0, 2]], atol=1e-9)
    np.testing.assert_array_equal(found.weights, [0.01, 0.01])


def test_frames_that_are_too_high_are_left_and_the_seed_draws(ethanol_frames, visited):
    positions, energies, _ = visited
    field = sound_field(ethanol_frames, 5.0)
    rise = (energies - ethanol_frames.energies.min()) / EV_PER_KCAL_MOL
    assert rise.argmax() == 3
    predicted = energies - 10.0 * EV_PER_KCAL_MOL
    options = ExploreOptions(max_energy=float(rise[:3].max()) + 0.1)
    assert len(label_spurious_minima(field, ethanol_frames, positions, predicted, options)) == 3
    drawn = [
        label_spurious_minima(
            field, ethanol_frames, positions, predicted, ExploreOptions(n_kept=2, seed=seed)
        ).energies
        for seed in (0, 0, 1, 2, 3)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert len({tuple(one) for one in drawn}) > 1


def test_bonds_break_at_the_cutoff_of_the_model(ethanol_frames):
    """O-H at 2.0 Å: with a cutoff of 2.2 Å it is nearer to the energy of a broken bond."""
    positions = ethanol_frames.positions[:1].copy()
    along = positions[:, 8] - positions[:, 2]
    positions[:, 8] = positions[:, 2] + 2.0 * along / np.linalg.norm(along)
    options = ExploreOptions(max_energy=1000.0)
    labels = [
        label_spurious_minima(
            sound_field(ethanol_frames, cutoff), ethanol_frames, positions, np.full(1, -np.inf), options
        ).energies[0]
        for cutoff in (5.0, 2.2)
    ]
    assert abs(labels[1] - labels[0]) > 1.0 * EV_PER_KCAL_MOL
