"""Guard that stops a run whose bonds break, whose atoms collide, or whose temperature explodes."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from mdaug.frames import FloatArray
from mdaug.geometry.bonds import bond_images, bond_name
from mdaug.geometry.pairs import structure_pairs
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K
from mdaug.md.options import DynamicsOptions

COLLIDED_WITHIN = 0.5
"""Two atoms have collided if closer than this times the sum of their covalent radii."""

HOTTEST = 10.0
"""A run hotter than this times its temperature (and by six degrees of freedom more) has blown up."""


class Guard:
    """Checks a state against the bonds and the temperature of a run.

    Parameters
    ----------
    start
        The structure whose bonds must hold.
    options
        Temperature of the run; ``max_stretch``, longest and (its inverse) shortest length of a bond relative
        to `start`; with ``guard`` off only energies and positions that are not finite are violations.
    """

    def __init__(self, start: Atoms, options: DynamicsOptions) -> None:
        self._start = start
        self._bonds = bond_images(start)
        self._on, self._max_stretch = options.guard, options.max_stretch
        self._radii = COLLIDED_WITHIN * covalent_radii[start.numbers]
        self._n_degrees = degrees_of_freedom(start)
        # the six are for a diatomic, whose one vibration often holds ten times its mean energy
        self._hottest_K = HOTTEST * options.temperature * (1.0 + 6.0 / self._n_degrees)

    def violation(self, positions: FloatArray, potential_eV: float, kinetic_eV: float) -> str | None:
        """Return what is wrong with a state, in words, or None.

        Parameters
        ----------
        positions
            Shape (n_atoms, 3), Å, not wrapped into the cell.
        potential_eV, kinetic_eV
            Energies of the whole system.
        """
        if not (np.isfinite(positions).all() and np.isfinite(potential_eV + kinetic_eV)):
            return "energy or positions are not finite"
        if not self._on:
            return None
        temperature = temperature_K(kinetic_eV, self._n_degrees)
        if temperature > self._hottest_K:
            return f"temperature is {temperature:.0f} K (limit {self._hottest_K:.0f} K)"
        return self._broken_bond(positions) or self._collision(positions)

    def _broken_bond(self, positions: FloatArray) -> str | None:
        bonds = self._bonds
        if len(bonds.index) == 0:
            return None
        vectors = positions[bonds.index[:, 1]] - positions[bonds.index[:, 0]] + bonds.shifts
        lengths = np.sqrt(np.einsum("bx,bx->b", vectors, vectors))
        stretch = lengths / bonds.lengths
        worst = int(np.argmax(np.maximum(stretch, 1.0 / np.maximum(stretch, 1e-12))))
        if 1.0 / self._max_stretch <= stretch[worst] <= self._max_stretch:
            return None
        return (
            f"bond {bond_name(self._start.numbers, bonds.index[worst])} is {lengths[worst]:.2f} Å long, "
            f"{stretch[worst]:.2f} times its length at the start (limits {1 / self._max_stretch:.2f} "
            f"and {self._max_stretch:.2f})"
        )

    def _collision(self, positions: FloatArray) -> str | None:
        idx_i, idx_j, shifts = structure_pairs(self._start, positions, 2.0 * float(self._radii.max()))
        distances = np.linalg.norm(positions[idx_j] - positions[idx_i] + shifts, axis=1)
        limits = self._radii[idx_i] + self._radii[idx_j]
        collided = np.flatnonzero(distances < limits)
        if len(collided) == 0:
            return None
        pair = collided[0]
        name = bond_name(self._start.numbers, (idx_i[pair], idx_j[pair]))
        return f"atoms {name} are {distances[pair]:.2f} Å apart (limit {limits[pair]:.2f} Å)"
