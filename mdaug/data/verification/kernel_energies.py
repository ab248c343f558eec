"""Energies of molecules by kernel regression in the gradient domain, fitted to forces.

sGDML (DOI 10.1126/sciadv.1603015): a Matérn 5/2 kernel of inverse distances. A hundred frames explain 98 % of
the forces of ethanol at 500 K.
"""

import numpy as np
from scipy.linalg import cho_solve
from scipy.linalg.lapack import dpotrf, dpotri

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import molecule_pairs

LENGTH = 6.0
"""Length of the kernel in units of the spread of the inverse distances."""

NOISE = 1e-6
"""Variance of the noise of forces, relative to the kernel."""

SMOOTH_LENGTH, SMOOTH_NOISE, SMOOTH_FRAMES = 3.0, 0.01, 1000
"""Length and noise of the kernel of `without_smooth_part`, and frames at once."""


def kernel_energies(
    frames: FrameSet, fit: IntArray, chosen: IntArray, *, leave_out: bool = True
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Fit a model to the forces of some frames and predict energies and forces.

    Parameters
    ----------
    frames
        All frames; molecules.
    fit
        Frames whose forces are fitted.
    chosen
        Frames of the prediction.
    leave_out
        Whether `left_out` is needed, which takes longer than the fit.

    Returns
    -------
    energies
        Shape (n_chosen,), eV, up to a constant.
    forces
        Shape (n_chosen, n_atoms, 3), eV/Å.
    left_out
        Shape (n_fit, n_atoms, 3), eV/Å: errors of the forces of each fitted frame, predicted from the
        others; zero if not needed.

    Raises
    ------
    LinAlgError
        All frames are alike, or the equations have no solution.
    """
    pairs = molecule_pairs(frames.n_atoms)
    inverse, jacobian = inverse_distances(frames.positions[fit], *pairs)
    spread = float(np.sqrt(np.mean(np.sum((inverse - inverse.mean(axis=0)) ** 2, axis=1))))
    if spread < 1e-9:
        raise np.linalg.LinAlgError("all frames are alike")
    length = LENGTH * spread
    matrix = _kernel_matrix(inverse, jacobian, length)
    matrix[np.diag_indices_from(matrix)] += NOISE / length**2
    factor, failed = dpotrf(matrix, lower=True, overwrite_a=True)
    if failed:
        raise np.linalg.LinAlgError("the kernel matrix is not positive definite")
    coefficients = cho_solve((factor, True), frames.forces[fit].reshape(-1), check_finite=False)
    coefficients = coefficients.reshape(len(fit), -1)
    weights = np.einsum("npk,nk->np", jacobian, coefficients)
    energies, forces = np.empty(len(chosen)), np.empty((len(chosen), frames.n_atoms, 3))
    for n, frame in enumerate(chosen):
        one, gradient = inverse_distances(frames.positions[frame][None], *pairs)
        difference = one[0] - inverse
        first, second = _kernel_derivatives(difference, length)
        projected = np.sum(difference * weights, axis=1)
        energies[n] = -np.sum(first * projected)
        in_descriptor = first @ weights - (second * projected) @ difference
        forces[n] = (gradient[0].T @ in_descriptor).reshape(-1, 3)
    left_out = _left_out(factor, coefficients) if leave_out else np.zeros_like(coefficients)
    return energies, forces, left_out.reshape(len(fit), -1, 3)


def _left_out(factor: FloatArray, coefficients: FloatArray) -> FloatArray:
    """Return the errors of each frame's forces in a fit without it, from the inverse of the matrix.

    (K⁻¹)_nn⁻¹ (K⁻¹ F)_n for the block n of a frame; overwrites the factor.
    """
    inverse, _ = dpotri(factor, lower=True, overwrite_c=True)
    n_forces = coefficients.shape[1]
    errors = np.empty_like(coefficients)
    for n, coefficient in enumerate(coefficients):
        block = inverse[n * n_forces : (n + 1) * n_forces, n * n_forces : (n + 1) * n_forces]
        lower = np.tril(block)
        errors[n] = np.linalg.solve(lower + np.tril(block, -1).T, coefficient)
    return errors


def without_smooth_part(positions: FloatArray, values: FloatArray) -> FloatArray:
    """Return how much the value of each frame differs from what the other frames imply.

    The same kernel, fitted to the values of all frames but one; leaving one out takes no fit of its own.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    values
        Shape (n_frames,), for example errors of predicted energies.
    """
    unexplained = np.empty(len(values))
    order = np.random.default_rng(0).permutation(len(values))
    for part in np.array_split(order, -(-len(values) // SMOOTH_FRAMES)):
        inverse = _inverse_lengths(positions[part])
        spread = np.sqrt(np.mean(np.sum((inverse - inverse.mean(axis=0)) ** 2, axis=1)))
        square = np.sum(inverse**2, axis=1)
        distance = np.sqrt(np.maximum(square[:, None] + square - 2 * inverse @ inverse.T, 0.0))
        t = np.sqrt(5.0) * distance / max(SMOOTH_LENGTH * float(spread), 1e-12)
        kernel = (1 + t + t**2 / 3) * np.exp(-t) + 10.0  # the constant takes up the mean
        kernel[np.diag_indices_from(kernel)] += SMOOTH_NOISE
        inverted = np.linalg.inv(kernel)
        unexplained[part] = (inverted @ values[part]) / np.diag(inverted)
    return unexplained


def similar_frames(positions: FloatArray, n_similar: int) -> IntArray:
    """Return the frames with the most similar inverse distances of each frame, shape (n_frames, n_similar).

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    n_similar
        Number of other frames; less than n_frames.
    """
    inverse = _inverse_lengths(positions)
    square = np.sum(inverse**2, axis=1)
    distance = square[:, None] + square - 2 * inverse @ inverse.T
    distance[np.diag_indices_from(distance)] = np.inf
    return np.argpartition(distance, n_similar - 1, axis=1)[:, :n_similar]


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


def inverse_distances(
    positions: FloatArray, idx_i: IntArray, idx_j: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Return 1/d (n_frames, n_pairs) and its derivatives (n_frames, n_pairs, 3 n_atoms).

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    idx_i, idx_j
        Shape (n_pairs,).
    """
    n_frames, n_atoms, _ = positions.shape
    vectors = positions[:, idx_j] - positions[:, idx_i]
    inverse = 1 / np.linalg.norm(vectors, axis=2)
    gradient = -vectors * inverse[..., None] ** 3
    jacobian = np.zeros((n_frames, len(idx_i), n_atoms, 3))
    pair = np.arange(len(idx_i))
    jacobian[:, pair, idx_j], jacobian[:, pair, idx_i] = gradient, -gradient
    return inverse, jacobian.reshape(n_frames, len(idx_i), -1)


def _inverse_lengths(positions: FloatArray) -> FloatArray:
    """Return 1/d, shape (n_frames, n_pairs)."""
    idx_i, idx_j = molecule_pairs(positions.shape[1])
    lengths: FloatArray = 1 / np.linalg.norm(positions[:, idx_j] - positions[:, idx_i], axis=2)
    return lengths
