"""Mixtures of Gaussians in one dimension, p(d) = Σ_m w_m N(d; μ_m, σ_m²), and their likelihood's maximum."""

from dataclasses import dataclass

import numpy as np

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


def maximise_likelihood(
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
