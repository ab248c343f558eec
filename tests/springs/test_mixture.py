"""How many peaks a distribution has, and joining of what is one peak."""

import numpy as np
import pytest

from mdaug.springs.likelihood import Mixture
from mdaug.springs.mixture import _valleys, choose_n_components, find_peaks, fit_converged, fit_mixture, join


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
