"""Where a bond breaks: unrestricted solutions whose spins sit on the fragments, followed inwards."""

from typing import Any

import numpy as np
from ase import Atoms
from ase.data import covalent_radii

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import bonded, sides
from mdaug.geometry.molecules import some_lengths
from mdaug.geometry.pairs import molecule_pairs
from mdaug.quantum.level import Level
from mdaug.quantum.mean_field import build_molecule, mean_field, stable

STRETCHED = 1.3
"""A bond longer than this times the sum of its covalent radii may be breaking (O-H 1.26, C-H 1.39, C-O 1.85,
C-C 1.98 Å): ethanol's restricted solutions become unstable at 1.33, 1.68, 1.9 and 2.1 Å."""

Bond = tuple[int, int]


def breaking_bonds(atoms: Atoms, bonds: IntArray) -> tuple[Bond, ...]:
    """Return those of `bonds` (n_bonds, 2) that are stretched beyond 1.3 covalent radii and in no ring."""
    found = []
    for i, j in bonds.tolist():
        limit = STRETCHED * (covalent_radii[atoms.numbers[i]] + covalent_radii[atoms.numbers[j]])
        if atoms.get_distance(i, j) > limit and sides(len(atoms), bonds, (i, j)) is not None:
            found.append((i, j))
    return tuple(found)


def median_bonds(frames: FrameSet) -> IntArray:
    """Return the bonds (n_bonds, 2) of molecules by their median distances.

    Some frames with broken bonds, which such sets often have, shift a mean and not a median.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    median = np.median(some_lengths(frames), axis=0)
    return np.stack([idx_i, idx_j], axis=1)[bonded(frames.atomic_numbers, idx_i, idx_j, median)]


def broken_symmetry(atoms: Atoms, breaking: tuple[Bond, ...], bonds: IntArray, level: Level) -> Any:
    """Return a stable unrestricted solution with opposite spins at both ends of each breaking bond.

    It starts from the high-spin state with one electron more on either side of each breaking bond, whose
    spins are then flipped on every other fragment.
    """
    colors = fragment_colors(len(atoms), bonds, breaking)
    n_open = 2 * len(breaking)
    high = build_molecule(atoms, level.small_basis, level, multiplicity=n_open + level.multiplicity)
    high_spin = mean_field(high, level, unrestricted=True)
    on_flipped = np.repeat(colors == 1, np.diff(high.aoslice_by_atom()[:, 2:])[:, 0])
    return unrestricted_solution(atoms, level, flipped(high_spin.make_rdm1(), on_flipped))


def unrestricted_solution(atoms: Atoms, level: Level, guess: Any = None) -> Any:
    """Return a stable unrestricted solution in the level's small basis, started from `guess` (2, n, n)."""
    molecule = build_molecule(atoms, level.small_basis, level)
    return stable(mean_field(molecule, level, unrestricted=True, guess=guess))


def flipped(density: FloatArray, on_flipped: Any) -> FloatArray:
    """Return `density` (2, n, n) with alpha and beta exchanged among the basis functions `on_flipped` (n,).

    Blocks between flipped and unflipped functions take the mean of both spins.
    """
    new = density.copy()
    inside, between = (
        np.logical_and.outer(on_flipped, on_flipped),
        np.logical_xor.outer(on_flipped, on_flipped),
    )
    new[:, inside] = density[::-1, inside]
    new[:, between] = density[:, between].mean(axis=0)
    return new


def fragment_colors(n_atoms: int, bonds: IntArray, breaking: tuple[Bond, ...]) -> IntArray:
    """Return 0 or 1 for each atom, shape (n_atoms,): different at both ends of each breaking bond only."""
    colors = np.zeros(n_atoms, dtype=np.int64)
    for bond in breaking:
        parts = sides(n_atoms, bonds, bond)
        assert parts is not None, "breaking bonds are in no ring"
        colors[parts[1]] ^= 1
    return colors
