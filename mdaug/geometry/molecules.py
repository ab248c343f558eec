"""Molecules of a set of frames: mean bonds, number of molecules, and molecules that separate."""

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import frame_bond_graphs
from mdaug.geometry.bonds import bonded, single_bond_lengths
from mdaug.geometry.pairs import molecule_pairs, narrowest_width, pair_lengths

APART_A = 6.0
"""Molecules whose nearest atoms are farther apart than this (Å) have separated; it exceeds usual cutoffs."""

NARROWEST_A = 8.0
"""Smallest width (Å) of a cell with molecules: half of it exceeds the length of a bond stretched 2.5-fold."""

AT_ONCE = 4_000_000
"""Largest number of pairs held in memory at once."""

LASTING = 0.9
"""Least fraction of the frames in which two atoms with a lasting bond are bonded."""

SOMETIMES, SOMETIMES_HYDROGEN = 0.05, 0.02
"""Least fraction of the frames in which two atoms with a changing bond are bonded: for any two atoms, and for
a hydrogen and one of its partners."""

HYDROGEN = 1

MAX_FRAMES = 300
"""Largest number of frames, evenly spaced, in which separated molecules are searched."""


def molecule_of_atom(n_atoms: int, bonds: IntArray) -> IntArray:
    """Return the number of the molecule that each atom belongs to.

    Parameters
    ----------
    n_atoms
        Number of atoms.
    bonds
        Shape (n_bonds, 2); an atom without a bond is a molecule of its own.

    Returns
    -------
    molecule
        Shape (n_atoms,), numbered from 0.
    """
    graph = coo_array((np.ones(len(bonds)), bonds.T), shape=(n_atoms, n_atoms))
    numbers: IntArray = connected_components(graph, directed=False)[1].astype(np.int64)
    return numbers


def sampled_pair_lengths(frames: FrameSet) -> FloatArray:
    """Return distances of all pairs of atoms, to nearest images, in as many frames as fit in memory.

    Parameters
    ----------
    frames
        Molecules or cells; if they are too many, evenly spaced ones are taken.

    Returns
    -------
    lengths
        Shape (n_frames_taken, n_pairs), Å; pairs in the order of `molecule_pairs`.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    sample = _sample(frames)
    return pair_lengths(sample.positions, sample.periodic_cells, idx_i, idx_j)


def _sample(frames: FrameSet) -> FrameSet:
    n_pairs = frames.n_atoms * (frames.n_atoms - 1) // 2
    return frames.evenly_spaced(max(1, AT_ONCE // max(1, n_pairs)))


def mean_lengths(frames: FrameSet) -> FloatArray:
    """Return the mean of the `sampled_pair_lengths` over frames.

    Parameters
    ----------
    frames
        Molecules or cells.

    Returns
    -------
    lengths
        Shape (n_pairs,), Å; pairs in the order of `molecule_pairs`.
    """
    return sampled_pair_lengths(frames).mean(axis=0)


@dataclass(frozen=True)
class FrameBonds:
    """Bonds of the molecules in a set of frames.

    Parameters
    ----------
    lasting
        Lasting bonds, shape (n_bonds, 2), i < j, sorted.
    mean_A
        Their mean lengths, shape (n_bonds,), Å.
    changing
        Bonds that exist in some frames only, shape (n_changing, 2), i < j, sorted: those of a hydrogen that
        moves between partners (a shared proton), and bonds that break or form.
    """

    lasting: IntArray
    mean_A: FloatArray
    changing: IntArray

    @property
    def all_bonds(self) -> IntArray:
        """Lasting and changing bonds, shape (n, 2), i < j."""
        return np.concatenate([self.lasting, self.changing])


def frame_bonds(frames: FrameSet) -> FrameBonds:
    """Return the bonds of the molecules in `frames`, from the bonds of each frame.

    Two atoms have a lasting bond if they are bonded in nearly all frames, or at their mean distance. Changing
    bonds are those of a hydrogen that is nearest to one partner in some frames and to another one in others
    (not those of a hydrogen that bridges two atoms all the time), and bonds of other atoms that exist in some
    frames only.

    Parameters
    ----------
    frames
        Molecules or cells.
    """
    sample, numbers = _sample(frames), frames.atomic_numbers
    graphs = frame_bond_graphs(sample)
    pairs, occurrence = graphs.pairs, graphs.occurrence
    idx_i, idx_j = pairs.T
    lengths = pair_lengths(sample.positions, sample.periodic_cells, idx_i, idx_j)
    mean = lengths.mean(axis=0)
    lasting = bonded(numbers, idx_i, idx_j, mean) | (occurrence >= LASTING)
    changing = (occurrence >= SOMETIMES) & ~lasting
    relative = lengths / single_bond_lengths(numbers[idx_i], numbers[idx_j])
    for atom in np.flatnonzero(numbers == HYDROGEN):
        own = np.flatnonzero((pairs == atom).any(axis=1))
        if len(own) == 0:
            continue
        nearest = np.bincount(relative[:, own].argmin(axis=1), minlength=len(own)) / len(lengths)
        partners = own[np.minimum(nearest, occurrence[own]) >= SOMETIMES_HYDROGEN]
        if len(partners) > 1 and occurrence[partners].min() < LASTING:
            lasting[partners], changing[partners] = False, True
        elif lasting[own].any():  # its other neighbors are close, not bonded
            changing[own] = False
    return FrameBonds(pairs[lasting], mean[lasting], pairs[changing])


def mean_bonds(frames: FrameSet) -> tuple[IntArray, FloatArray]:
    """Return the lasting bonds of `frame_bonds`.

    Parameters
    ----------
    frames
        Molecules or cells.

    Returns
    -------
    bonds
        Shape (n_bonds, 2), i < j.
    lengths
        Mean lengths, shape (n_bonds,), Å.
    """
    bonds = frame_bonds(frames)
    return bonds.lasting, bonds.mean_A


def frame_molecules(frames: FrameSet) -> IntArray:
    """Return the number of the molecule of each atom, by all bonds of `frame_bonds`.

    Parameters
    ----------
    frames
        Molecules or cells.

    Returns
    -------
    molecule
        Shape (n_atoms,), numbered from 0.
    """
    return molecule_of_atom(frames.n_atoms, frame_bonds(frames).all_bonds)


def count_molecules(frames: FrameSet) -> int:
    """Return the number of molecules in each frame.

    Parameters
    ----------
    frames
        Molecules or cells.
    """
    return int(frame_molecules(frames).max()) + 1


def molecular_cells(frames: FrameSet) -> FloatArray | None:
    """Return the `periodic_cells` of frames with molecules.

    Parameters
    ----------
    frames
        Molecules or cells.

    Raises
    ------
    DataError
        The cells are so narrow that a molecule may touch its own image.
    """
    cells = frames.periodic_cells
    if cells is None:
        return None
    width = narrowest_width(cells)
    if width < NARROWEST_A:
        raise DataError(
            f"{frames.name}: the cell is {width:.3g} Å wide; to distinguish molecules from their images it "
            f"must be at least {NARROWEST_A:g} Å wide"
        )
    return cells


def connects_to_own_image(positions: FloatArray, bonds: IntArray, cell: FloatArray) -> bool:
    """Return whether a chain of bonds connects some atom to its own periodic image.

    If not, every atom can be shifted by lattice vectors such that no bond crosses a face of the cell.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    bonds
        Shape (n_bonds, 2).
    cell
        Shape (3, 3), Å; rows are lattice vectors.
    """
    vectors = positions[bonds[:, 1]] - positions[bonds[:, 0]]
    crossed = np.round(vectors @ np.linalg.inv(cell))
    incidence = np.zeros((len(bonds), len(positions)))
    incidence[np.arange(len(bonds)), bonds[:, 1]] += 1
    incidence[np.arange(len(bonds)), bonds[:, 0]] -= 1
    shifts = np.linalg.lstsq(incidence, crossed)[0]
    return bool(np.abs(incidence @ shifts - crossed).max() > 1e-6)


def has_parted(positions: FloatArray) -> bool:
    """Return whether some atoms are farther than `APART_A` from all others.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    """
    idx_i, idx_j = molecule_pairs(len(positions))
    within = pair_lengths(positions[None], None, idx_i, idx_j)[0] < APART_A
    if within.all():  # as in small molecules, without a search for connected atoms
        return False
    return bool(molecule_of_atom(len(positions), np.stack([idx_i, idx_j], axis=1)[within]).any())


def warn_of_parting(frames: FrameSet) -> None:
    """Warn of frames in which molecules have separated or a fragment has left its molecule.

    Parameters
    ----------
    frames
        Molecules; periodic frames are not checked.

    Warns
    -----
    UserWarning
        In some frames `has_parted` is true.
    """
    if frames.periodic:
        return
    sample = frames.evenly_spaced(MAX_FRAMES)
    n_parted = sum(has_parted(positions) for positions in sample.positions)
    if n_parted:
        warnings.warn(
            f"{frames.name}: in {n_parted} of {len(sample)} frames some atoms are more than {APART_A:g} Å "
            "away from all others (an evaporated molecule or a broken bond). The network's cutoff is "
            "shorter, and springs have no meaning there; sample colder or shorter, or leave these frames out",
            stacklevel=2,
        )
