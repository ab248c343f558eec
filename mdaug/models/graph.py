"""The input of the network: atoms, unordered pairs, and which system each belongs to."""

from typing import NamedTuple

import torch
from torch import Tensor


class Graph(NamedTuple):
    """A batch of one or more systems, flattened.

    species: (n_atoms,) index of each atom's element in the model's list.
    idx_i, idx_j: (n_pairs,) every pair within the cutoff once; i == j for an atom and its own periodic image.
    d_ij: (n_pairs,) distances, Å.  unit_ij: (n_pairs, 3) from i to j.
    system: (n_atoms,) index of each atom's system.
    """

    species: Tensor
    idx_i: Tensor
    idx_j: Tensor
    d_ij: Tensor
    unit_ij: Tensor
    system: Tensor
    n_systems: int


def pair_vectors(positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """Distances (n_pairs,) and unit vectors (n_pairs, 3) of r_ij = r_j − r_i + shifts."""
    r_ij = positions.index_select(0, idx_j) - positions.index_select(0, idx_i) + shifts
    d_ij = torch.sqrt((r_ij * r_ij).sum(-1))
    return d_ij, r_ij / d_ij.unsqueeze(-1)


def forces_from_pairs(slope: Tensor, unit_ij: Tensor, idx_i: Tensor, idx_j: Tensor, n_atoms: int) -> Tensor:
    """Forces (n_atoms, 3), F = −∂E/∂r, from the slopes ∂E/∂d_ij (n_pairs,) of all pairs.

    A pair whose energy rises with distance (positive slope) pulls i towards j and j towards i.
    """
    pull = slope.unsqueeze(-1) * unit_ij
    forces = torch.zeros((n_atoms, 3), dtype=slope.dtype, device=slope.device)
    return forces.index_add(0, idx_i, pull).index_add(0, idx_j, -pull)


def virial_from_pairs(slope: Tensor, unit_ij: Tensor, d_ij: Tensor) -> Tensor:
    """Strain derivative ∂E/∂ε (3, 3) = Σ ∂E/∂d_ij r_ij ⊗ r_ij / d_ij; stress is this over the volume."""
    return ((slope * d_ij).unsqueeze(-1) * unit_ij).T @ unit_ij
