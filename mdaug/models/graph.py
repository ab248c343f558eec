"""Input of the network (atoms, unordered pairs, systems), and forces and virial from pair gradients."""

from typing import NamedTuple

import torch
from torch import Tensor


class Graph(NamedTuple):
    """A batch of one or more systems, flattened.

    Attributes
    ----------
    species
        Shape (n_atoms,), each atom's row of the embedding: the index of its element in the model's list, or
        the number of elements plus its atom type (`MoleculeTemplate.atom_types`).
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each pair within the cutoff. Every pair occurs once; idx_i == idx_j for
        an atom and its own periodic image.
    d_ij
        Shape (n_pairs,), distances, Å.
    unit_ij
        Shape (n_pairs, 3), unit vectors from atom i to atom j.
    system
        Shape (n_atoms,), index of each atom's system.
    n_systems
        Number of systems.
    """

    species: Tensor
    idx_i: Tensor
    idx_j: Tensor
    d_ij: Tensor
    unit_ij: Tensor
    system: Tensor
    n_systems: int


def pair_vectors(positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Return lengths and directions of r_ij = r_j − r_i + shifts.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each pair.
    shifts
        Shape (n_pairs, 3), Å, lattice vectors from the cell of j to that of its image.

    Returns
    -------
    tuple of Tensor
        Distances (n_pairs,), Å, and unit vectors (n_pairs, 3).
    """
    r_ij = positions.index_select(0, idx_j) - positions.index_select(0, idx_i) + shifts
    d_ij = torch.sqrt((r_ij * r_ij).sum(-1))
    return d_ij, r_ij / d_ij.unsqueeze(-1)


def forces_from_pairs(  # noqa: PLR0917 (TorchScript has no keyword-only arguments)
    slope: Tensor,
    unit_ij: Tensor,
    idx_i: Tensor,
    idx_j: Tensor,
    n_atoms: int,
    transverse: Tensor | None = None,
) -> Tensor:
    """Return forces F = −∂E/∂r of an energy that depends on pairs.

    A pair whose energy rises with distance (positive slope) pulls i towards j and j towards i.

    Parameters
    ----------
    slope
        Shape (n_pairs,), ∂E/∂d_ij, energy per Å.
    unit_ij
        Shape (n_pairs, 3), unit vectors from i to j.
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each pair.
    n_atoms
        Number of atoms.
    transverse
        Shape (n_pairs, 3), the parts of ∂E/∂r_ij perpendicular to r_ij, energy per Å; None if they are zero.

    Returns
    -------
    Tensor
        Shape (n_atoms, 3), energy per Å.
    """
    pull = slope.unsqueeze(-1) * unit_ij
    if transverse is not None:
        pull = pull + transverse
    forces = torch.zeros((n_atoms, 3), dtype=slope.dtype, device=slope.device)
    return forces.index_add(0, idx_i, pull).index_add(0, idx_j, -pull)


def strain_derivatives(graph: Graph, slope: Tensor, transverse: Tensor | None) -> Tensor:
    """Return ∂E/∂ε of each system of a batch; see `virial_from_pairs`.

    Parameters
    ----------
    graph
        The batch.
    slope, transverse
        As for `virial_from_pairs`.

    Returns
    -------
    Tensor
        Shape (n_systems, 3, 3), energy, symmetric.
    """
    of_vectors = slope.unsqueeze(-1) * graph.unit_ij
    if transverse is not None:
        of_vectors = of_vectors + transverse
    r_ij = graph.d_ij.unsqueeze(-1) * graph.unit_ij
    of_pairs = r_ij.unsqueeze(2) * of_vectors.unsqueeze(1)
    sums = torch.zeros((graph.n_systems, 3, 3), dtype=slope.dtype, device=slope.device)
    sums = sums.index_add(0, graph.system.index_select(0, graph.idx_i), of_pairs)
    return 0.5 * (sums + sums.transpose(1, 2))


def virial_from_pairs(
    slope: Tensor, unit_ij: Tensor, d_ij: Tensor, transverse: Tensor | None = None
) -> Tensor:
    """Return the strain derivative ∂E/∂ε = Σ r_ij ⊗ ∂E/∂r_ij, which is symmetric.

    Parameters
    ----------
    slope
        Shape (n_pairs,), ∂E/∂d_ij, energy per Å.
    unit_ij
        Shape (n_pairs, 3), unit vectors from i to j.
    d_ij
        Shape (n_pairs,), distances, Å.
    transverse
        Shape (n_pairs, 3), the parts of ∂E/∂r_ij perpendicular to r_ij, energy per Å; None if they are zero.

    Returns
    -------
    Tensor
        Shape (3, 3), energy; divided by the volume it is the stress, tension positive.
    """
    strain = ((slope * d_ij).unsqueeze(-1) * unit_ij).T @ unit_ij
    if transverse is None:
        return strain
    of_turns = (d_ij.unsqueeze(-1) * unit_ij).T @ transverse  # symmetric but for rounding
    return strain + 0.5 * (of_turns + of_turns.T)
