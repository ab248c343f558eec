"""How sure the springs are: the frames are drawn again and again with replacement, and the fit repeated.

Frames are drawn, not pairs, as the distances within one frame are correlated. Refits start from the fit of
all frames and run as one expectation-maximisation over all resamplings on a fine histogram, which is what
makes a hundred of them cheap.
"""

import numpy as np

from mdaug.frames import FloatArray, IntArray
from mdaug.springs.likelihood import Mixture, histogram, maximise_likelihood

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
    return maximise_likelihood(centers, counts, start, tol=1e-7)[0]
