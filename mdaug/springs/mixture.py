"""Gaussian mixtures of the distances of one element pair: p(d) = Σ_m w_m N(d; μ_m, σ_m²).

Their fit by maximum likelihood, the number of components, the peaks they form, and refits to resampled
frames.
"""

import warnings
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from mdaug.frames import FloatArray, IntArray

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

TINY = np.finfo(float).tiny

SMALLEST_VARIANCE = 1e-9
"""Å²; prevents the collapse of a component onto one distance."""

SCAN_SAMPLES = 20_000
"""Largest number of distances used to choose the number of components."""

STARTS = 2
"""Random starts of a converged fit besides the k-means one."""

MAX_STEPS = 5000
"""Largest number of steps of a fit."""

BINS_PER_SIGMA = 10
"""Bins per width of the narrowest component in the bootstrap; the binning adds 1/1200 to its variance."""


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
        """Return w_m N(d; μ_m, σ_m²) of each component.

        Parameters
        ----------
        distances
            Any shape, Å.

        Returns
        -------
        densities
            Shape (*distances.shape, n_components), 1/Å.
        """
        z = (np.asarray(distances)[..., None] - self.means) / self.sigmas
        return self.weights * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * self.sigmas)


def fit_mixture(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    """Fit Gaussians with scikit-learn's defaults: one k-means start, stopped after a few steps (tol 1e-3).

    Parameters
    ----------
    distances
        Shape (n,), Å. Their order slightly changes the start; sort them for a fit that does not depend on the
        order of atoms.
    n_components
        Number of Gaussians.
    seed
        Seed of the k-means start.
    """
    return _sorted(_fit(_gaussian_mixture(n_components, random_state=seed), distances[:, None]))


def fit_converged(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    """Fit Gaussians to the maximum of the likelihood.

    Starts come from scikit-learn (k-means, and k-means++ with other seeds). From each,
    expectation-maximization on a fine histogram, which is much faster than on the distances, runs until the
    mean log-likelihood rises by less than 1e-8 in a step; the most likely fit is returned.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    n_components
        Number of Gaussians.
    seed
        Seed of the starts.
    """
    starts = [fit_mixture(distances, n_components, seed)]
    if n_components > 1:
        starts += [_random_start(distances, n_components, seed + n) for n in range(STARTS)]
    fits = [_to_convergence(distances, start) for start in starts]
    return max(fits, key=lambda fit: fit[1])[0]


def choose_n_components(distances: FloatArray, max_components: int, seed: int) -> int:
    """Return the number of components with the lowest Bayesian information criterion.

    Increasing numbers are tried until two in a row bring no improvement, each with at least 5 distances per
    component. The criterion describes the density: a skewed peak needs two or three components, which
    `find_peaks` joins again.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    max_components
        Largest number tried.
    seed
        Seed of the fits, and of the random subset if there are more than `SCAN_SAMPLES` distances.
    """
    rng = np.random.default_rng(seed)
    if len(distances) > SCAN_SAMPLES:
        distances = np.sort(rng.choice(distances, SCAN_SAMPLES, replace=False))
    samples = distances[:, None]
    most = max(1, min(max_components, len(np.unique(distances)) // 5))
    scores: list[float] = []
    for n_components in range(1, most + 1):
        model = _gaussian_mixture(n_components, tol=1e-4, max_iter=500, reg_covar=1e-9, random_state=seed)
        scores.append(_fit(model, samples).bic(samples))
        if len(scores) - 1 - int(np.argmin(scores)) >= 2:
            break
    return int(np.argmin(scores)) + 1


def find_peaks(mixture: Mixture, *, dip: float, min_weight: float) -> IntArray:
    """Return which components form one peak of the density.

    Two maxima of the mixture's density are one peak unless the density between them falls below `dip` times
    the lower of the two (the ridgeline ratio of Hennig, Adv. Data Anal. Classif. 4, 3 (2010),
    doi:10.1007/s11634-010-0058-3). A component belongs to the peak on whose side of the valleys its mean is.

    Parameters
    ----------
    mixture
        One mixture, arrays of shape (n_components,).
    dip
        Between 0 and 1.
    min_weight
        Lighter peaks are left out.

    Returns
    -------
    peak
        Shape (n_components,): number of the peak of each component, from 0 upwards; −1 if it is left out.
    """
    even = np.linspace(mixture.means[0] - mixture.sigmas[0], mixture.means[-1] + mixture.sigmas[-1], 4001)
    grid = np.union1d(even, mixture.means)  # a component may be narrower than the spacing of the grid
    density = mixture.component_densities(grid).sum(-1)
    _, peak = np.unique(np.searchsorted(grid[_valleys(density, dip)], mixture.means), return_inverse=True)
    weights = np.bincount(peak, mixture.weights)
    kept = weights >= min(min_weight, weights.max())
    return np.where(kept, np.cumsum(kept) - 1, -1)[peak]


def join(mixture: Mixture, peak: IntArray) -> Mixture:
    """Replace the components of each peak by one Gaussian of the same weight, mean and variance.

    Parameters
    ----------
    mixture
        Arrays of shape (..., n_components).
    peak
        Shape (n_components,), from `find_peaks`. Components with −1 are left out and the weights rescaled.

    Returns
    -------
    joined
        Arrays of shape (..., n_peaks).
    """
    member = (peak[:, None] == np.arange(peak.max() + 1)).astype(float)
    weights = mixture.weights @ member
    means = (mixture.weights * mixture.means) @ member / weights
    second = (mixture.weights * (mixture.sigmas**2 + mixture.means**2)) @ member / weights
    sigmas = np.sqrt(np.maximum(second - means**2, 0.0))
    return Mixture(means, sigmas, weights / weights.sum(-1, keepdims=True))


def bootstrap_mixtures(
    distances: FloatArray, frame: IntArray, start: Mixture, n_resamplings: int, seed: int
) -> Mixture:
    """Refit a mixture to resampled frames.

    Whole frames are drawn with replacement, as the distances within one frame are correlated. All refits
    start from the fit of all frames and run as one expectation-maximization on a fine histogram.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    frame
        Shape (n,): index of the frame (or of the group of frames drawn together) of each distance.
    start
        Converged mixture of all distances.
    n_resamplings
        Number of refits.
    seed
        Seed of the draws.

    Returns
    -------
    mixtures
        Arrays of shape (n_resamplings, n_components).
    """
    centers, bins = histogram(distances, start.sigmas.min() / BINS_PER_SIGMA)
    _, unit = np.unique(frame, return_inverse=True)
    n_units = unit.max() + 1
    rng = np.random.default_rng(seed)
    draws = rng.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_resamplings)
    counts = np.array([np.bincount(bins, weights=drawn[unit], minlength=len(centers)) for drawn in draws])
    return maximize_likelihood(centers, counts, start, tol=1e-7)[0]


def histogram(distances: FloatArray, width: float) -> tuple[FloatArray, IntArray]:
    """Return the bins that contain distances.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    width
        Width of a bin, Å.

    Returns
    -------
    centers
        Centers of the filled bins, shape (n_bins,), Å.
    bins
        Index into `centers` for each distance, shape (n,).
    """
    _, first, bins = np.unique(np.floor(distances / width), return_index=True, return_inverse=True)
    return (np.floor(distances[first] / width) + 0.5) * width, bins


def maximize_likelihood(
    distances: FloatArray, counts: FloatArray, start: Mixture, *, tol: float
) -> tuple[Mixture, FloatArray]:
    """Run expectation-maximization for several sets of weights of the same distances at once.

    Parameters
    ----------
    distances
        Shape (n,), Å.
    counts
        Shape (n_sets, n): weight of each distance in each set.
    start
        Start of all sets, arrays of shape (n_components,).
    tol
        A set has converged when its mean log-likelihood rises by less than this in a step.

    Returns
    -------
    mixtures
        Arrays of shape (n_sets, n_components).
    likelihoods
        Mean log-likelihoods, shape (n_sets,).
    """
    shape = (len(counts), len(start.means))
    means, sigmas, weights = (
        np.broadcast_to(a, shape).copy() for a in (start.means, start.sigmas, start.weights)
    )
    likelihood = np.full(len(counts), -np.inf)
    total = counts.sum(1)
    active = np.arange(len(counts))
    for _ in range(MAX_STEPS):
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
    sigmas = np.sqrt(np.maximum(second - means**2, SMALLEST_VARIANCE))
    return Mixture(means, sigmas, mass / total[:, None]), (counts * np.log(density)).sum(1) / total


def _random_start(distances: FloatArray, n_components: int, seed: int) -> Mixture:
    model = _gaussian_mixture(n_components, init_params="k-means++", random_state=seed)
    return _sorted(_fit(model, distances[:, None]))


def _to_convergence(distances: FloatArray, start: Mixture) -> tuple[Mixture, float]:
    centers, bins = histogram(distances, start.sigmas.min() / 30)
    end, likelihood = maximize_likelihood(centers, np.bincount(bins)[None].astype(float), start, tol=1e-8)
    order = np.argsort(end.means[0])
    return Mixture(end.means[0, order], end.sigmas[0, order], end.weights[0, order]), float(likelihood[0])


def _valleys(density: FloatArray, dip: float) -> IntArray:
    """Return the minima that separate the density into peaks, after removal of the shallow ones."""
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


def _gaussian_mixture(n_components: int, **options: object) -> "GaussianMixture":
    from sklearn.mixture import GaussianMixture  # the import takes a second

    return GaussianMixture(n_components, **options)


def _fit(model: "GaussianMixture", samples: FloatArray) -> "GaussianMixture":
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        # fits stop early on purpose; the caller reports equal distances and names the element pair
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(samples)


def _sorted(model: "GaussianMixture") -> Mixture:
    means, variances = model.means_[:, 0], model.covariances_[:, 0, 0]
    order = np.argsort(means)
    return Mixture(means[order], np.sqrt(variances[order]), model.weights_[order])
