"""Which atoms are pairs: every two of a molecule, neighbours within a cutoff (with images) of a cell."""

import numpy as np
from ase import Atoms

from mdaug.frames.frame_set import FloatArray, FrameSet, IntArray


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
    """
    from vesin import NeighborList  # it loads torch where there is one, which takes seconds

    neighbor_list = NeighborList(cutoff=cutoff, full_list=False)
    box = np.zeros((3, 3)) if cell is None else np.asarray(cell, dtype=np.float64)
    periodic = np.array(pbc, dtype=bool) if cell is not None else np.zeros(3, dtype=bool)
    idx_i, idx_j, cell_shifts = neighbor_list.compute(
        points=np.ascontiguousarray(positions, dtype=np.float64), box=box, periodic=periodic, quantities="ijS"
    )
    return idx_i.astype(np.int64), idx_j.astype(np.int64), cell_shifts.astype(np.float64) @ box


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
