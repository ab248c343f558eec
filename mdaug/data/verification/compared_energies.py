"""Energies of frames beside those that are integrated from their forces."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mdaug.data.verification.energies_from_forces import PredictedEnergies
from mdaug.data.verification.kernel_energies import without_smooth_part
from mdaug.data.verification.regression import CLEAR, Regression, regress, robust_std
from mdaug.frames import FloatArray, FrameSet

MIN_FRAMES = 20
"""Frames with a predicted energy for a statement."""

MIN_SPREAD_EV = 1e-5
"""Standard deviation of predicted energies below which they are equal."""

MIN_SLOPE_WIDTH = 0.1
"""Least uncertainty of the logarithm of a slope."""

RELIABLE, MIN_FITTED = 0.6, 20
"""Share of the forces explained, and frames in the fit, from which on single frames are judged."""

ENERGY_MADS = 10.0
"""Robust standard deviations of the residuals that a single energy is off at least, for a frame whose forces
are predicted as usual. Frames of clean sets are off by up to 8."""


@dataclass(frozen=True)
class ComparedEnergies:
    """Given and predicted energies of the same frames.

    Parameters
    ----------
    frames
        All frames, in eV and Å.
    predicted
        Energies predicted from forces, of some of them.
    """

    frames: FrameSet
    predicted: PredictedEnergies

    @property
    def positions(self) -> FloatArray:
        """Of the frames with a prediction, shape (n, n_atoms, 3), Å."""
        return self.frames.positions[self.predicted.frames]

    @cached_property
    def energies(self) -> FloatArray:
        """Given energies of the frames with a prediction, shape (n,), eV."""
        return self.predicted.comparable(self.frames.energies)

    @cached_property
    def fit(self) -> Regression:
        """Regression of the given energies against the predicted ones."""
        return regress(self.energies, self.predicted.energies)

    @cached_property
    def residual(self) -> FloatArray:
        """How much each energy differs from what forces and energies of similar frames imply, (n,), eV."""
        if self.frames.cells is not None:
            return self.fit.residual
        unexplained = without_smooth_part(self.positions, self.fit.residual)
        return unexplained if robust_std(unexplained) < self.fit.scatter else self.fit.residual

    @property
    def are_many(self) -> bool:
        """Whether there are enough frames for a statement."""
        return len(self.predicted.frames) >= MIN_FRAMES

    @property
    def differ(self) -> bool:
        """Whether the predicted energies differ from frame to frame."""
        return bool(np.std(self.predicted.energies) >= MIN_SPREAD_EV)

    @property
    def single_frames_are_judged(self) -> bool:
        """Whether the forces are predicted so well that single frames can stand out."""
        return self.predicted.explained > RELIABLE and int(self.predicted.fitted.sum()) >= MIN_FITTED

    @property
    def sharpness(self) -> float:
        """Least error of a single energy that stands out, in standard deviations of the energies."""
        if not self.single_frames_are_judged:
            return float(np.inf)
        return ENERGY_MADS * robust_std(self.residual) / max(robust_std(self.energies), 1e-12)


def measured_slope(compared: ComparedEnergies | None) -> tuple[float | None, float]:
    """Return the slope of energies against predicted ones and the uncertainty of its logarithm.

    The slope is None where the correlation is not clear.

    Parameters
    ----------
    compared
        The energies; None where none could be predicted.
    """
    if compared is None or not compared.are_many or not compared.differ:
        return None, MIN_SLOPE_WIDTH
    fit = compared.fit
    return (fit.slope if abs(fit.correlation) > CLEAR else None), max(MIN_SLOPE_WIDTH, fit.log_error)
