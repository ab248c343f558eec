"""Gaussian mixtures of the distances of one element pair: p(d) = Σ_m w_m N(d; μ_m, σ_m²)."""

import warnings
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from mdaug.frames import FloatArray, IntArray

TINY = np.finfo(float).tiny
LEAST_VARIANCE = 1e-9
"""Å²; keeps a component from collapsing on one distance."""


@dataclass(frozen=True)
class Mixture:
    """Components sorted by mean.

    Parameters
    ----------
    means, sigmas
        Shape (..., n_components), Å.
    weights
        Shape (..., n_components), summing to one.
    """

    means: FloatArray
    sigmas: FloatArray
    weights: FloatArray

    def component_densities(self, distances: FloatArray) -> FloatArray:
        """Return w_m N(d; μ_m, σ_m²) in 1/Å, shape (*distances.shape, n_components)."""
        z = (np.asarray(distances)[..., None] - self.means) / self.sigmas
        return self.weights * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * self.sigmas)


def histogram(distances: FloatArray, width: float) -> tuple[FloatArray, IntArray]:
    """Return the centres of the filled bins of about `width` and the bin of each distance."""
    _, first, bins = np.unique(np.floor(distances / width), return_index=True, return_inverse=True)
    return (np.floor(distances[first] / width) + 0.5) * width, bins


def maximize_likelihood(
    distances: FloatArray, counts: FloatArray, start: Mixture, *, tol: float, max_iter: int = 5000
) -> tuple[Mixture, FloatArray]:
    """Run expectation-maximisation for several sets of weights of the same distances at once.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    counts
        Shape (n_sets, n): weight of each distance in each set.
    start
        Mixture to start all sets from, arrays of shape (n_components,).
    tol
        A set stops when its mean log-likelihood rises by less in a step.

    Returns
    -------
    Mixture with arrays of shape (n_sets, n_components), and the mean log-likelihoods, shape (n_sets,).
    """
    shape = (len(counts), len(start.means))
    means, sigmas, weights = (
        np.broadcast_to(a, shape).copy() for a in (start.means, start.sigmas, start.weights)
    )
    likelihood = np.full(len(counts), -np.inf)
    total = counts.sum(1)
    active = np.arange(len(counts))
    for _ in range(max_iter):
        now = Mixture(means[active], sigmas[active], weights[active])
        better, value = _step(distances, counts[active], total[active], now)
        means[active], sigmas[active], weights[active] = better.means, better.sigmas, better.weights
        rising = value - likelihood[active] > tol
        likelihood[active] = value
        active = active[rising]
        if not len(active):
            break
    return Mixture(means, sigmas, weights), likelihood


def _step(
    distances: FloatArray, counts: FloatArray, total: FloatArray, mixture: Mixture
) -> tuple[Mixture, FloatArray]:
    """Do one step for all sets; also return their mean log-likelihood before it."""
    wide = Mixture(mixture.means[:, None], mixture.sigmas[:, None], mixture.weights[:, None])
    densities = wide.component_densities(np.broadcast_to(distances, counts.shape))
    density = densities.sum(-1) + TINY
    share = densities * (counts / density)[..., None]
    mass = share.sum(1) + TINY
    means = np.einsum("bnm,n->bm", share, distances) / mass
    second = np.einsum("bnm,n->bm", share, distances**2) / mass
    sigmas = np.sqrt(np.maximum(second - means**2, LEAST_VARIANCE))
    return Mixture(means, sigmas, mass / total[:, None]), (counts * np.log(density)).sum(1) / total


SCAN_SAMPLES = 20_000
"""Distances used while the number of components is sought."""

STARTS = 2
"""Random starts of a converged fit beside the k-means one."""


def fit_mixture(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    """Fit Gaussians with scikit-learn's defaults: one k-means start, stopped after a few steps (tol 1e-3).

    Parameters
    ----------
    distances
        Shape (n,), Å. Their order changes the start a little; sorted, the fit is that of any order of atoms.
    n_components
        Number of Gaussians.
    seed
        Of the k-means start.
    """
    return _sorted(_fit(GaussianMixture(n_components, random_state=seed), distances[:, None]))


def fit_converged(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    """Fit Gaussians to the maximum of the likelihood.

    scikit-learn gives starts (k-means, and k-means++ with other seeds); expectation-maximisation on a fine
    histogram takes each to the end (steps of the mean log-likelihood below 1e-8), which is far faster than on
    the distances themselves; the best counts.
    """
    starts = [fit_mixture(distances, n_components, seed)]
    if n_components > 1:
        starts += [_random_start(distances, n_components, seed + n) for n in range(STARTS)]
    fits = [_to_the_end(distances, start) for start in starts]
    return max(fits, key=lambda fit: fit[1])[0]


def _random_start(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    model = GaussianMixture(n_components, init_params="k-means++", random_state=seed)
    return _sorted(_fit(model, distances[:, None]))


def _to_the_end(distances: FloatArray, start: Mixture) -> tuple[Mixture, float]:
    centers, bins = histogram(distances, start.sigmas.min() / 30)
    end, likelihood = maximize_likelihood(centers, np.bincount(bins)[None].astype(float), start, tol=1e-8)
    order = np.argsort(end.means[0])
    return Mixture(end.means[0, order], end.sigmas[0, order], end.weights[0, order]), float(likelihood[0])


def choose_n_components(distances: FloatArray, max_components: int, seed: int) -> int:
    """Return the number of components with the lowest Bayesian information criterion.

    Numbers are tried upwards until two in a row bring nothing, each with at least 5 distances a component.
    BIC describes the density: a skewed peak takes two or three components, which `find_peaks` joins again.
    """
    rng = np.random.default_rng(seed)
    if len(distances) > SCAN_SAMPLES:
        distances = np.sort(rng.choice(distances, SCAN_SAMPLES, replace=False))
    samples = distances[:, None]
    most = max(1, min(max_components, len(np.unique(distances)) // 5))
    scores: list[float] = []
    for n_components in range(1, most + 1):
        model = GaussianMixture(n_components, tol=1e-4, max_iter=500, reg_covar=1e-9, random_state=seed)
        scores.append(_fit(model, samples).bic(samples))
        if len(scores) - 1 - int(np.argmin(scores)) >= 2:
            break
    return int(np.argmin(scores)) + 1


def find_peaks(mixture: Mixture, *, dip: float, min_weight: float) -> IntArray:
    """Say which components form one peak of the density.

    Two maxima of the mixture's density are one peak unless the density between them falls below `dip` times
    the lower of the two (the ridgeline ratio of Hennig, Adv. Data Anal. Classif. 4, 3 (2010),
    doi:10.1007/s11634-010-0058-3); a component belongs to the peak on whose side of the valleys its mean is.
    Peaks lighter than `min_weight` get −1.

    Returns
    -------
    Shape (n_components,): number of the peak of each component, from 0 upwards, or −1.
    """
    even = np.linspace(mixture.means[0] - mixture.sigmas[0], mixture.means[-1] + mixture.sigmas[-1], 4001)
    grid = np.union1d(even, mixture.means)  # a component may be narrower than the grid
    density = mixture.component_densities(grid).sum(-1)
    _, peak = np.unique(np.searchsorted(grid[_valleys(density, dip)], mixture.means), return_inverse=True)
    weights = np.bincount(peak, mixture.weights)
    kept = weights >= min(min_weight, weights.max())
    return np.where(kept, np.cumsum(kept) - 1, -1)[peak]


def _valleys(density: FloatArray, dip: float) -> IntArray:
    """Return the places of the minima that part the density into peaks, the shallowest struck out first."""
    inner = density[1:-1]
    tops = np.flatnonzero((inner >= density[:-2]) & (inner > density[2:])) + 1
    while len(tops) > 1:
        valleys = np.array([left + density[left:right].argmin() for left, right in pairwise(tops)])
        depth = density[valleys] / np.minimum(density[tops[:-1]], density[tops[1:]])
        shallowest = int(depth.argmax())
        if depth[shallowest] < dip:
            return valleys
        pair = tops[shallowest : shallowest + 2]
        tops = np.delete(tops, shallowest + density[pair].argmin())
    return np.empty(0, dtype=np.int64)


def join(mixture: Mixture, peak: IntArray) -> Mixture:
    """Replace the components of each peak by the one Gaussian of the same weight, mean and variance.

    Works on mixtures with leading dimensions; components with peak −1 are left out and the weights scaled.
    """
    member = (peak[:, None] == np.arange(peak.max() + 1)).astype(float)
    weights = mixture.weights @ member
    means = (mixture.weights * mixture.means) @ member / weights
    second = (mixture.weights * (mixture.sigmas**2 + mixture.means**2)) @ member / weights
    sigmas = np.sqrt(np.maximum(second - means**2, 0.0))
    return Mixture(means, sigmas, weights / weights.sum(-1, keepdims=True))


def _fit(model: GaussianMixture, samples: FloatArray) -> GaussianMixture:
    with warnings.catch_warnings():
        # stopping early is what was asked for; equal distances are reported by the caller with their pair
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(samples)


def _sorted(model: GaussianMixture) -> Mixture:
    means, variances = model.means_[:, 0], model.covariances_[:, 0, 0]
    order = np.argsort(means)
    return Mixture(means[order], np.sqrt(variances[order]), model.weights_[order])


BINS_PER_SIGMA = 10
"""Bin width against the narrowest component: adds 1/1200 to its variance."""


def bootstrap_mixtures(
    distances: FloatArray, frame: IntArray, start: Mixture, n_resamplings: int, seed: int
) -> Mixture:
    """Refit `start` to resampled frames.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    frame
        Shape (n,): which frame (or group of frames drawn together) each distance belongs to.
    start
        Converged mixture of all distances.

    Returns
    -------
    Mixture with arrays of shape (n_resamplings, n_components).
    """
    centers, bins = histogram(distances, start.sigmas.min() / BINS_PER_SIGMA)
    _, unit = np.unique(frame, return_inverse=True)
    n_units = unit.max() + 1
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamplings)
    counts = np.array([np.bincount(bins, weights=drawn[unit], minlength=len(centers)) for drawn in draws])
    return maximize_likelihood(centers, counts, start, tol=1e-7)[0]
