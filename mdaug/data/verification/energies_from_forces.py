"""Energies predicted from positions and forces alone, to compare with the energies that the frames have.

A model E(r; c) that is linear in its coefficients c is fitted to the forces of some frames; its energies,
up to a constant, are then an integral of the forces. No energy enters the fit, so the energies of all
frames test it.

- Molecules: kernel regression in the gradient domain (sGDML, DOI 10.1126/sciadv.1603015) on inverse
  distances, Matérn 5/2 kernel. A hundred frames explain 98 % of the forces of ethanol at 500 K.
- Cells and large molecules: a function of distance for each kind of pair (elements and number of bonds
  between them), which explains 96 to 99 % of the forces of liquid water and of crystalline silicon.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse.csgraph import shortest_path

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import frame_bond_graphs
from mdaug.geometry.pairs import frame_pairs, molecule_pairs

MIN_FRAMES = 10
"""Fewer frames are not fitted."""

MIN_KERNEL_FRAMES = 20
"""The kernel model is used where so many frames fit into the equations allowed."""

KERNEL_LENGTH = 6.0
"""Length of the kernel in units of the spread of the inverse distances."""

KERNEL_NOISE = 1e-6
"""Variance of the noise of forces, relative to the kernel."""

PAIR_CUTOFF_A = 5.5
PAIR_FUNCTIONS = 10
"""Functions of distance for each kind of pair."""

PAIR_RIDGE = 1e-6
"""Ridge parameter relative to the mean diagonal of the normal equations."""

MAX_PAIR_FIT_ATOMS = 4000
"""Atoms, over all frames, whose forces enter the fit of pair functions."""

MAX_PAIR_PREDICTED = 300
"""Frames whose energies are predicted by pair functions, which take longer."""


@dataclass(frozen=True)
class PredictedEnergies:
    """Energies predicted from the forces.

    Parameters
    ----------
    frames
        Shape (n,): the frames with a prediction, ascending.
    energies
        Shape (n,), eV, up to a constant.
    force_errors
        Shape (n,), eV/Å: root mean square error of a force component of each frame.
    fitted
        Shape (n,): whether the forces of the frame entered the fit.
    n_atoms
        Atoms of a frame.
    explained
        Share of the variance of the forces that the model predicts for frames outside the fit: 1 at best.
    """

    frames: IntArray
    energies: FloatArray
    force_errors: FloatArray
    fitted: NDArray[np.bool_]
    n_atoms: int
    explained: float


def predict_energies(
    frames: FrameSet, usable: IntArray, *, n_equations: int, n_predicted: int
) -> PredictedEnergies | None:
    """Fit a model to the forces of some frames and predict energies.

    Parameters
    ----------
    frames
        All frames.
    usable
        Indices of the frames that may be used: those without outliers and with the atoms in order.
    n_equations
        Force components in the fit of the kernel model; its time grows with their third power (1500: 0.2 s).
    n_predicted
        Frames with a prediction, drawn at random.

    Returns
    -------
    PredictedEnergies or None
        None for fewer than `MIN_FRAMES` usable frames, single atoms, or frames that are all alike.
    """
    if len(usable) < MIN_FRAMES or frames.n_atoms < 2:
        return None
    chosen = _drawn(usable, n_predicted)
    n_fit = min(n_equations // (3 * frames.n_atoms), (4 * len(chosen)) // 5)
    use_kernel = frames.cells is None and (
        n_fit >= MIN_KERNEL_FRAMES or 3 * frames.n_atoms * n_fit < n_equations // 2
    )
    if not use_kernel:
        chosen = _drawn(chosen, MAX_PAIR_PREDICTED)
        n_fit = min(max(MIN_FRAMES, MAX_PAIR_FIT_ATOMS // frames.n_atoms), (4 * len(chosen)) // 5)
    fit = _drawn(chosen, n_fit)
    predict = _kernel_model if use_kernel else _pair_model
    try:
        energies, forces = predict(frames, fit, chosen)
    except np.linalg.LinAlgError:
        return None
    if not np.isfinite(energies).all():
        return None
    errors = forces - frames.forces[chosen]
    fitted = np.isin(chosen, fit)
    outside = ~fitted
    explained = 1 - np.sum(errors[outside] ** 2) / max(np.sum(frames.forces[chosen[outside]] ** 2), 1e-300)
    rms = np.sqrt(np.mean(errors**2, axis=(1, 2)))
    return PredictedEnergies(chosen, energies, rms, fitted, frames.n_atoms, float(explained))


def _drawn(index: IntArray, n: int) -> IntArray:
    """Return at most `n` elements of `index`, drawn at random: every second frame may be of another kind."""
    if len(index) <= n:
        return index
    return np.sort(np.random.default_rng(0).choice(index, n, replace=False))


def _kernel_model(frames: FrameSet, fit: IntArray, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) and forces (n, n_atoms, 3) of frames `chosen` by a kernel model of `fit`."""
    inverse, jacobian = _inverse_distances(frames.positions[fit])
    spread = float(np.sqrt(np.mean(np.sum((inverse - inverse.mean(axis=0)) ** 2, axis=1))))
    if spread < 1e-9:
        raise np.linalg.LinAlgError("all frames are alike")
    length = KERNEL_LENGTH * spread
    matrix = _kernel_matrix(inverse, jacobian, length)
    matrix[np.diag_indices_from(matrix)] += KERNEL_NOISE / length**2
    factor = cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    coefficients = cho_solve(factor, frames.forces[fit].reshape(-1), check_finite=False)
    weights = np.einsum("npk,nk->np", jacobian, coefficients.reshape(len(fit), -1))
    energies, forces = np.empty(len(chosen)), np.empty((len(chosen), frames.n_atoms, 3))
    for n, frame in enumerate(chosen):
        one, gradient = _inverse_distances(frames.positions[frame][None])
        difference = one[0] - inverse
        first, second = _kernel_derivatives(difference, length)
        projected = np.sum(difference * weights, axis=1)
        energies[n] = -np.sum(first * projected)
        in_descriptor = first @ weights - (second * projected) @ difference
        forces[n] = (gradient[0].T @ in_descriptor).reshape(-1, 3)
    return energies, forces


def _kernel_matrix(inverse: FloatArray, jacobian: FloatArray, length: float) -> FloatArray:
    """Return the covariances of the force components of all frames, −∂²k/∂D∂D' between the Jacobians."""
    n_frames, _, n_forces = jacobian.shape
    matrix = np.empty((n_frames * n_forces, n_frames * n_forces))
    flat = jacobian.transpose(1, 0, 2).reshape(jacobian.shape[1], -1)
    for n in range(n_frames):
        difference = inverse[n] - inverse
        first, second = _kernel_derivatives(difference, length)
        along_n = difference @ jacobian[n]
        along_other = np.einsum("bp,bpk->bk", difference, jacobian)
        block = (jacobian[n].T @ flat).reshape(n_forces, n_frames, n_forces) * first[None, :, None]
        block -= (second[:, None] * along_n).T[:, :, None] * along_other[None]
        matrix[n * n_forces : (n + 1) * n_forces] = block.reshape(n_forces, -1)
    return matrix


def _kernel_derivatives(difference: FloatArray, length: float) -> tuple[FloatArray, FloatArray]:
    """Return a and b with −∂²k/∂D∂D' = a·1 − b·(D − D')(D − D')ᵀ for the Matérn 5/2 kernel, shape (n,)."""
    t = np.sqrt(5.0) * np.linalg.norm(difference, axis=1) / length
    decay = 5.0 / (3.0 * length**2) * np.exp(-t)
    return decay * (1 + t), decay * 5.0 / length**2


def _inverse_distances(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return 1/d (n_frames, n_pairs) and its derivatives (n_frames, n_pairs, 3 n_atoms)."""
    n_frames, n_atoms, _ = positions.shape
    idx_i, idx_j = molecule_pairs(n_atoms)
    vectors = positions[:, idx_j] - positions[:, idx_i]
    inverse = 1 / np.linalg.norm(vectors, axis=2)
    gradient = -vectors * inverse[..., None] ** 3
    jacobian = np.zeros((n_frames, len(idx_i), n_atoms, 3))
    pair = np.arange(len(idx_i))
    jacobian[:, pair, idx_j], jacobian[:, pair, idx_i] = gradient, -gradient
    return inverse, jacobian.reshape(n_frames, len(idx_i), -1)


def _pair_model(frames: FrameSet, fit: IntArray, chosen: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return energies (n,) and forces (n, n_atoms, 3) of frames `chosen` by pair functions of `fit`."""
    kinds = _PairKinds(frames, fit)
    normal, right = np.zeros((kinds.n_columns,) * 2), np.zeros(kinds.n_columns)
    for frame, _, columns in kinds.design(fit):
        normal += columns.T @ columns
        right += columns.T @ frames.forces[frame].reshape(-1)
    normal[np.diag_indices_from(normal)] += PAIR_RIDGE * np.trace(normal) / len(normal)
    coefficients = np.linalg.solve(normal, right)
    energies, forces = np.empty(len(chosen)), np.empty((len(chosen), frames.n_atoms, 3))
    for n, (_, sums, columns) in enumerate(kinds.design(chosen)):
        energies[n] = sums @ coefficients
        forces[n] = (columns @ coefficients).reshape(-1, 3)
    return energies, forces


class _PairKinds:
    """Functions of the distances of pairs of equal elements with the same number of bonds between them."""

    def __init__(self, frames: FrameSet, fit: IntArray) -> None:
        self.frames = frames
        sample = frames.select(fit)
        graphs = frame_bond_graphs(sample)
        bonds = graphs.pairs[graphs.occurrence > 0.5]
        links = np.zeros((frames.n_atoms,) * 2)
        links[bonds[:, 0], bonds[:, 1]] = 1
        steps = shortest_path(links, directed=False, unweighted=True)
        self._n_bonds = np.minimum(np.where(np.isfinite(steps), steps, 4), 4).astype(np.int64)
        ranges: dict[int, tuple[float, float]] = {}
        for frame in fit:
            *_, distances, kind = self._pairs(frame)
            for k in np.unique(kind):
                these = distances[kind == k]
                low, high = ranges.get(k, (np.inf, -np.inf))
                ranges[k] = (min(low, these.min() - 0.05), max(high, these.max() + 0.05))
        self._kinds = np.array(sorted(ranges))
        self._low = np.array([ranges[k][0] for k in self._kinds])
        self._width = np.array([ranges[k][1] - ranges[k][0] for k in self._kinds])
        self.n_columns = len(self._kinds) * PAIR_FUNCTIONS

    def design(self, index: IntArray) -> Iterator[tuple[int, FloatArray, FloatArray]]:
        """Yield each frame, the sums of all functions (n_columns,), their forces (3 n_atoms, n_columns)."""
        for frame in index:
            idx_i, idx_j, r_ij, d_ij, kind = self._pairs(frame)
            place = np.minimum(np.searchsorted(self._kinds, kind), len(self._kinds) - 1)
            is_fitted = self._kinds[place] == kind
            value, slope = self._functions(d_ij, place)
            value[~is_fitted], slope[~is_fitted] = 0.0, 0.0
            sums, columns = np.zeros(self.n_columns), np.zeros((self.frames.n_atoms, self.n_columns, 3))
            unit = r_ij / d_ij[:, None]
            for k in range(PAIR_FUNCTIONS):
                column = place * PAIR_FUNCTIONS + k
                np.add.at(sums, column, value[:, k])
                pull = slope[:, k, None] * unit
                np.add.at(columns, (idx_i, column), pull)
                np.add.at(columns, (idx_j, column), -pull)
            yield int(frame), sums, columns.transpose(0, 2, 1).reshape(-1, self.n_columns)

    def _pairs(self, frame: int) -> tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]:
        """Return idx_i, idx_j, vectors, distances and kinds of the pairs of a frame."""
        idx_i, idx_j, r_ij = frame_pairs(self.frames, int(frame), PAIR_CUTOFF_A)
        numbers = self.frames.atomic_numbers
        low, high = np.minimum(numbers[idx_i], numbers[idx_j]), np.maximum(numbers[idx_i], numbers[idx_j])
        n_bonds = np.where(idx_i == idx_j, 4, self._n_bonds[idx_i, idx_j])
        return idx_i, idx_j, r_ij, np.linalg.norm(r_ij, axis=1), (low * 200 + high) * 5 + n_bonds

    def _functions(self, d_ij: FloatArray, place: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return Gaussians over the range of each kind times a cosine cutoff, and their slopes."""
        centers, width = np.linspace(0, 1, PAIR_FUNCTIONS), 1.2 / (PAIR_FUNCTIONS - 1)
        x = ((d_ij - self._low[place])[:, None] / self._width[place, None] - centers) / width
        bump = np.exp(-0.5 * x**2)
        bump_slope = -x * bump / (width * self._width[place, None])
        angle = np.pi * d_ij[:, None] / PAIR_CUTOFF_A
        cutoff, cutoff_slope = 0.5 * (1 + np.cos(angle)), -0.5 * np.pi / PAIR_CUTOFF_A * np.sin(angle)
        return bump * cutoff, bump_slope * cutoff + bump * cutoff_slope
