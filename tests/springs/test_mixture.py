"""How many peaks a distribution has, and joining of what is one peak."""

import numpy as np
import pytest
from scipy.integrate import trapezoid
from sklearn.mixture import GaussianMixture

from mdaug.springs.mixture import (
    Mixture,
    _valleys,
    bootstrap_mixtures,
    choose_n_components,
    find_peaks,
    fit_converged,
    fit_mixture,
    histogram,
    join,
    maximize_likelihood,
)


def mixture(*components):
    weights, means, sigmas = np.array(components).T
    return Mixture(means, sigmas, weights)


def peaks_of(distances, seed=0):
    n_components = choose_n_components(distances, 12, seed)
    fit = fit_converged(distances, n_components, seed)
    return join(fit, find_peaks(fit, dip=0.9, min_weight=0.002))


@pytest.mark.parametrize("fit", [fit_mixture, fit_converged])
def test_one_component_is_mean_and_variance(fit):
    distances = np.random.default_rng(0).normal(1.5, 0.05, 400)
    found = fit(distances, 1, 0)
    assert found.means == pytest.approx([distances.mean()], rel=1e-4)
    assert found.sigmas == pytest.approx([distances.std()], rel=2e-3)


def test_converged_fit_is_more_likely_than_the_default_one():
    rng = np.random.default_rng(0)
    distances = np.concatenate([rng.normal(2.5, 0.2, 3000), rng.normal(3.0, 0.1, 1500)])

    def likelihood(fit):
        return np.log(fit.component_densities(distances).sum(-1)).mean()

    assert likelihood(fit_converged(distances, 3, 0)) > likelihood(fit_mixture(distances, 3, 0)) + 1e-4


def test_components_are_sorted():
    rng = np.random.default_rng(2)
    distances = np.concatenate([rng.normal(3, 0.1, 500), rng.normal(1, 0.1, 200), rng.normal(2, 0.1, 300)])
    for fit in (fit_mixture, fit_converged):
        assert fit(distances, 3, 5).means == pytest.approx([1, 2, 3], abs=0.03)


def test_shoulders_are_joined_and_dips_part():
    # 1.00 and 1.08 overlap without a dip; 1.6 stands alone
    peaks = find_peaks(
        mixture((0.4, 1.0, 0.05), (0.3, 1.08, 0.07), (0.3, 1.6, 0.1)), dip=0.9, min_weight=0.002
    )
    assert peaks.tolist() == [0, 0, 1]


def test_a_filler_between_two_peaks_does_not_bridge_them():
    wide = mixture((0.45, 1.0, 0.1), (0.1, 1.4, 0.3), (0.45, 1.8, 0.1))
    peaks = find_peaks(wide, dip=0.9, min_weight=0.002)
    assert peaks[0] != peaks[2]


def test_dip_is_the_depth_asked_for():
    two = mixture((0.5, 1.0, 0.1), (0.5, 1.24, 0.1))
    d = np.linspace(1.0, 1.24, 1001)
    density = two.component_densities(d).sum(-1)
    depth = density.min() / density.max()
    assert find_peaks(two, dip=depth + 0.01, min_weight=0).tolist() == [0, 1]
    assert find_peaks(two, dip=depth - 0.01, min_weight=0).tolist() == [0, 0]


def test_of_two_maxima_without_a_dip_the_higher_counts():
    # the bump of 0.5 beside the peak of 1 must not make the valley before the peak of 0.6 look shallow
    density = np.interp(np.arange(61), np.arange(0, 61, 10), [0, 1, 0.48, 0.5, 0.46, 0.6, 0])
    assert _valleys(density, 0.9).tolist() == [40]
    assert _valleys(density[::-1], 0.9).tolist() == [20]


def test_peaks_of_next_to_no_weight_are_left_out():
    outlier = mixture((0.999, 1.0, 0.05), (0.001, 3.0, 0.01))
    assert find_peaks(outlier, dip=0.9, min_weight=0.002).tolist() == [0, -1]
    assert join(outlier, np.array([0, -1])).weights == pytest.approx([1.0])


def test_joined_peak_has_the_mean_and_variance_of_its_components():
    rng = np.random.default_rng(0)
    a, b = rng.normal(1.0, 0.1, 30_000), rng.normal(1.2, 0.2, 70_000)
    joined = join(mixture((0.3, 1.0, 0.1), (0.7, 1.2, 0.2)), np.array([0, 0]))
    both = np.concatenate([a, b])
    assert joined.means == pytest.approx([both.mean()], abs=0.003)
    assert joined.sigmas == pytest.approx([both.std()], rel=0.01)


def test_a_skewed_peak_stays_one_spring():
    # the thermal distribution of an anharmonic bond: BIC alone would split it
    rng = np.random.default_rng(0)
    distances = 1.0 + 0.15 * rng.gamma(6.0, 0.2, 5000)
    assert choose_n_components(distances, 12, 0) > 1
    found = peaks_of(distances)
    assert len(found.means) == 1
    assert found.sigmas == pytest.approx([distances.std()], rel=0.01)


def test_separate_peaks_are_all_found_whatever_the_seed():
    rng = np.random.default_rng(1)
    distances = np.concatenate([rng.normal(m, 0.08, 600) for m in (1.0, 1.5, 2.1, 2.9)])
    for seed in range(3):
        assert peaks_of(distances, seed).means == pytest.approx([1.0, 1.5, 2.1, 2.9], abs=0.02)


def test_few_distances_get_few_components():
    assert choose_n_components(np.array([1.0, 1.1, 1.2, 1.3]), 12, 0) == 1


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
    ours, likelihood = maximize_likelihood(distances, np.ones((1, len(distances))), TRUTH, tol=1e-10)
    np.testing.assert_allclose(ours.means[0], model.means_[:, 0], rtol=1e-4)
    np.testing.assert_allclose(ours.sigmas[0] ** 2, model.covariances_[:, 0, 0], rtol=1e-3)
    np.testing.assert_allclose(ours.weights[0], model.weights_, rtol=1e-3)
    assert likelihood[0] == pytest.approx(model.score(distances[:, None]), abs=1e-6)


def test_weights_count_as_repetitions():
    distances = sample(500)
    times = np.random.default_rng(1).integers(0, 4, size=(2, 500))
    together, _ = maximize_likelihood(distances, times.astype(float), TRUTH, tol=1e-9)
    for row, counts in enumerate(times):
        repeated = np.repeat(distances, counts)
        alone, _ = maximize_likelihood(repeated, np.ones((1, len(repeated))), TRUTH, tol=1e-9)
        np.testing.assert_allclose(together.sigmas[row], alone.sigmas[0], rtol=1e-9)
        np.testing.assert_allclose(together.means[row], alone.means[0], rtol=1e-9)


def test_histogram_keeps_every_distance_within_half_a_bin():
    distances = sample(1000)
    centers, bins = histogram(distances, 0.01)
    assert len(np.unique(bins)) == len(centers)
    assert np.abs(centers[bins] - distances).max() <= 0.005 + 1e-12


def test_a_component_does_not_collapse_on_one_distance():
    start = Mixture(np.array([1.0, 2.0]), np.array([0.1, 0.1]), np.array([0.5, 0.5]))
    end, _ = maximize_likelihood(np.array([1.0, 1.1, 1.2, 2.0]), np.ones((1, 4)), start, tol=1e-9)
    assert np.all(end.sigmas > 1e-5)


def one(distances):
    return Mixture(np.array([distances.mean()]), np.array([distances.std()]), np.ones(1))


def test_spread_of_independent_distances_is_the_standard_error():
    distances = np.random.default_rng(0).normal(1.5, 0.1, 1000)
    resampled = bootstrap_mixtures(distances, np.arange(1000), one(distances), 400, 0)
    assert resampled.means.std() == pytest.approx(0.1 / np.sqrt(1000), rel=0.15)
    assert resampled.sigmas.std() == pytest.approx(0.1 / np.sqrt(2000), rel=0.15)


def test_frames_are_drawn_not_pairs():
    # ten equal distances in every frame are no more information than one
    distances = np.repeat(np.random.default_rng(0).normal(1.5, 0.1, 100), 10)
    resampled = bootstrap_mixtures(distances, np.repeat(np.arange(100), 10), one(distances), 400, 0)
    assert resampled.means.std() == pytest.approx(0.1 / np.sqrt(100), rel=0.2)


def test_same_seed_same_intervals():
    distances = np.random.default_rng(0).normal(1.5, 0.1, 50)
    first, second, other = (
        bootstrap_mixtures(distances, np.arange(50), one(distances), 5, seed) for seed in (7, 7, 8)
    )
    np.testing.assert_array_equal(first.sigmas, second.sigmas)
    assert not np.array_equal(first.sigmas, other.sigmas)
