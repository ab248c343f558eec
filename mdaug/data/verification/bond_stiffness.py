"""Absolute scale of lengths and forces: nearest distances and the stiffness of bonds.

The stiffness of a bond is the slope of the force along it with its length, k = −cov(f, d)/var(d) over the
frames. It needs no temperature, no equilibrium and no zero of energy. Its expected value follows from the
bond's length by Badger's rule, k = 1.86 mdyn/Å · (1 Å/(d − d_ij))³ (DOI 10.1063/1.1749433), within a factor
of about two for bonds between nonmetals. The median over all bonds of a molecule is closer.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.data import atomic_numbers as number_of
from ase.data import chemical_symbols

from mdaug.frames import FloatArray, FrameSet, IntArray, evenly_spaced
from mdaug.geometry.bond_graphs import frame_bond_graphs
from mdaug.geometry.bonds import BoolArray, longest_bond, single_bond_lengths
from mdaug.geometry.pairs import minimum_image

LASTING, MAX_BOND_FRAMES = 0.5, 50
"""Share of the frames in which two atoms are bonded at least, and frames that are looked at."""

BOND_SPREAD_A = (0.003, 0.2)
"""Standard deviation of a bond's length: below it is a constraint, above it is breaking."""

FIRM = 0.7
"""Bonds with a weaker correlation of stretch and force are left out where there are others."""

NOBLE_GASES = (2, 10, 18, 36, 54, 86)

NONMETALS = np.array(
    [
        number_of[s]
        for s in ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "Ge", "As", "Se", "Br", "Te", "I")
    ]
)

BADGER_EV_A = 1.86 * 6.241509
"""Badger's constant, mdyn Å² in eV Å."""

BADGER_CORE_A = (0.0, 0.34, 0.59, 0.65, 0.72)
"""d_ij as a sum over the two atoms' rows (H, Li–F, Na–Cl, …): within 0.03 Å of Badger's table."""

LAST_OF_ROW = (2, 10, 18, 36)
"""Atomic numbers of the noble gases that end the first rows."""

MAX_LENGTH_ATOMS = 100
"""Atoms of a frame whose nearest neighbors are looked at."""


@dataclass(frozen=True)
class BondStiffness:
    """Bonds between nonmetals and their stiffness.

    Parameters
    ----------
    idx_i, idx_j
        Shape (n_bonds,).
    measured
        Shape (n_bonds,), eV/Å², from forces and distances; negative where the forces have the wrong sign.
    expected
        Shape (n_bonds,), eV/Å², from lengths by Badger's rule.
    correlations
        Of all bonds, also those left out above: correlation of stretch and restoring force; 0.8 to 0.97 in
        clean sets, near 0 for forces of other frames or atoms, negative for gradients.
    """

    idx_i: IntArray
    idx_j: IntArray
    measured: FloatArray
    expected: FloatArray
    correlations: FloatArray

    @property
    def factor(self) -> float:
        """Median of measured over expected."""
        return float(np.median(self.measured / self.expected))

    @property
    def correlation(self) -> float:
        """Median of the correlations."""
        return float(np.median(self.correlations))

    def describe(self, atomic_numbers: IntArray) -> str:
        """Return the bond in the middle as text: ``bond O-H would have a stiffness of …``."""
        middle = int(np.argsort(self.measured / self.expected)[len(self.measured) // 2])
        pair = "-".join(chemical_symbols[atomic_numbers[idx[middle]]] for idx in (self.idx_i, self.idx_j))
        return (
            f"bond {pair} would have a stiffness of {self.measured[middle]:.3g} eV/Å²; "
            f"expected about {self.expected[middle]:.2g}"
        )


def length_ratios(frames: FrameSet) -> FloatArray | None:
    """Return for each frame the median over atoms of the nearest distance over the sum of the covalent radii.

    About 1 for bonded atoms and lengths in Å, whatever the bonds; 1.9 where Bohr are read as Å.

    Parameters
    ----------
    frames
        Any frames.

    Returns
    -------
    array or None
        Shape (n_frames,); None for single atoms and for noble gases, which form no bonds.
    """
    bonding = bonding_atoms(frames.atomic_numbers)
    if len(bonding) == 0 or frames.n_atoms < 2:
        return None
    cells = frames.periodic_cells
    atoms = bonding[evenly_spaced(len(bonding), MAX_LENGTH_ATOMS)]
    numbers = frames.atomic_numbers
    sums = single_bond_lengths(numbers[atoms][:, None], numbers)
    sums[np.arange(len(atoms)), atoms] = np.nan
    ratios = np.empty(len(frames))
    for n in range(len(frames)):
        vectors = frames.positions[n] - frames.positions[n, atoms][:, None]
        vectors = minimum_image(vectors.reshape(-1, 3), None if cells is None else cells[n])
        distances = np.linalg.norm(vectors, axis=1).reshape(len(atoms), -1)
        ratios[n] = np.median(np.nanmin(distances / sums, axis=1))
    return ratios


def bonding_atoms(atomic_numbers: IntArray) -> IntArray:
    """Return the indices of the atoms that are no noble gases."""
    return np.flatnonzero(~np.isin(atomic_numbers, NOBLE_GASES))


def bond_stiffness(frames: FrameSet) -> BondStiffness | None:
    """Return the bonds between nonmetals that vibrate; None if there are none.

    Parameters
    ----------
    frames
        Positions in Å, forces as they are read.
    """
    bonds = vibrating_bonds(frames)
    if bonds is None:
        return None
    idx_i, idx_j, d_ij, pull = bonds
    stretch = d_ij - d_ij.mean(axis=0)
    measured = np.sum(stretch * pull, axis=0) / np.sum(stretch**2, axis=0)
    scale = np.sqrt(np.sum(stretch**2, axis=0) * np.sum((pull - pull.mean(axis=0)) ** 2, axis=0))
    correlations = np.sum(stretch * pull, axis=0) / np.maximum(scale, 1e-300)
    firm = np.abs(correlations) > FIRM
    if firm.any():  # a bond that breaks, or a shared proton, has no stiffness of its own
        d_ij, idx_i, idx_j = d_ij[:, firm], idx_i[firm], idx_j[firm]
        measured = measured[firm]
    expected = expected_stiffness(frames.atomic_numbers, idx_i, idx_j, d_ij.mean(axis=0))
    return BondStiffness(idx_i, idx_j, measured, expected, correlations)


class VibratingBonds(NamedTuple):
    """Bonds between nonmetals that vibrate.

    Attributes
    ----------
    idx_i, idx_j
        Shape (n_bonds,).
    d_ij
        Shape (n_frames, n_bonds), lengths in Å.
    pull
        Shape (n_frames, n_bonds), forces that shorten the bonds, eV/Å.
    """

    idx_i: IntArray
    idx_j: IntArray
    d_ij: FloatArray
    pull: FloatArray


def vibrating_bonds(frames: FrameSet) -> VibratingBonds | None:
    """Return the bonds between nonmetals that vibrate; None if there are none.

    Parameters
    ----------
    frames
        Positions in Å, forces as they are read.
    """
    idx_i, idx_j = lasting_bonds(frames)
    nonmetal = np.isin(frames.atomic_numbers, NONMETALS)
    use = nonmetal[idx_i] & nonmetal[idx_j]
    idx_i, idx_j = idx_i[use], idx_j[use]
    if len(idx_i) == 0:
        return None
    d_ij, pull = bond_pulls(frames, idx_i, idx_j, longest_bond(frames.atomic_numbers))
    use = vibrating(d_ij)
    if not use.any():
        return None
    return VibratingBonds(idx_i[use], idx_j[use], d_ij[:, use], pull[:, use] / 2)


def expected_stiffness(
    atomic_numbers: IntArray, idx_i: IntArray, idx_j: IntArray, d_ij: FloatArray
) -> FloatArray:
    """Return the stiffness of bonds by Badger's rule, (n_bonds,), eV/Å².

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    idx_i, idx_j
        Shape (n_bonds,).
    d_ij
        Shape (n_bonds,), mean lengths, Å.
    """
    core = np.array(BADGER_CORE_A)[np.searchsorted(LAST_OF_ROW, atomic_numbers)]
    stiffness: FloatArray = BADGER_EV_A / np.maximum(d_ij - core[idx_i] - core[idx_j], 0.3) ** 3
    return stiffness


def lasting_bonds(frames: FrameSet) -> tuple[IntArray, IntArray]:
    """Return the pairs of atoms that are bonded in most frames, idx_i and idx_j, each of shape (n_bonds,).

    Parameters
    ----------
    frames
        Of them `MAX_BOND_FRAMES`, evenly spaced, are looked at.
    """
    graphs = frame_bond_graphs(frames.evenly_spaced(MAX_BOND_FRAMES))
    idx_i, idx_j = graphs.pairs[graphs.occurrence >= LASTING].T
    return idx_i, idx_j


def bond_pulls(
    frames: FrameSet, idx_i: IntArray, idx_j: IntArray, cutoff: float = 0.0
) -> tuple[FloatArray, FloatArray]:
    """Return lengths d_ij (Å) of bonds and the pull that shortens them, (F_i − F_j)·(r_j − r_i)/d_ij (eV/Å).

    Parameters
    ----------
    frames
        Any frames.
    idx_i, idx_j
        Shape (n_bonds,).
    cutoff
        Longest bond whose nearest image must be exact, as for `minimum_image`.

    Returns
    -------
    d_ij, pull
        Both of shape (n_frames, n_bonds).
    """
    vectors = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    vectors = minimum_image(vectors, frames.periodic_cells, cutoff)
    d_ij = np.linalg.norm(vectors, axis=2)
    pull = np.einsum("npx,npx->np", frames.forces[:, idx_i] - frames.forces[:, idx_j], vectors) / d_ij
    return d_ij, pull


def vibrating(d_ij: FloatArray) -> BoolArray:
    """Return which bonds vibrate, (n_bonds,): neither constrained nor breaking.

    Parameters
    ----------
    d_ij
        Lengths of bonds, shape (n_frames, n_bonds), Å.
    """
    spread = d_ij.std(axis=0)
    is_vibrating: BoolArray = (spread > BOND_SPREAD_A[0]) & (spread < BOND_SPREAD_A[1])
    return is_vibrating
