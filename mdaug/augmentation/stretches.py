"""Rigid stretches: the smaller side of a bond moves along it, and all atoms get a little noise."""

from collections.abc import Collection

import numpy as np

from mdaug.augmentation.displacements import Displacements, random_vectors
from mdaug.augmentation.options import AugmentOptions
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import moving_side
from mdaug.geometry.molecules import frame_bonds, molecular_cells
from mdaug.geometry.pairs import minimum_image

RANGE = 0.6, 2.5
"""Default range of lengths, in mean lengths. In molecules the longest is the cutoff, if that is longer: at
distances that no frame shows, a network makes spurious maxima (methylammonium, N-H at 3.2 Å: 100 kcal/mol).
In a cell an atom as far away would be close to the next molecule."""

DISSOCIATING = "force-matched", "gfn2-xtb"
"""Rules whose labels of a broken bond are finite."""


def stretched(
    positions: FloatArray,
    bond: tuple[int, int],
    moving: IntArray,
    factor: float,
    cell: FloatArray | None = None,
) -> FloatArray:
    """Return positions with one bond `factor` times as long, Å, shape (n_atoms, 3).

    Parameters
    ----------
    positions
        Å, shape (n_atoms, 3).
    bond
        Indices of its two atoms.
    moving
        Indices of the atoms on the side that moves.
    factor
        New length over present length.
    cell
        Cell vectors in rows, Å, shape (3, 3); None for no cell.
    """
    shifted = positions.copy()
    shifted[moving] += (factor - 1) * _towards_moving(positions, bond, moving, cell)
    return shifted


class Stretcher:
    """Draws rigid stretches of bonds.

    Parameters
    ----------
    frames
        Frames of the same molecules.
    excluded
        Bonds (i, j), i < j, that must not be stretched.

    Raises
    ------
    DataError
        If the frames have no such bond outside rings (a chain of bonds from an atom to its own image is a
        ring), or a cell too narrow.
    """

    def __init__(self, frames: FrameSet, excluded: Collection[tuple[int, int]] = ()) -> None:
        molecular_cells(frames)
        bonds = frame_bonds(frames)
        candidates = [
            ((int(i), int(j)), moving_side(frames.atomic_numbers, bonds.all_bonds, (i, j)), length)
            for (i, j), length in zip(bonds.lasting, bonds.mean_A, strict=True)
        ]
        self.bonds = [
            (bond, moving, length)
            for bond, moving, length in candidates
            if moving is not None and bond not in excluded
        ]
        if not self.bonds:
            raise DataError(f"{frames.name}: no bond outside rings that may be stretched")

    def draw(self, parents: FrameSet, options: AugmentOptions, rng: np.random.Generator) -> Displacements:
        """Return one random bond of each parent stretched to a random length, with noise on all atoms.

        Parameters
        ----------
        parents
            The frames to stretch.
        options
            Range of lengths, noise, and the cutoff.
        rng
            Random numbers.
        """
        displacements = random_vectors((len(parents), parents.n_atoms), options.stretch_noise, "ball", rng)
        fractions = rng.uniform(size=len(parents))
        chosen = rng.integers(len(self.bonds), size=len(parents))
        shortest, longest = self._range(options, periodic=parents.periodic)
        factors = shortest + fractions * (longest[chosen] - shortest)
        cells = [None] * len(parents) if parents.periodic_cells is None else parents.periodic_cells
        for shift, positions, cell, factor, number in zip(
            displacements, parents.positions, cells, factors, chosen, strict=True
        ):
            bond, moving, length = self.bonds[number]
            towards = _towards_moving(positions, bond, moving, cell)
            shift[moving] += (factor * length / np.linalg.norm(towards) - 1) * towards
        return Displacements.of(parents, displacements, options.cutoff)

    def _range(self, options: AugmentOptions, *, periodic: bool) -> tuple[float, FloatArray]:
        """Return the shortest and the longest length of each bond, in its mean lengths."""
        shortest, longest = options.stretch_range or RANGE
        of_bonds = np.full(len(self.bonds), longest)
        if options.stretch_range is None and options.rule in DISSOCIATING and not periodic:
            lengths = np.array([length for _, _, length in self.bonds])
            of_bonds = np.maximum(longest, options.cutoff / lengths)
        return shortest, of_bonds


def _towards_moving(
    positions: FloatArray, bond: tuple[int, int], moving: IntArray, cell: FloatArray | None
) -> FloatArray:
    """Return the vector along the bond from the fixed to the moving atom, Å."""
    fixed_atom, moving_atom = bond if bond[1] in moving else bond[::-1]
    return minimum_image(positions[moving_atom] - positions[fixed_atom], cell)
