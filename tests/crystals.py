"""Frames of a crystal with stresses, and derivatives in strain by differences."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from mdaug.frames import FloatArray, FrameSet

STRAIN = 1e-4


def copper(
    n: int = 8,
    seed: int = 0,
    *,
    repeat: int = 1,
    shear: float = 0.03,
    swelling: float = 0.0,
    noise: float = 0.05,
) -> FrameSet:
    """Return cells of 4 · repeat³ atoms with energies, forces and stresses of EMT.

    Parameters
    ----------
    n
        Number of frames.
    seed
        Of the random numbers.
    repeat
        Number of cubic cells in each direction.
    shear
        Standard deviation of the components of the strain.
    swelling
        Standard deviation of a strain that is the same in all directions.
    noise
        Standard deviation of the displacements of atoms, Å.
    """
    rng, found = np.random.default_rng(seed), []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True).repeat(repeat)
        strain = shear * rng.standard_normal((3, 3))
        if swelling:
            strain += swelling * rng.standard_normal() * np.eye(3)
        atoms.set_cell(atoms.cell @ (np.eye(3) + strain), scale_atoms=True)
        atoms.positions += noise * rng.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        given = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
        found.append((atoms.positions.copy(), atoms.cell.array.copy(), *given))
    positions, cells, energies, forces, stresses = (np.array(each) for each in zip(*found, strict=True))
    periodic = {"cells": cells, "pbc": (True, True, True), "stresses": stresses, "name": "copper"}
    return FrameSet(np.full(4 * repeat**3, 29), positions, energies, forces, **periodic)


def strained(frames: FrameSet, strain: FloatArray) -> FrameSet:
    """Return frames whose cells and positions are stretched by 1 + `strain`."""
    stretch = np.eye(3) + strain
    return replace(frames, positions=frames.positions @ stretch, cells=frames.cells @ stretch)


def slopes_in_strain(energies_of: Callable[[FrameSet], FloatArray], frames: FrameSet) -> FloatArray:
    """Return ∂E/∂ε of each frame for symmetric strains, (n_frames, 3, 3), by central differences."""
    found = np.empty((len(frames), 3, 3))
    for i in range(3):
        for j in range(3):
            strain = np.zeros((3, 3))
            strain[i, j] += STRAIN / 2
            strain[j, i] += STRAIN / 2
            ahead, behind = (energies_of(strained(frames, s)) for s in (strain, -strain))
            found[:, i, j] = (ahead - behind) / (2 * STRAIN)
    return found
