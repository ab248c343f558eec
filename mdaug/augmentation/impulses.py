"""Impulses: atoms of a frame get momenta and move on the potential that labels the augmented frames.

In turns, one to all atoms get Maxwell-Boltzmann momenta, or two atoms get momenta towards each other.
Translation and rotation are removed, and all atoms move at constant energy for some femtoseconds. Shortly
after the impulse its energy is in a few bonds and angles, later it is distributed: the augmented frames have
closed angles, close contacts and stretched bonds that thermal motion does not reach.
"""

from math import ceil
from typing import Protocol, runtime_checkable

import numpy as np
from ase.data import atomic_masses

from mdaug.augmentation.options import AugmentOptions
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.pairs import minimum_image
from mdaug.geometry.rigid_motion import rigid_basis, without_rigid_motion
from mdaug.units import EV_PER_KCAL_MOL, FS

LEAST_STEPS = 50
"""Fewest steps that atoms move after an impulse, however short the time."""

TIMESTEP_FS = 0.5
"""Longest step, fs."""


@runtime_checkable
class PotentialRule(Protocol):
    """A label rule with a potential, whose forces can move atoms."""

    def forces_at(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return forces, eV/Å, shape (n_frames, n_atoms, 3).

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        ...


def apply_impulses(
    parents: FrameSet, rule: PotentialRule, options: AugmentOptions, rng: np.random.Generator
) -> FloatArray:
    """Give impulses to atoms of `parents` and move all atoms by velocity Verlet for up to `impulse_time`.

    Returns
    -------
    How far each has moved, shape (n_frames, n_atoms, 3), Å.
    """
    masses = atomic_masses[parents.atomic_numbers][:, None]
    velocities = draw_velocities(
        parents.positions, masses, options.impulse_energy * EV_PER_KCAL_MOL, rng, parents.periodic_cells
    )
    n_steps = max(LEAST_STEPS, ceil(options.impulse_time / TIMESTEP_FS))
    timestep = rng.uniform(0, options.impulse_time, size=(len(parents), 1, 1)) * FS / n_steps
    positions = parents.positions.copy()
    cells = parents.periodic_cells
    forces = rule.forces_at(positions, cells)
    for _ in range(n_steps):
        velocities += 0.5 * timestep * forces / masses
        positions += timestep * velocities
        forces = rule.forces_at(positions, cells)
        velocities += 0.5 * timestep * forces / masses
    return positions - parents.positions


def draw_velocities(
    positions: FloatArray,
    masses: FloatArray,
    highest_eV: float,
    rng: np.random.Generator,
    cells: FloatArray | None = None,
) -> FloatArray:
    """Return velocities (n_frames, n_atoms, 3), ASE units, of energies uniform in (0, `highest_eV`).

    In every other frame one to all atoms get momenta in random directions, in the rest two towards each
    other; `masses` has shape (n_atoms, 1).
    """
    at_random = np.arange(len(positions)) % 2 == 0
    drawn = np.where(
        at_random[:, None, None],
        _random_momenta(positions, masses, rng),
        _colliding_momenta(positions, rng, cells),
    )
    basis = rigid_basis(positions, masses[:, 0], 3 if cells is not None else None)
    velocities = without_rigid_motion(drawn, masses[:, 0], basis) / masses
    energies = 0.5 * np.sum(masses * velocities**2, axis=(1, 2))
    wanted = rng.uniform(0, highest_eV, size=len(positions))
    return velocities * np.sqrt(wanted / energies)[:, None, None]


def _random_momenta(positions: FloatArray, masses: FloatArray, rng: np.random.Generator) -> FloatArray:
    """One to all atoms of each frame, drawn at random, as in heat."""
    n_frames, n_atoms, _ = positions.shape
    n_moved = rng.integers(1, n_atoms, endpoint=True, size=(n_frames, 1))
    chosen = rng.permuted(np.tile(np.arange(n_atoms), (n_frames, 1)), axis=1) < n_moved
    return rng.standard_normal(positions.shape) * np.sqrt(masses) * chosen[..., None]


def _colliding_momenta(
    positions: FloatArray, rng: np.random.Generator, cells: FloatArray | None
) -> FloatArray:
    """Two atoms of each frame, drawn at random, towards each other."""
    n_frames, n_atoms, _ = positions.shape
    frame = np.arange(n_frames)
    i, j = rng.permuted(np.tile(np.arange(n_atoms), (n_frames, 1)), axis=1)[:, :2].T
    towards = minimum_image((positions[frame, j] - positions[frame, i])[:, None], cells)[:, 0]
    momenta = np.zeros_like(positions)
    momenta[frame, i], momenta[frame, j] = towards, -towards
    return momenta
