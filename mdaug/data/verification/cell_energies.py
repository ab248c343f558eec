"""The part of energies that depends on the cell alone, which the forces on atoms do not show."""

from itertools import combinations_with_replacement

import numpy as np

from mdaug.data.verification.regression import MAX_LEFT_OUT, OUTLIER_MADS, robust_std
from mdaug.frames import FloatArray

MAX_ROUNDS = 4

DEGREE = 3
"""Highest power of the strains in energies."""

LEAST_SPREAD = 1e-5
"""Spread of a strain, or of a product of strains, that hardly changes energies: a hundred atoms of a metal
have 0.05 eV for 1e-5 of a squared strain."""


def cell_functions(cells: FloatArray, degree: int = DEGREE) -> FloatArray:
    """Return functions of the cells whose sums energies may have: polynomials of their strains.

    Parameters
    ----------
    cells
        Shape (n_frames, 3, 3), Å, rows are lattice vectors.
    degree
        Highest power of the strains.

    Returns
    -------
    array
        Shape (n_frames, n_functions), a constant among them; no functions for equal cells.
    """
    strains = _independent_strains(cells)
    powers = [
        np.prod(strains[:, list(factors)], axis=1)
        for power in range(1, degree + 1)
        for factors in combinations_with_replacement(range(strains.shape[1]), power)
    ]
    varying = [values / spread for values in powers if (spread := np.std(values)) > LEAST_SPREAD]
    if not varying:
        return np.empty((len(cells), 0))
    return np.stack([np.ones(len(cells)), *varying], axis=1)


def without_cell_part(energies: FloatArray, functions: FloatArray) -> FloatArray:
    """Return energies minus the sum of functions of the cell that fits them best, but for outliers.

    Parameters
    ----------
    energies
        Shape (n_frames,), eV.
    functions
        Shape (n_frames, n_functions), from `cell_functions`; more frames than functions.
    """
    if not functions.shape[1]:
        return energies
    keep = np.ones(len(energies), bool)
    for _ in range(MAX_ROUNDS):
        coefficients = np.linalg.lstsq(functions[keep], energies[keep], rcond=None)[0]
        residual = energies - functions @ coefficients
        off = np.abs(residual - np.median(residual[keep]))
        kept = off <= OUTLIER_MADS * max(robust_std(residual[keep]), 1e-9)
        if kept.mean() < 1 - MAX_LEFT_OUT or (kept == keep).all():
            break
        keep = kept
    return residual


def _independent_strains(cells: FloatArray) -> FloatArray:
    """Return uncorrelated strains of the cells, (n_frames, 6), which are the same for rotated cells."""
    metric = cells @ cells.transpose(0, 2, 1)
    mean = np.sqrt(np.diagonal(metric.mean(axis=0)))
    row, column = np.triu_indices(3)
    strains = 0.5 * (metric / np.outer(mean, mean))[:, row, column]
    directions, spread, _ = np.linalg.svd(strains - strains.mean(axis=0), full_matrices=False)
    independent: FloatArray = directions * spread
    return independent
