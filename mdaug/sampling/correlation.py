"""How long a series remembers: the integrated autocorrelation time."""

import numpy as np

from mdaug.frames import FloatArray


def autocorrelation(series: FloatArray) -> FloatArray:
    """Return the normalised autocorrelation C(t), C(0) = 1, of an equally spaced series, shape (n,)."""
    fluctuation = np.asarray(series, dtype=np.float64) - np.mean(series)
    n = len(fluctuation)
    spectrum = np.fft.rfft(fluctuation, n=2 * n)  # padded: no wrap-around
    covariance = np.fft.irfft(np.abs(spectrum) ** 2)[:n] / np.arange(n, 0, -1)
    return covariance / covariance[0] if covariance[0] > 0 else np.eye(1, n)[0]


def correlation_time(correlation: FloatArray, window: float = 5.0) -> float:
    """Return the integrated autocorrelation time ½ + Σ C(t), in steps, of a given C(t).

    The sum ends at the first t ≥ `window`·τ(t), where noise would begin to dominate (Sokal's automatic
    window, DOI 10.1007/978-1-4899-0319-8_6). Uncorrelated values have ½; a mean of n values has the error
    of a mean of n/(2τ) independent ones.
    """
    tau = np.cumsum(correlation) - 0.5
    beyond = np.arange(len(tau)) >= window * tau
    return float(max(tau[np.argmax(beyond)] if beyond.any() else tau[-1], 0.5))
