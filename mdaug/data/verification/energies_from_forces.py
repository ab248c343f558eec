"""Energies predicted from positions and forces alone, to compare with the energies that the frames have.

A model E(r; c) that is linear in its coefficients c is fitted to the forces of some frames; its energies,
up to a constant, are then an integral of the forces. No energy enters the fit, so the energies of all
frames test it. Small molecules have a kernel model (`kernel_energies`), cells and large molecules pair
functions (`pair_energies`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mdaug.data.verification.cell_energies import cell_functions, without_cell_part
from mdaug.data.verification.kernel_energies import kernel_energies
from mdaug.data.verification.pair_energies import pair_energies
from mdaug.data.verification.regression import correlation_of
from mdaug.frames import FloatArray, FrameSet, IntArray

MIN_FRAMES = 10
"""Fewer frames are not fitted."""

MIN_KERNEL_FRAMES = 20
"""The kernel model is used where so many frames fit into the equations allowed."""

MAX_PAIR_FIT_ATOMS = 4000
"""Atoms, over all frames, whose forces enter the fit of pair functions."""

MAX_PAIR_PREDICTED = 300
"""Frames whose energies are predicted by pair functions, which take longer."""

FRAMES_FOR_FUNCTION = 3
"""Frames for each function of the cell; with fewer, a single wrong energy seems to be due to the cell."""

MAX_COMPARED = 400
"""Frames in which the energies of two models are compared."""


@dataclass(frozen=True)
class Effort:
    """How much time the comparison of energies and forces may take.

    Parameters
    ----------
    n_equations
        Force components in the fit of the kernel model; its time grows with their third power (1800: 0.3 s).
    n_predicted
        Frames whose energies are compared.
    """

    n_equations: int
    n_predicted: int


@dataclass(frozen=True)
class PredictedEnergies:
    """Energies predicted from the forces.

    Parameters
    ----------
    frames
        Shape (n,): the frames with a prediction, ascending.
    energies
        Shape (n,), eV, up to a constant, without what depends on the cell alone.
    force_errors
        Shape (n,), eV/Å: root mean square error of a force component of each frame, predicted from others.
    fitted
        Shape (n,): whether the forces of the frame entered the fit.
    explained
        Share of the variance of the forces that the model predicts for frames outside the fit: 1 at best.
    reliability
        Correlation of the energies of two models, each fitted to half of the frames: near that of given
        energies with predicted ones if the frames are consistent, whatever the given energies are.
    cell_functions
        Shape (n, n_functions): what energies may contain that forces do not show; no function where all
        cells are equal.
    """

    frames: IntArray
    energies: FloatArray
    force_errors: FloatArray
    fitted: NDArray[np.bool_]
    explained: float
    reliability: float
    cell_functions: FloatArray

    def comparable(self, energies: FloatArray) -> FloatArray:
        """Return energies of the frames with a prediction, without what depends on the cell alone.

        Parameters
        ----------
        energies
            Of all frames, shape (n_frames,), eV.
        """
        return without_cell_part(energies[self.frames], self.cell_functions)


def predict_energies(frames: FrameSet, usable: IntArray, effort: Effort) -> PredictedEnergies | None:
    """Fit a model to the forces of some frames and predict energies.

    Parameters
    ----------
    frames
        All frames.
    usable
        Indices of the frames that may be used: those without outliers and with the atoms in order.
    effort
        Size of the fit, and number of frames with a prediction, drawn at random.

    Returns
    -------
    PredictedEnergies or None
        None for fewer than `MIN_FRAMES` usable frames, fewer than the functions of the cell need, single
        atoms, or frames that are all alike.
    """
    if len(usable) < MIN_FRAMES or frames.n_atoms < 2:
        return None
    chosen = drawn(usable, effort.n_predicted)
    n_fit = min(effort.n_equations // (3 * frames.n_atoms), (4 * len(chosen)) // 5)
    use_kernel = frames.cells is None and (
        n_fit >= MIN_KERNEL_FRAMES or 3 * frames.n_atoms * n_fit < effort.n_equations // 2
    )
    if not use_kernel:
        chosen = drawn(chosen, MAX_PAIR_PREDICTED)
        n_fit = min(max(MIN_FRAMES, MAX_PAIR_FIT_ATOMS // frames.n_atoms), (4 * len(chosen)) // 5)
    fit = drawn(chosen, n_fit)
    cells = frames.periodic_cells
    of_cells = np.empty((len(chosen), 0)) if cells is None else cell_functions(cells[chosen])
    if len(chosen) < FRAMES_FOR_FUNCTION * of_cells.shape[1]:
        return None
    try:
        if use_kernel:
            energies, errors, reliability = _by_kernel(frames, fit, chosen)
        else:
            energies, errors, reliability = _by_pairs(frames, fit, chosen, of_cells)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(energies).all():
        return None
    fitted = np.isin(chosen, fit)
    outside = ~fitted
    explained = 1 - np.sum(errors[outside] ** 2) / max(np.sum(frames.forces[chosen[outside]] ** 2), 1e-300)
    rms = np.sqrt(np.mean(errors**2, axis=(1, 2)))
    return PredictedEnergies(chosen, energies, rms, fitted, float(explained), reliability, of_cells)


def drawn(index: IntArray, n: int) -> IntArray:
    """Return at most `n` elements of `index`, in order, drawn at random: every second frame may be of another
    kind.

    Parameters
    ----------
    index
        Indices of frames, ascending.
    n
        Their largest number.
    """
    if len(index) <= n:
        return index
    return np.sort(np.random.default_rng(0).choice(index, n, replace=False))


def _halves(fit: IntArray) -> tuple[IntArray, IntArray]:
    order = np.random.default_rng(1).permutation(fit)
    return np.sort(order[::2]), np.sort(order[1::2])


def _by_kernel(frames: FrameSet, fit: IntArray, chosen: IntArray) -> tuple[FloatArray, FloatArray, float]:
    """Return energies (n,), errors of the forces (n, n_atoms, 3) and the reliability, by the kernel model."""
    energies, forces, left_out = kernel_energies(frames, fit, chosen)
    errors = forces - frames.forces[chosen]
    errors[np.searchsorted(chosen, fit)] = left_out
    outside = drawn(np.setdiff1d(chosen, fit), MAX_COMPARED)
    first, second = (kernel_energies(frames, half, outside, leave_out=False)[0] for half in _halves(fit))
    return energies, errors, correlation_of(first, second)


def _by_pairs(
    frames: FrameSet, fit: IntArray, chosen: IntArray, of_cells: FloatArray
) -> tuple[FloatArray, FloatArray, float]:
    """Return energies (n,), errors of the forces (n, n_atoms, 3) and the reliability, by pair functions."""
    predicted, forces = pair_energies(frames, (fit, *_halves(fit)), chosen)
    energies = np.array([without_cell_part(of_fit, of_cells) for of_fit in predicted])
    outside = ~np.isin(chosen, fit)
    return energies[0], forces - frames.forces[chosen], correlation_of(*energies[1:, outside])
