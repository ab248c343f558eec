"""Translation and rotation of the whole: counted out of the temperature and taken out of the momenta."""

import numpy as np
from ase import Atoms

from mdaug.frames import FloatArray
from mdaug.units import BOLTZMANN_EV_K

LINEAR_WITHIN_A = 0.1
"""A molecule whose atoms lie, root mean square, this close to one axis counts as linear."""


def n_rigid_motions(atoms: Atoms) -> int:
    """Return the number of conserved rigid motions: 6, 5 if linear, 3 in a cell (no rotation)."""
    if atoms.pbc.any():
        return 3
    if len(atoms) == 1:
        return 3
    return 5 if _is_linear(atoms.get_positions()) else 6


def degrees_of_freedom(atoms: Atoms) -> int:
    """Return 3N − 6 for a molecule, 3N − 5 for a linear one, 3N − 3 for a periodic cell."""
    return 3 * len(atoms) - n_rigid_motions(atoms)


def temperature_K(kinetic_eV: float, n_degrees: int) -> float:
    """Return T = 2K / (n k_B) in K."""
    return 2.0 * kinetic_eV / (n_degrees * BOLTZMANN_EV_K)


def rigid_basis(positions: FloatArray, masses: FloatArray, n_rigid: int) -> FloatArray:
    """Return an orthonormal basis of the rigid motions in mass-weighted coordinates.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    masses
        Shape (n_atoms,), amu.
    n_rigid
        3 (translations only), 5 or 6. With 5, the rotation of smallest inertia, about the axis, is left out.

    Returns
    -------
    basis
        Shape (n_rigid, n_atoms, 3); rows are √m·e and √m·(e × r) for unit vectors e, orthonormalised.
    """
    root = np.sqrt(masses)[:, None]
    unit = np.eye(3)[:, None, :]
    translations = np.broadcast_to(unit * root, (3, *positions.shape)) / np.sqrt(masses.sum())
    if n_rigid == 3:
        return translations
    arms = positions - masses @ positions / masses.sum()
    rotations = (np.cross(unit, arms) * root).reshape(3, -1)
    _, _, directions = np.linalg.svd(rotations, full_matrices=False)  # orthogonal to the translations already
    return np.concatenate([translations, directions[: n_rigid - 3].reshape(-1, *positions.shape)])


def without_rigid_motion(momenta: FloatArray, masses: FloatArray, basis: FloatArray) -> FloatArray:
    """Return `momenta` without their net translation and rotation."""
    root = np.sqrt(masses)[:, None]
    weighted = momenta / root
    weighted = weighted - np.tensordot(np.tensordot(basis, weighted, axes=2), basis, axes=1)
    return weighted * root


def thermal_momenta(
    positions: FloatArray, masses: FloatArray, temperature_K: float, n_rigid: int, rng: np.random.Generator
) -> FloatArray:
    """Draw Maxwell–Boltzmann momenta without net translation and rotation, shape (n_atoms, 3), ASE units.

    The drawn distribution is the exact one conditional on zero total momenta: mean kinetic energy
    (3N − n_rigid) k_B T / 2.
    """
    spread = np.sqrt(masses * BOLTZMANN_EV_K * temperature_K)[:, None]
    momenta = spread * rng.standard_normal(positions.shape)
    return without_rigid_motion(momenta, masses, rigid_basis(positions, masses, n_rigid))


def _is_linear(positions: FloatArray) -> bool:
    """Return whether the atoms lie on one axis (singular values: root sums of squares along the axes)."""
    off_axis = np.linalg.svd(positions - positions.mean(axis=0), compute_uv=False)[1:]
    return bool(np.sqrt(np.sum(off_axis**2) / len(positions)) < LINEAR_WITHIN_A)
