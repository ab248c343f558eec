"""Where a stretched bond runs into other molecules or periodic images, and its curve stops being its own."""

import warnings

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import bond_images, bond_name, find_bonds
from mdaug.geometry.molecules import molecule_of_atom


def warn_of_contacts(start: Atoms, moving: IntArray, shifts: FloatArray, distances_A: FloatArray) -> None:
    """Warn of the point nearest to the start at which moved atoms are within bonding distance of strangers.

    Parameters
    ----------
    start
        Geometry before anything moves.
    moving
        Atoms that move.
    shifts
        Their displacement at each point, shape (n_points, 3), Å.
    distances_A
        Length of the bond at each point, shape (n_points,).
    """
    molecule = molecule_of_atom(len(start), find_bonds(start))
    if molecule.max() == 0 and not start.pbc.any():
        return
    for k in np.argsort(np.linalg.norm(shifts, axis=1)):
        met = _strangers(start, molecule, moving, shifts[k])
        if len(met):
            warnings.warn(
                f"at {distances_A[k]:.2f} Å the moved atoms come within bonding distance of another molecule "
                f"or image ({bond_name(start.numbers, met[0])}): from there on the curve is not that of the "
                "bond alone; scan a shorter --range, or the molecule by itself",
                stacklevel=3,
            )
            return


def _strangers(start: Atoms, molecule: IntArray, moving: IntArray, shift: FloatArray) -> IntArray:
    """Return the bonded pairs (n, 2) of moved atoms with atoms of other molecules or of an image."""
    moved = start.copy()
    moved.positions[moving] += shift
    found = bond_images(moved)
    i, j = found.index.T
    apart = start.positions[j] - start.positions[i]
    image = find_mic(apart, start.cell, start.pbc)[0] - apart  # that of the molecule before anything moved
    elsewhere = np.linalg.norm(found.shifts - image, axis=1) > 1e-6
    strange = (molecule[i] != molecule[j]) | elsewhere
    pairs: IntArray = found.index[strange & (np.isin(i, moving) | np.isin(j, moving))]
    return pairs
