"""The slope of a series that scatters about a line and wanders away from it as well."""

import numpy as np
from scipy import optimize, stats

from mdaug.frames import FloatArray

RATIOS = np.concatenate([[0.0], np.logspace(-4.0, 3.0, 15)])
"""Variance of a step of the wandering / variance of the scatter, of block means: what is thought possible."""


def slope_with_interval(x: FloatArray, means: FloatArray) -> tuple[float, tuple[float, float]]:
    """Return the slope of the means (n,) of equal blocks centred at x (n,), n ≥ 4, and its 95 % interval.

    The series is thought of as line + scatter + random walk (the local level model with a trend: Harvey,
    DOI 10.1017/CBO9781107049994). For each ratio of walk to scatter generalised least squares give the slope
    and Student's t with n − 2 degrees of freedom; as the ratio is not known, the answer is the mean over
    `RATIOS`, each weighted by the restricted likelihood of the data.
    """
    n = len(means)
    design = np.stack([np.ones(n), x - x.mean()], axis=1)
    walk = _covariance_of_means(n)
    fits = [_generalised(design, means, np.eye(n) + ratio * walk) for ratio in RATIOS]
    log_likelihoods, slopes, errors = map(np.array, zip(*fits, strict=True))
    weights = np.exp(log_likelihoods - log_likelihoods.max())
    weights /= weights.sum()
    slope = float(weights @ slopes)
    reach = abs(slopes - slope).max() + 1e3 * errors.max()

    def quantile(p: float) -> float:
        def excess(value: float) -> float:
            return float(weights @ stats.t.cdf((value - slopes) / errors, n - 2)) - p

        return float(optimize.brentq(excess, slope - reach, slope + reach, xtol=1e-9 * reach))

    return slope, (quantile(0.025), quantile(0.975)) if errors.max() > 0 else (slope, slope)


def _covariance_of_means(n: int) -> FloatArray:
    """Of the means of n blocks of a Brownian motion that gains unit variance in each, (n, n)."""
    block = np.arange(n)
    covariance = np.minimum(block[:, None], block) + 0.5
    covariance[block, block] = block + 1.0 / 3.0
    return covariance


def _generalised(design: FloatArray, means: FloatArray, covariance: FloatArray) -> tuple[float, ...]:
    """Return the log restricted likelihood, the slope and its standard error."""
    lower = np.linalg.cholesky(covariance)
    whitened, target = np.linalg.solve(lower, design), np.linalg.solve(lower, means)
    normal = whitened.T @ whitened
    line = np.linalg.solve(normal, whitened.T @ target)
    residual = target - whitened @ line
    freedom = len(means) - 2
    variance = float(residual @ residual) / freedom
    log_likelihood = (
        -np.log(np.diag(lower)).sum()
        - 0.5 * np.linalg.slogdet(normal)[1]
        - 0.5 * freedom * np.log(max(variance, np.finfo(float).tiny))
    )
    return log_likelihood, line[1], float(np.sqrt(variance * np.linalg.inv(normal)[1, 1]))
