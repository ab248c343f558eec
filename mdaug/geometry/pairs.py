"""Atom pairs: all pairs of a molecule, neighbor pairs within a cutoff, nearest periodic images."""

import numpy as np
from ase import Atoms
from ase.geometry import find_mic
from numpy.typing import NDArray

from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray

_GRID = 100_000
"""Boxes into which vesin parts space at most. For more it widens them all alike, and divides by zero where a
direction then has less than one."""

_FARTHEST_A = 1e12
"""Beyond, places are not known to 0.0001 Å."""


def molecule_pairs(n_atoms: int) -> tuple[IntArray, IntArray]:
    """Return all unordered pairs ``idx_i < idx_j`` of a molecule, each of shape (n_pairs,)."""
    idx_i, idx_j = np.triu_indices(n_atoms, k=1)
    return idx_i.astype(np.int64), idx_j.astype(np.int64)


def neighbor_pairs(
    positions: FloatArray, cell: FloatArray | None, pbc: tuple[bool, bool, bool], cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return each unordered pair within `cutoff` once, periodic images and an atom's own images included.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å; need not lie inside the cell.
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
        Atoms or a cell that are absurdly far stretched.
    """
    from vesin import NeighborList  # it loads torch where there is one, which takes seconds

    neighbor_list = NeighborList(cutoff=cutoff, full_list=False)
    box = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)
    periodic = np.array(pbc, dtype=bool) if cell is not None else np.zeros(3, dtype=bool)
    if _is_stretched(positions, box, periodic, cutoff):
        spread = np.ptp(positions, axis=0)
        if periodic.any() or spread.max() > _FARTHEST_A:
            lattice = f" in a cell with vectors of {_numbers(np.linalg.norm(box, axis=1))} Å"
            raise DataError(
                f"atoms spread over {_numbers(spread)} Å{lattice if periodic.any() else ''}, too far to be "
                f"searched for pairs within {cutoff:g} Å; expected lengths in Å"
            )
        return _far_apart(positions, cutoff)
    idx_i, idx_j, cell_shifts = neighbor_list.compute(
        points=np.ascontiguousarray(positions, dtype=np.float64), box=box, periodic=periodic, quantities="ijS"
    )
    return idx_i.astype(np.int64), idx_j.astype(np.int64), cell_shifts.astype(np.float64) @ box


def _is_stretched(positions: FloatArray, box: FloatArray, periodic: NDArray[np.bool_], cutoff: float) -> bool:
    """Whether vesin's grid would be left with no box in some direction."""
    if len(positions) == 0:
        return False
    lengths = np.where(periodic, np.linalg.norm(box, axis=1), np.ptp(positions, axis=0))
    boxes = np.log(np.maximum(1.0, lengths / cutoff))
    return bool(boxes.sum() > np.log(_GRID) and boxes.min() - (boxes.sum() - np.log(_GRID)) / 3 < np.log(2.0))


def _far_apart(positions: FloatArray, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Pairs of atoms of which some are lost far away from the others."""
    from scipy.spatial import cKDTree  # hardly ever needed

    index = cKDTree(positions).query_pairs(cutoff, output_type="ndarray").astype(np.int64)
    return index[:, 0], index[:, 1], np.zeros((len(index), 3))


def _numbers(values: FloatArray) -> str:
    return " × ".join(f"{value:.3g}" for value in values)


def structure_pairs(
    atoms: Atoms, positions: FloatArray, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return `neighbor_pairs` of a structure's atoms at `positions`, in its cell and periodic directions."""
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    return neighbor_pairs(positions, atoms.cell.array if any(pbc) else None, pbc, cutoff)


def frame_pairs(frames: FrameSet, n: int, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of frame `n` within `cutoff` (Å): idx_i, idx_j (n_pairs,) and r_ij (n_pairs, 3), Å."""
    positions = frames.positions[n]
    if frames.cells is not None:
        idx_i, idx_j, shifts = neighbor_pairs(positions, frames.cells[n], frames.pbc, cutoff)
        return idx_i, idx_j, positions[idx_j] - positions[idx_i] + shifts
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    r_ij = positions[idx_j] - positions[idx_i]
    near = np.linalg.norm(r_ij, axis=1) < cutoff
    return idx_i[near], idx_j[near], r_ij[near]


def all_frame_pairs(frames: FrameSet, cutoff: float) -> tuple[IntArray, IntArray, FloatArray]:
    """Return the pairs of all frames as `frame_pairs` does; atom a of frame n has index n · n_atoms + a."""
    found = [frame_pairs(frames, n, cutoff) for n in range(len(frames))]
    first_atom = np.repeat(np.arange(len(frames)) * frames.n_atoms, [len(pairs[0]) for pairs in found])
    idx_i, idx_j, r_ij = (np.concatenate([pairs[k] for pairs in found]) for k in range(3))
    return idx_i + first_atom, idx_j + first_atom, r_ij


def minimum_image(vectors: FloatArray, cells: FloatArray | None, cutoff: float = 0.0) -> FloatArray:
    """Return `vectors` (…, 3) shifted to their nearest periodic image; unchanged if `cells` is None.

    Parameters
    ----------
    cells
        Shape (3, 3), or (n_frames, 3, 3) for vectors of shape (n_frames, n, 3); rows are lattice vectors.
    cutoff
        Å. Images closer than half the cell's smallest width are exact; if `cutoff` is longer than that, all
        are (by ASE's search, which is slow).
    """
    if cells is None:
        return vectors
    if 2 * cutoff <= narrowest_width(cells):
        # a vector shorter than half of every width has fractions below 1/2: rounding finds it
        return vectors - np.round(vectors @ np.linalg.inv(cells)) @ cells
    if cells.ndim == 2:
        return find_mic(vectors, cells)[0]
    return np.array([find_mic(v, cell)[0] for v, cell in zip(vectors, cells, strict=True)])


def pair_lengths(
    positions: FloatArray, cells: FloatArray | None, idx_i: IntArray, idx_j: IntArray
) -> FloatArray:
    """Return |r_j − r_i| to the nearest image (n_frames, n_pairs) of positions (n_frames, n_atoms, 3)."""
    return np.linalg.norm(minimum_image(positions[:, idx_j] - positions[:, idx_i], cells), axis=-1)


def narrowest_width(cells: FloatArray) -> float:
    """Return the least distance (Å) between opposite faces of any of `cells` (…, 3, 3)."""
    # the columns of the inverse are the reciprocal vectors, whose lengths are one over the widths
    return float(1 / np.linalg.norm(np.linalg.inv(cells), axis=-2).max())


def half_width(cells: FloatArray) -> float:
    """Return half the smallest distance between opposite faces of `cells` (…, 3, 3), Å."""
    return 0.5 * narrowest_width(cells)
