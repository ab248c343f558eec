"""Translation and rotation of a whole system: their number, removal from momenta, and exclusion from
vibrations."""

import numpy as np
from ase import Atoms

from mdaug.frames import FloatArray
from mdaug.units import BOLTZMANN_EV_K

LINEAR_WITHIN_A = 0.1
"""A molecule is linear if the root mean square distance of its atoms from one axis is below this (Å)."""

SMALLEST_INERTIA = 1e-6
"""A molecule is linear if its smallest moment of inertia is below this fraction of the largest."""

SMALLEST_RADIUS_A = 1e-6
"""Atoms whose radius of gyration about an axis is below this (Å) do not rotate about it: a single atom."""

NONLINEAR = 6
"""Rigid motions of a molecule that is not linear, without a cell."""


def n_rigid_motions(atoms: Atoms) -> int:
    """Return the number of conserved rigid motions.

    Parameters
    ----------
    atoms
        A molecule or a periodic cell.

    Returns
    -------
    n_rigid
        6 for a molecule, 5 for a linear one, 3 for an atom or a periodic cell.
    """
    if atoms.pbc.any() or len(atoms) == 1:
        return 3
    return 5 if _is_linear(atoms.get_positions()) else NONLINEAR


def degrees_of_freedom(atoms: Atoms) -> int:
    """Return 3N − 6 for a molecule, 3N − 5 for a linear one, 3N − 3 for a periodic cell.

    Parameters
    ----------
    atoms
        A molecule or a periodic cell of N atoms.
    """
    return 3 * len(atoms) - n_rigid_motions(atoms)


def temperature_K(kinetic_eV: float, n_degrees: int) -> float:
    """Return the kinetic temperature T = 2K / (n k_B) in K.

    Parameters
    ----------
    kinetic_eV
        Kinetic energy K, eV.
    n_degrees
        Number of degrees of freedom n.
    """
    return 2.0 * kinetic_eV / (n_degrees * BOLTZMANN_EV_K)


def rigid_basis(positions: FloatArray, masses: FloatArray, n_rigid: int | None = None) -> FloatArray:
    """Return an orthonormal basis of the rigid motions in mass-weighted coordinates √m·r.

    Parameters
    ----------
    positions
        Shape (..., n_atoms, 3), Å: one structure, or several of the same atoms.
    masses
        Shape (n_atoms,), amu; ones for coordinates that are not mass-weighted.
    n_rigid
        3 (translations only), 5 (without the rotation of the smallest moment of inertia) or 6. None decides
        for each structure: a rotation that does not move its atoms is a row of zeros.

    Returns
    -------
    basis
        Shape (..., 3, 5 or 6 with `n_rigid`, n_atoms, 3): three translations √m·e, then rotations
        √m·(e × r), for unit vectors e, orthonormalized. With None the shape is (..., 6, n_atoms, 3).
    """
    root = np.sqrt(masses)[:, None]
    unit = np.eye(3)[:, None, :]
    total = masses.sum()
    shape = (*positions.shape[:-2], 3, *positions.shape[-2:])
    translations = np.broadcast_to(unit * root, shape) / np.sqrt(total)
    if n_rigid == 3:
        return translations
    arms = positions - (masses @ positions / total)[..., None, :]
    moved = (np.cross(unit, arms[..., None, :, :]) * root).reshape(*shape[:-2], -1)
    # the rotations are orthogonal to the translations, as `arms` start at the center of mass; the squared
    # singular values are the principal moments of inertia
    _, singular, directions = np.linalg.svd(moved, full_matrices=False)
    if n_rigid is None:
        smallest = np.maximum(
            np.sqrt(SMALLEST_INERTIA) * singular[..., :1], SMALLEST_RADIUS_A * np.sqrt(total)
        )
        rotations = np.where((singular > smallest)[..., None], directions, 0.0)
    else:
        rotations = directions[..., : n_rigid - 3, :]
    rotations = rotations.reshape(*rotations.shape[:-1], *positions.shape[-2:])
    return np.concatenate([translations, rotations], axis=-3)


def internal_basis(positions: FloatArray, masses: FloatArray, n_rigid: int | None = None) -> FloatArray:
    """Return an orthonormal basis of the internal motions: all that is orthogonal to the `rigid_basis`.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    masses
        Shape (n_atoms,), amu; ones for coordinates that are not mass-weighted.
    n_rigid
        As for `rigid_basis`.

    Returns
    -------
    basis
        Shape (3 n_atoms − number of rigid motions, n_atoms, 3), in mass-weighted coordinates √m·r.
    """
    rigid = rigid_basis(positions, masses, n_rigid).reshape(-1, positions.size)
    rigid = rigid[rigid.any(axis=1)]
    _, _, directions = np.linalg.svd(rigid, full_matrices=True)
    return directions[len(rigid) :].reshape(-1, *positions.shape)


def without_rigid_motion(momenta: FloatArray, masses: FloatArray, basis: FloatArray) -> FloatArray:
    """Return momenta without net translation and rotation.

    Parameters
    ----------
    momenta
        Shape (..., n_atoms, 3), any unit.
    masses
        Shape (n_atoms,), amu.
    basis
        Shape (..., n_rigid, n_atoms, 3), from `rigid_basis` of the same structures and masses.

    Returns
    -------
    momenta
        Shape and unit of the argument `momenta`.
    """
    root = np.sqrt(masses)[:, None]
    weighted = (momenta / root).reshape(*momenta.shape[:-2], -1, 1)
    rows = basis.reshape(*basis.shape[:-2], -1)
    weighted = weighted - np.swapaxes(rows, -1, -2) @ (rows @ weighted)
    return weighted.reshape(momenta.shape) * root


def thermal_momenta(
    positions: FloatArray, masses: FloatArray, temperature_K: float, n_rigid: int, rng: np.random.Generator
) -> FloatArray:
    """Draw Maxwell–Boltzmann momenta without net translation and rotation.

    The distribution is exact, conditional on zero total linear and angular momentum: the mean kinetic energy
    is
    (3N − n_rigid) k_B T / 2.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    masses
        Shape (n_atoms,), amu.
    temperature_K
        Temperature T, K.
    n_rigid
        Number of rigid motions, from `n_rigid_motions`.
    rng
        Source of the random numbers.

    Returns
    -------
    momenta
        Shape (n_atoms, 3), ASE units (amu Å per ASE time).
    """
    sigma = np.sqrt(masses * BOLTZMANN_EV_K * temperature_K)[:, None]
    momenta = sigma * rng.standard_normal(positions.shape)
    return without_rigid_motion(momenta, masses, rigid_basis(positions, masses, n_rigid))


def _is_linear(positions: FloatArray) -> bool:
    """Return whether the atoms lie on one axis, given the root sums of squares of their positions along the
    axes."""
    off_axis = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)[1:]
    return bool(np.sqrt(np.sum(off_axis**2) / len(positions)) < LINEAR_WITHIN_A)
