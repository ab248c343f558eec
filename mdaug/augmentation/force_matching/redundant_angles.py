"""Products of angles at one atom that frames cannot determine, and what keeps them from being arbitrary.

The six angles of four bonds have five degrees of freedom: near equilibrium they cannot all become smaller.
The curvature along that direction, which is a sum of coefficients of angle-angle products, has hardly an
effect on forces there. If it is negative, a group whose atoms all bend to one side falls without end: the
hydrogens of ethanol's CH3 did so in MD at 1500 K.
"""

from itertools import combinations, combinations_with_replacement

import numpy as np

from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import minimum_image

WIDTH_EV = 0.5
"""Expected size of what products of different angles add to the curvature along a redundant direction,
eV/rad²."""

REDUNDANT = 0.3
"""Singular value of a direction of the angles, relative to the largest, below which it is redundant. Those of
four bonds are 0 and 0.7 or more, of three in a plane 0."""


def redundant_products(field: ForceField, positions: FloatArray, cell: FloatArray | None) -> FloatArray:
    """Return sums of parameters that a fit is to keep near zero, divided by their expected size.

    Parameters
    ----------
    field
        The field that is fitted.
    positions
        Shape (n_atoms, 3), Å: a geometry near equilibrium.
    cell
        Cell vectors in rows, Å, shape (3, 3); None for no cell.

    Returns
    -------
    array
        Shape (n_sums, n_parameters), 1/eV; the sums are these rows times the parameters.
    """
    angles, first = field.topology.angles, len(field.topology.bonds)
    products = _angle_products(field)
    rows = []
    for atom in np.unique(angles[:, 1]) if len(angles) else ():
        own = np.flatnonzero(angles[:, 1] == atom)
        directions = _redundant_directions(angles[own], positions, cell)
        for one, other in combinations_with_replacement(directions, 2):
            row = np.zeros(len(field.parameters))
            for a, b in combinations(range(len(own)), 2):
                parameter = products.get(frozenset((first + int(own[a]), first + int(own[b]))))
                if parameter is not None:
                    row[parameter] += one[a] * other[b] + one[b] * other[a]
            rows.append(row)
    if not rows:
        return np.zeros((0, len(field.parameters)))
    return _averaged(np.array(rows)) / WIDTH_EV


def _averaged(rows: FloatArray) -> FloatArray:
    """Return sums of the same parameters, those of equivalent atoms, so that together they count as one."""
    _, kind, counts = np.unique(rows != 0, axis=0, return_inverse=True, return_counts=True)
    averaged: FloatArray = rows / np.sqrt(counts[kind.ravel()])[:, None]
    return averaged


def _angle_products(field: ForceField) -> dict[frozenset[int], int]:
    """Return the coefficient of the product of each two angles, by their primitives."""
    first, n_angles = len(field.topology.bonds), len(field.topology.angles)
    factors, parameter = field.terms.factors, field.terms.parameter
    is_angle = (factors[:, :2] >= first) & (factors[:, :2] < first + n_angles)
    chosen = is_angle.all(axis=1) & (factors[:, 0] != factors[:, 1]) & (factors[:, 2] == field.n_primitives)
    pairs = factors[chosen, :2].tolist()
    return {frozenset(pair): int(p) for pair, p in zip(pairs, parameter[chosen], strict=True)}


def _redundant_directions(angles: IntArray, positions: FloatArray, cell: FloatArray | None) -> FloatArray:
    """Return directions of the angles at one atom along which no displacement leads, (n, n_angles)."""
    ends = np.unique(angles[:, [0, 2]])
    arms = minimum_image(positions[ends] - positions[angles[0, 1]], cell)
    units = arms / np.linalg.norm(arms, axis=1, keepdims=True)
    slopes = np.zeros((len(angles), len(ends), 3))
    for slope, (i, _, k) in zip(slopes, angles, strict=True):
        a, b = np.searchsorted(ends, (i, k))
        cosine = units[a] @ units[b]
        sine = max(np.sqrt(max(1 - cosine**2, 0.0)), 1e-3)
        slope[a], slope[b] = (units[b] - cosine * units[a]) / sine, (units[a] - cosine * units[b]) / sine
    directions, sizes, _ = np.linalg.svd(slopes.reshape(len(angles), -1), full_matrices=True)
    sizes = np.pad(sizes, (0, len(angles) - len(sizes)))
    redundant: FloatArray = directions.T[sizes < REDUNDANT * sizes[0]]
    return redundant
