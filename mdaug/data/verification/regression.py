"""Regression of energies against those predicted from forces, leaving out what stands out; correlation."""

from dataclasses import dataclass

import numpy as np

from mdaug.frames import FloatArray
from mdaug.geometry.bonds import BoolArray
from mdaug.verdicts import Level

OUTLIER_MADS = 8.0
"""Frames beyond this many median absolute deviations (times 1.48) from the others stand out."""

CLEAR = 0.6
"""Correlation of given and predicted energies beyond which scale and sign are measured (clean sets: 0.75 to
0.99)."""

SCALE_LIMITS = (0.7, 1.43)
"""Of the slope of energies against predicted energies."""

LEAST_FACTOR = 1.6
"""Wrong units change the slope by a greater factor (Bohr for Å: 1.89)."""

EXPECTED_OF_RELIABILITY = 0.7
"""Least correlation of given energies with predicted ones, relative to the square root of the reliability of
these. In clean sets it is 0.95 to 1.2 of that root."""

STANDARD_ERRORS = 3.0
"""Of a correlation, or the logarithm of a slope, by which it is beyond its limit where energies are surely
wrong."""

MAX_LEFT_OUT = 0.1
"""Share of the frames that are left out at most."""


@dataclass(frozen=True)
class Regression:
    """Energies (eV) of frames against those predicted from forces."""

    correlation: float
    slope: float
    residual: FloatArray
    """Shape (n,), eV: energies minus slope times predicted energies, median zero."""
    scatter: float
    """Robust standard deviation of `residual`, eV."""

    @property
    def log_error(self) -> float:
        """Uncertainty of the logarithm of the slope from errors of the predictions."""
        return -float(np.log(max(abs(self.correlation), 1e-3)))

    @property
    def slopes(self) -> tuple[float, float]:
        """Lowest and highest slope.

        Errors of the predictions lower the slope of one regression by the correlation and raise that of the
        other.
        """
        certain = max(abs(self.correlation), 1e-3)
        low, high = sorted((self.slope * certain, self.slope / certain))
        return low, high

    def is_surely_beyond(self, limits: tuple[float, float], n: int) -> bool:
        """Return whether the slope is outside limits whatever the errors of the predictions are.

        Parameters
        ----------
        limits
            Lower and upper limit, both positive: a negative slope is beyond them.
        n
            Number of independent energies.
        """
        (low, high), (lower, upper) = self.slopes, limits
        width = STANDARD_ERRORS * float(np.sqrt((1 - self.correlation**2) / n))
        return low * np.exp(-width) >= upper or high * np.exp(width) <= lower

    def slope_level(self, n: int) -> Level:
        """Return ``"ok"`` for a slope of 1, ``"error"`` if it surely is another, else ``"cannot tell"``.

        Parameters
        ----------
        n
            Number of independent energies.
        """
        if self.is_surely_beyond(SCALE_LIMITS, n):
            return "error"
        low, high = self.slopes
        is_certain = low >= 1 / LEAST_FACTOR and high <= LEAST_FACTOR
        return "ok" if SCALE_LIMITS[0] < self.slope < SCALE_LIMITS[1] and is_certain else "cannot tell"


def regress(energies: FloatArray, predicted: FloatArray) -> Regression:
    """Fit `energies` = slope · `predicted` + constant, leaving out what stands out.

    The slope is the ratio of the standard deviations with the sign of the correlation: unlike that of least
    squares it is not lowered by errors of the predictions.
    """
    keep = np.abs(energies - np.median(energies)) <= 12 * robust_std(energies) + 1e-12
    slope, correlation = 1.0, 0.0
    for _ in range(4):
        e, p = energies[keep], predicted[keep]
        if e.std() < 1e-12 or p.std() < 1e-12:
            break
        correlation = float(np.corrcoef(e, p)[0, 1])
        slope = float(np.copysign(e.std() / p.std(), correlation))
        residual = energies - slope * predicted
        off = np.abs(residual - np.median(residual[keep]))
        kept = off <= OUTLIER_MADS * max(robust_std(residual[keep]), 1e-9)
        if kept.mean() < 1 - MAX_LEFT_OUT or (kept == keep).all():
            break
        keep = kept
    residual = energies - slope * predicted
    residual -= np.median(residual[keep])
    return Regression(correlation, slope, residual, robust_std(residual[keep]))


def expected_correlation(reliability: float, n: int) -> tuple[float, float]:
    """Return the least correlation of right energies with predicted ones, and below which it surely lacks.

    Parameters
    ----------
    reliability
        Share of the variance of the predictions that is not due to their errors.
    n
        Number of independent energies.
    """
    expected = EXPECTED_OF_RELIABILITY * float(np.sqrt(max(reliability, 0.0)))
    return expected, expected - STANDARD_ERRORS * (1 - expected**2) / float(np.sqrt(n))


def two_groups(values: FloatArray) -> tuple[BoolArray, float]:
    """Divide values into two groups so that they scatter least within them.

    Parameters
    ----------
    values
        Shape (n,), two at least.

    Returns
    -------
    upper
        Shape (n,): the group of larger values; neither group is empty.
    within
        Standard deviation within the groups.
    """
    order, n = np.argsort(values), len(values)
    size, sorted_values = np.arange(1, n), values[order]
    total, total_square = np.cumsum(sorted_values), np.cumsum(sorted_values**2)
    low = total_square[:-1] - total[:-1] ** 2 / size
    high = (total_square[-1] - total_square[:-1]) - (total[-1] - total[:-1]) ** 2 / (n - size)
    upper = np.zeros(n, np.bool_)
    upper[order[int(np.argmin(low + high)) + 1 :]] = True
    return upper, float(np.sqrt(max((low + high).min(), 0.0) / n))


def correlation_of(first: FloatArray, second: FloatArray) -> float:
    """Return the correlation of two arrays of one shape; 0 where one is constant."""
    if first.size < 2 or first.std() < 1e-12 or second.std() < 1e-12:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])


def robust_std(values: FloatArray) -> float:
    """Return the standard deviation of normally distributed values from their median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(values - np.median(values))))
