"""Our expectation-maximisation against scikit-learn's."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn.mixture import GaussianMixture

from mdaug.springs.likelihood import Mixture, histogram, maximise_likelihood

TRUTH = Mixture(np.array([1.0, 1.45, 2.2]), np.array([0.05, 0.2, 0.12]), np.array([0.3, 0.5, 0.2]))


def sample(n, seed=0):
    rng = np.random.default_rng(seed)
    component = rng.choice(3, n, p=TRUTH.weights)
    return rng.normal(TRUTH.means[component], TRUTH.sigmas[component])


def test_density_integrates_to_one():
    grid = np.linspace(-1, 5, 6001)
    assert trapezoid(TRUTH.component_densities(grid), grid, axis=0) == pytest.approx(TRUTH.weights)


def test_maximum_is_the_one_that_scikit_learn_finds():
    distances = sample(4000)
    model = GaussianMixture(
        3,
        tol=1e-10,
        max_iter=10_000,
        reg_covar=1e-12,
        means_init=TRUTH.means[:, None],
        weights_init=TRUTH.weights,
        precisions_init=1 / TRUTH.sigmas[:, None, None] ** 2,
    ).fit(distances[:, None])
    ours, likelihood = maximise_likelihood(distances, np.ones((1, len(distances))), TRUTH, tol=1e-10)
    np.testing.assert_allclose(ours.means[0], model.means_[:, 0], rtol=1e-4)
    np.testing.assert_allclose(ours.sigmas[0] ** 2, model.covariances_[:, 0, 0], rtol=1e-3)
    np.testing.assert_allclose(ours.weights[0], model.weights_, rtol=1e-3)
    assert likelihood[0] == pytest.approx(model.score(distances[:, None]), abs=1e-6)


def test_weights_count_as_repetitions():
    distances = sample(500)
    times = np.random.default_rng(1).integers(0, 4, size=(2, 500))
    together, _ = maximise_likelihood(distances, times.astype(float), TRUTH, tol=1e-9)
    for row, counts in enumerate(times):
        repeated = np.repeat(distances, counts)
        alone, _ = maximise_likelihood(repeated, np.ones((1, len(repeated))), TRUTH, tol=1e-9)
        np.testing.assert_allclose(together.sigmas[row], alone.sigmas[0], rtol=1e-9)
        np.testing.assert_allclose(together.means[row], alone.means[0], rtol=1e-9)


def test_histogram_keeps_every_distance_within_half_a_bin():
    distances = sample(1000)
    centers, bins = histogram(distances, 0.01)
    assert len(np.unique(bins)) == len(centers)
    assert np.abs(centers[bins] - distances).max() <= 0.005 + 1e-12


def test_a_component_does_not_collapse_on_one_distance():
    start = Mixture(np.array([1.0, 2.0]), np.array([0.1, 0.1]), np.array([0.5, 0.5]))
    end, _ = maximise_likelihood(np.array([1.0, 1.1, 1.2, 2.0]), np.ones((1, 4)), start, tol=1e-9)
    assert np.all(end.sigmas > 1e-5)
