import numpy as np
import pytest

from mdaug.analysis.distributions import Sample, distance_histogram_error, populations

NO_TORSIONS = np.empty((0, 4), dtype=np.int64)


def sample(x, *, keep_longer):
    """Three atoms on a line at `x`."""
    positions = np.zeros((1, 3, 3))
    positions[0, :, 0] = x
    pooled = Sample(NO_TORSIONS, 0.05 * np.arange(101), keep_longer=keep_longer)
    pooled.add(positions, None)
    return pooled


def test_pairs_beyond_the_last_bin_are_not_forgotten_in_a_molecule():
    near = sample([0.0, 1.02, 2.04], keep_longer=True)
    flown = sample([0.0, 1.02, 40.0], keep_longer=True)
    assert flown.density @ np.diff(flown.edges_A) == pytest.approx(1.0)
    assert distance_histogram_error(near, flown) == pytest.approx(2 * 2 / 3)  # two of three pairs moved


def test_pairs_beyond_half_a_cell_are_left_out():
    assert sample([0.0, 1.02, 40.0], keep_longer=False).density.max() == pytest.approx(1 / 0.05)


def test_wells_of_torsions():
    angles = np.array([180.0, -180.0, 120.0, 119.9, 0.0, -0.1, -119.9, -120.0])
    assert populations(angles) == pytest.approx({"trans": 0.5, "gauche+": 0.25, "gauche-": 0.25})
