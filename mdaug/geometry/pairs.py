"""Atom pairs: all pairs of a molecule, neighbor pairs within a cutoff, nearest periodic images.

Cells are those of `FrameSet.periodic_cells`: the vector of an open direction is so long that no pair crosses
it.
"""

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray

if TYPE_CHECKING:
    from torch import Tensor

ArrayOrTensor = TypeVar("ArrayOrTensor", FloatArray, "Tensor")

MAX_NEIGHBORS = 1e5
"""Neighbors of an atom; within 12 Å a dense crystal has 2000."""

_BALLS = (2.0, np.pi, 4 * np.pi / 3)
"""Length, area and volume of a ball of radius 1."""

_MAX_GRID_BOXES = 100_000
"""Largest number of boxes in vesin's grid. For more boxes, vesin widens all of them by one factor, and
divides by zero if a direction then has less than one box."""

_FARTHEST_A = 1e12
"""Positions beyond this (Å) have a resolution of only 0.0001 Å in double precision."""


def molecule_pairs(n_atoms: int) -> tuple[IntArray, IntArray]:
    """Return all unordered pairs of atoms.

    Parameters
    ----------
    n_atoms
        Number of atoms.

    Returns
    -------
    idx_i, idx_j
        Shape (n_pairs,), ``idx_i < idx_j``.
    """
    idx_i, idx_j = np.triu_indices(n_atoms, k=1)
    return idx_i.astype(np.int64), idx_j.astype(np.int64)


def check_lattice(cell: FloatArray, periodic: NDArray[np.bool_]) -> None:
    """Check that the lattice vectors of periodic directions are finite and independent.

    Parameters
    ----------
    cell
        Shape (3, 3), Å, rows are lattice vectors.
    periodic
        Shape (3,).

    Raises
    ------
    DataError
        A vector is not finite, zero, or in one plane or line with others.
    """
    if not np.isfinite(cell).all():
        raise DataError(f"the cell is {cell.tolist()}; expected finite numbers")
    vectors = cell[periodic]
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not lengths.all() or np.linalg.matrix_rank(vectors / lengths, tol=1e-8) < len(vectors):
        raise DataError(f"vectors of the cell {cell.tolist()} are zero, parallel or in one plane")


def neighbor_pairs(
    positions: FloatArray, cell: FloatArray | None, pbc: tuple[bool, bool, bool], cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return each unordered pair within a cutoff once, periodic images and an atom's own images included.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å; may lie outside the cell.
    cell
        Shape (3, 3), Å, rows are lattice vectors; None for a molecule.
    pbc
        Periodic directions.
    cutoff
        Å.

    Returns
    -------
    idx_i, idx_j
        Shape (n_pairs,).
    shifts
        Shape (n_pairs, 3), Å, Cartesian: ``r_ij = positions[idx_j] - positions[idx_i] + shifts``.

    Raises
    ------
    DataError
        The atoms or the cell extend too far for a search, the cell is so small that atoms have more than
        `MAX_NEIGHBORS`, or `check_lattice` refuses the cell.
    """
    from vesin import NeighborList  # imports torch where torch is installed, which takes seconds

    neighbor_list = NeighborList(cutoff=cutoff, full_list=False)
    box = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)
    periodic = np.array(pbc, dtype=bool) if cell is not None else np.zeros(3, dtype=bool)
    check_lattice(box, periodic)
    neighbors = _expected_neighbors(len(positions), box[periodic], cutoff)
    if neighbors > MAX_NEIGHBORS:
        raise DataError(
            f"a cell with vectors of {_product(np.linalg.norm(box, axis=1))} Å is too small for "
            f"{len(positions)} atoms: each would have about {neighbors:.1g} neighbors within {cutoff:g} Å; "
            "expected lengths in Å"
        )
    if _overstretches_grid(positions, box, periodic, cutoff):
        extent = np.ptp(positions, axis=0)
        if periodic.any() or extent.max() > _FARTHEST_A:
            lattice = f" in a cell with vectors of {_product(np.linalg.norm(box, axis=1))} Å"
            raise DataError(
                f"the atoms extend over {_product(extent)} Å{lattice if periodic.any() else ''}, too far "
                f"for a search of pairs within {cutoff:g} Å; expected lengths in Å"
            )
        return _pairs_by_tree(positions, cutoff)
    idx_i, idx_j, cell_shifts = neighbor_list.compute(
        points=np.ascontiguousarray(positions, dtype=np.float64), box=box, periodic=periodic, quantities="ijS"
    )
    return idx_i.astype(np.int64), idx_j.astype(np.int64), cell_shifts.astype(np.float64) @ box


def structure_pairs(
    atoms: Atoms, positions: FloatArray, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the `neighbor_pairs` of a structure's atoms at other positions, in its cell.

    Parameters
    ----------
    atoms
        Structure with the cell and the periodic directions.
    positions
        Shape (n_atoms, 3), Å.
    cutoff
        Å.
    """
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    return neighbor_pairs(positions, atoms.cell.array if any(pbc) else None, pbc, cutoff)


def frame_pairs(frames: FrameSet, n: int, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of one frame within a cutoff.

    Parameters
    ----------
    frames
        Molecules or periodic cells.
    n
        Index of the frame.
    cutoff
        Å.

    Returns
    -------
    idx_i, idx_j
        Shape (n_pairs,).
    r_ij
        Shape (n_pairs, 3), Å, from atom i to (the image of) atom j.
    """
    positions = frames.positions[n]
    if frames.cells is not None:
        idx_i, idx_j, shifts = neighbor_pairs(positions, frames.cells[n], frames.pbc, cutoff)
        return idx_i, idx_j, positions[idx_j] - positions[idx_i] + shifts
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    r_ij = positions[idx_j] - positions[idx_i]
    within = np.linalg.norm(r_ij, axis=1) < cutoff
    return idx_i[within], idx_j[within], r_ij[within]


def all_frame_pairs(frames: FrameSet, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of all frames; atom a of frame n has index n · n_atoms + a.

    Parameters
    ----------
    frames
        Molecules or periodic cells.
    cutoff
        Å.

    Returns
    -------
    idx_i, idx_j, r_ij
        As returned by `frame_pairs`, one frame after another.
    """
    by_frame = [frame_pairs(frames, n, cutoff) for n in range(len(frames))]
    first_atom = np.repeat(np.arange(len(frames)) * frames.n_atoms, [len(pairs[0]) for pairs in by_frame])
    idx_i, idx_j, r_ij = (np.concatenate([pairs[k] for pairs in by_frame]) for k in range(3))
    return idx_i + first_atom, idx_j + first_atom, r_ij


def minimum_image(vectors: FloatArray, cells: FloatArray | None, cutoff: float = 0.0) -> FloatArray:
    """Return vectors shifted to their nearest periodic image.

    Parameters
    ----------
    vectors
        Shape (..., 3), Å.
    cells
        Shape (3, 3), or (n_frames, 3, 3) for vectors of shape (n_frames, n, 3), Å; rows are lattice vectors.
        With None the vectors are returned unchanged.
    cutoff
        Å. Images closer than half the smallest width of the cell are always exact. If `cutoff` exceeds that,
        all images are exact, by ASE's search, which is slow.
    """
    if cells is None:
        return vectors
    if 2 * cutoff <= narrowest_width(cells):
        # a vector shorter than half of every width has fractions below 1/2, so that rounding is right
        return vectors - np.round(vectors @ np.linalg.inv(cells)) @ cells
    if cells.ndim == 2:
        return find_mic(vectors, cells)[0]
    return np.array([find_mic(v, cell)[0] for v, cell in zip(vectors, cells, strict=True)])


def pair_lengths(
    positions: FloatArray, cells: FloatArray | None, idx_i: IntArray, idx_j: IntArray
) -> FloatArray:
    """Return distances of atoms to the nearest image.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    cells
        As for `minimum_image`.
    idx_i, idx_j
        Shape (n_pairs,).

    Returns
    -------
    lengths
        |r_j − r_i|, shape (n_frames, n_pairs), Å.
    """
    return np.linalg.norm(minimum_image(positions[:, idx_j] - positions[:, idx_i], cells), axis=-1)


def narrowest_width(cells: FloatArray) -> float:
    """Return the smallest distance (Å) between opposite faces of any cell.

    Parameters
    ----------
    cells
        Shape (..., 3, 3), Å; rows are lattice vectors.
    """
    # the columns of the inverse are the reciprocal vectors, whose lengths are one over the widths
    return float(1 / np.linalg.norm(np.linalg.inv(cells), axis=-2).max())


def half_width(cells: FloatArray) -> float:
    """Return half the `narrowest_width` (Å): shorter vectors have one nearest image.

    Parameters
    ----------
    cells
        Shape (..., 3, 3), Å; rows are lattice vectors.
    """
    return 0.5 * narrowest_width(cells)


def quintic_switch(t: ArrayOrTensor) -> ArrayOrTensor:
    """Return 1 − 10t³ + 15t⁴ − 6t⁵, which has two continuous derivatives everywhere.

    Parameters
    ----------
    t
        Reduced distance, array or tensor of any shape; values below 0 count as 0 (result 1), values above 1
        as 1 (result 0).
    """
    t = t.clip(0.0, 1.0)
    return 1.0 - t**3 * (10.0 - 15.0 * t + 6.0 * t * t)


def _expected_neighbors(n_atoms: int, vectors: FloatArray, cutoff: float) -> float:
    """Return about how many periodic images of atoms are within the cutoff of an atom.

    Parameters
    ----------
    n_atoms
        Number of atoms in the cell.
    vectors
        Lattice vectors of the periodic directions, Å, shape (n_directions, 3).
    cutoff
        Å.
    """
    if len(vectors) == 0:
        return 0.0
    lengths = np.linalg.norm(vectors, axis=1)
    along_one = np.log(2 * cutoff / lengths).max()
    ball = np.log(_BALLS[len(vectors) - 1]) + len(vectors) * np.log(cutoff)
    volume = np.log(lengths).sum() + 0.5 * np.linalg.slogdet(_gram(vectors / lengths[:, None]))[1]
    with np.errstate(over="ignore"):
        return float(np.exp(max(along_one, np.log(max(1, n_atoms)) + ball - volume)))


def _gram(vectors: FloatArray) -> FloatArray:
    return vectors @ vectors.T


def _overstretches_grid(
    positions: FloatArray, box: FloatArray, periodic: NDArray[np.bool_], cutoff: float
) -> bool:
    """Return whether vesin's grid would have no box in some direction."""
    if len(positions) == 0:
        return False
    lengths = np.where(periodic, np.linalg.norm(box, axis=1), np.ptp(positions, axis=0))
    boxes = np.log(np.maximum(1.0, lengths / cutoff))
    excess = boxes.sum() - np.log(_MAX_GRID_BOXES)
    return bool(excess > 0 and boxes.min() - excess / 3 < np.log(2.0))


def _pairs_by_tree(positions: FloatArray, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of a molecule some of whose atoms are very far from the others."""
    from scipy.spatial import cKDTree  # rarely needed

    index = cKDTree(positions).query_pairs(cutoff, output_type="ndarray").astype(np.int64)
    return index[:, 0], index[:, 1], np.zeros((len(index), 3))


def _product(lengths: FloatArray) -> str:
    return " × ".join(f"{length:.3g}" for length in lengths)
