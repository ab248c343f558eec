"""Guard that stops a run whose bonds break, whose atoms collide, or whose temperature explodes."""

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from mdaug.frames import FloatArray, image_cells
from mdaug.geometry.bonds import BondImages, bond_images, bond_name
from mdaug.geometry.pairs import molecule_pairs, structure_pairs
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K
from mdaug.geometry.shared_hydrogens import SharedHydrogen
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.geometry.verlet_list import ALL_PAIRS_ATOMS
from mdaug.md.options import DynamicsOptions

COLLIDED_WITHIN = 0.5
"""Two atoms have collided if they are closer than this times the sum of their covalent radii."""

HOTTEST = 10.0
"""Ratio of temperature to target beyond which a run has blown up (plus six degrees of freedom)."""


WIDER_THAN_FRAMES = 1.25
"""A bond is intact up to this times its longest length in the training frames, and down to its shortest
divided by this."""


class Guard:
    """Checks the bonds, the contacts and the temperature of a state.

    Parameters
    ----------
    start
        The structure whose bonds must not break.
    options
        Temperature of the run; ``max_stretch``, longest and (its inverse) shortest length of a bond relative
        to `start`; with ``guard`` off only energies and positions that are not finite are violations.
        ``halt_above`` limits the extrapolation of an atom, whether ``guard`` is on or off.
    trained
        Bonds of the model's training frames. If a bond is longer (shorter) in the frames than ``max_stretch``
        allows, its range in the frames is the limit. For a hydrogen with several partners in the frames the
        distance to the nearest partner counts. Ignored if its atoms are not those of `start`.
    """

    def __init__(self, start: Atoms, options: DynamicsOptions, trained: TrainingBonds | None = None) -> None:
        self._start = start
        self._on, self._halt_above = options.guard, options.halt_above
        self._radii = COLLIDED_WITHIN * covalent_radii[start.numbers]
        small = not start.pbc.any() and len(start) <= ALL_PAIRS_ATOMS
        self._all_pairs = molecule_pairs(len(start)) if small else None
        self._n_degrees = degrees_of_freedom(start)
        # the six are for a diatomic molecule, whose only vibration often has ten times its mean energy
        self._hottest_K = HOTTEST * options.temperature * (1.0 + 6.0 / self._n_degrees)
        if trained is not None and not np.array_equal(trained.atomic_numbers, start.numbers):
            trained = None
        self._cells = image_cells(start.cell.array[None], tuple(start.pbc)) if start.pbc.any() else None
        self._bonds, self._shared = _split_bonds(bond_images(start), trained.shared if trained else ())
        lengths, stretch = self._bonds.lengths, options.max_stretch
        shown = _ranges_in_frames(self._bonds, trained)
        self._shortest = np.fmin(lengths / stretch, shown[:, 0] / WIDER_THAN_FRAMES)
        self._longest = np.fmax(lengths * stretch, shown[:, 1] * WIDER_THAN_FRAMES)
        self._shared_limits = []
        for hydrogen in self._shared:
            nearest = float(hydrogen.nearest_A(start.positions[None], self._cells)[0])
            shortest, longest = hydrogen.range_A
            self._shared_limits.append(
                (
                    min(nearest / stretch, shortest / WIDER_THAN_FRAMES),
                    max(nearest * stretch, longest * WIDER_THAN_FRAMES),
                )
            )

    def violation(
        self,
        positions: FloatArray,
        potential_eV: float,
        kinetic_eV: float,
        extrapolation: FloatArray | None = None,
    ) -> str | None:
        """Return a description of the violation in a state, None if there is none.

        Parameters
        ----------
        positions
            Shape (n_atoms, 3), Å, not wrapped into the cell.
        potential_eV, kinetic_eV
            Energies of the whole system.
        extrapolation
            Of each atom, shape (n_atoms,); None if the calculator does not give it.
        """
        if not (np.isfinite(positions).all() and np.isfinite(potential_eV + kinetic_eV)):
            return "energy or positions are not finite"
        return (self._violation(positions, kinetic_eV) if self._on else None) or self._unlike(extrapolation)

    def _violation(self, positions: FloatArray, kinetic_eV: float) -> str | None:
        temperature = temperature_K(kinetic_eV, self._n_degrees)
        if temperature > self._hottest_K:
            return f"temperature is {temperature:.0f} K (limit {self._hottest_K:.0f} K)"
        return self._broken_bond(positions) or self._lost_hydrogen(positions) or self._collision(positions)

    def _unlike(self, extrapolation: FloatArray | None) -> str | None:
        if self._halt_above is None or extrapolation is None:
            return None
        atom = int(np.argmax(extrapolation))
        if extrapolation[atom] <= self._halt_above:
            return None
        name = bond_name(self._start.numbers, [atom])
        return f"extrapolation of atom {name} is {extrapolation[atom]:.2f} (limit {self._halt_above:g})"

    def _broken_bond(self, positions: FloatArray) -> str | None:
        bonds = self._bonds
        if len(bonds.index) == 0:
            return None
        vectors = positions[bonds.index[:, 1]] - positions[bonds.index[:, 0]] + bonds.shifts
        lengths = np.sqrt(np.einsum("bx,bx->b", vectors, vectors))
        worst = int(
            np.argmax(np.maximum(lengths / self._longest, self._shortest / np.maximum(lengths, 1e-12)))
        )
        if self._shortest[worst] <= lengths[worst] <= self._longest[worst]:
            return None
        at_start = bonds.lengths[worst]
        return (
            f"bond {bond_name(self._start.numbers, bonds.index[worst])} is {lengths[worst]:.2f} Å long, "
            f"{lengths[worst] / at_start:.2f} times its length at the start (limits "
            f"{self._shortest[worst] / at_start:.2f} and {self._longest[worst] / at_start:.2f})"
        )

    def _lost_hydrogen(self, positions: FloatArray) -> str | None:
        numbers = self._start.numbers
        for hydrogen, (shortest, longest) in zip(self._shared, self._shared_limits, strict=True):
            nearest = float(hydrogen.nearest_A(positions[None], self._cells)[0])
            if not shortest <= nearest <= longest:
                partners = ", ".join(bond_name(numbers, [partner]) for partner in hydrogen.partners)
                return (
                    f"{bond_name(numbers, [hydrogen.atom])} is {nearest:.2f} Å from the nearest of its "
                    f"partners {partners} (limits {shortest:.2f} and {longest:.2f} Å)"
                )
        return None

    def _collision(self, positions: FloatArray) -> str | None:
        if self._all_pairs is not None:  # a search would take ten times as long
            idx_i, idx_j = self._all_pairs
            vectors = positions[idx_j] - positions[idx_i]
        else:
            idx_i, idx_j, shifts = structure_pairs(self._start, positions, 2.0 * float(self._radii.max()))
            vectors = positions[idx_j] - positions[idx_i] + shifts
        distances = np.sqrt(np.einsum("px,px->p", vectors, vectors))
        limits = self._radii[idx_i] + self._radii[idx_j]
        collided = np.flatnonzero(distances < limits)
        if len(collided) == 0:
            return None
        pair = collided[0]
        name = bond_name(self._start.numbers, (idx_i[pair], idx_j[pair]))
        return f"atoms {name} are {distances[pair]:.2f} Å apart (limit {limits[pair]:.2f} Å)"


def _split_bonds(
    bonds: BondImages, shared: tuple[SharedHydrogen, ...]
) -> tuple[BondImages, list[SharedHydrogen]]:
    """Return the bonds without those of shared hydrogens to their partners, and the hydrogens that have
    any."""
    kept, bonded_hydrogens = np.ones(len(bonds.index), dtype=bool), []
    for hydrogen in shared:
        has_partner = np.isin(bonds.index, hydrogen.partners).any(axis=1)
        to_partner = (bonds.index == hydrogen.atom).any(axis=1) & has_partner
        if to_partner.any():
            kept &= ~to_partner
            bonded_hydrogens.append(hydrogen)
    return BondImages(bonds.index[kept], bonds.shifts[kept], bonds.lengths[kept]), bonded_hydrogens


def _ranges_in_frames(bonds: BondImages, trained: TrainingBonds | None) -> FloatArray:
    """Return the shortest and longest length of each bond in the training frames, NaN where unknown."""
    ranges = np.full((len(bonds.index), 2), np.nan)
    if trained is not None:
        row = {tuple(pair): k for k, pair in enumerate(trained.bonds.tolist())}
        for k, (i, j) in enumerate(bonds.index.tolist()):
            if (min(i, j), max(i, j)) in row:
                ranges[k] = trained.range_A[row[min(i, j), max(i, j)]]
    return ranges
