"""How often frames occur in an epoch, for trainers that take all frames as equally important."""

import numpy as np

from mdaug.frames import FloatArray, IntArray


def occurrences(weights: FloatArray, repeats: int) -> IntArray:
    """Return how often each frame occurs in an epoch.

    Numbers are rounded so that the sum over any run of consecutive frames deviates by less than one from the
    sum of weights times `repeats`.

    Parameters
    ----------
    weights
        Weights of the frames, shape (n_frames,).
    repeats
        Occurrences of a frame of weight 1.

    Returns
    -------
    counts
        Shape (n_frames,).
    """
    # 1e-9: sums such as 50 · 0.02 must not be rounded down
    ends = np.floor(np.cumsum(weights * repeats) + 0.5 + 1e-9).astype(np.int64)
    return np.diff(ends, prepend=0)
