"""Molecules of a cell put in one piece, in TorchScript."""

import torch
from torch import Tensor


def whole_by_pairs(
    positions: Tensor, atoms: Tensor, bonds: Tensor, pairs: tuple[Tensor, Tensor, Tensor]
) -> Tensor:
    """Return the positions of molecules, each in one piece, by the shortest pair of every bond.

    A bond without a pair, because it is longer than the cutoff, counts with a shift of zero.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    atoms
        Shape (n_molecules, size), the atoms of the molecules.
    bonds
        Shape (n_bonds, 2), of one molecule.
    pairs
        idx_i, idx_j and shifts, as for `DeployedModel.forward`.

    Returns
    -------
    Tensor
        Shape (n_molecules, size, 3), Å.
    """
    idx_i, idx_j, shifts = pairs
    whole = positions[atoms]
    crossing = shifts.ne(0).any(-1)
    if not bool(crossing.any()):
        return whole
    n_atoms, size = positions.shape[0], atoms.shape[1]
    first, second = torch.cat([idx_i, idx_j]), torch.cat([idx_j, idx_i])
    r_ij = torch.cat(
        [positions[idx_j] - positions[idx_i] + shifts, positions[idx_i] - positions[idx_j] - shifts]
    )
    nearest = torch.argsort(r_ij.square().sum(-1), descending=False, stable=True)
    keys = (first * n_atoms + second)[nearest]
    keys, by_key = torch.sort(keys, stable=True)
    r_ij = r_ij[nearest][by_key]
    placed = [atom == 0 for atom in range(size)]
    for _ in range(size):
        for bond in range(bonds.shape[0]):
            i, j = int(bonds[bond, 0]), int(bonds[bond, 1])
            if placed[i] == placed[j]:
                continue
            if placed[j]:
                i, j = j, i
            wanted = atoms[:, i] * n_atoms + atoms[:, j]
            row = torch.searchsorted(keys, wanted).clamp(max=keys.shape[0] - 1)
            listed = keys[row].eq(wanted).unsqueeze(-1)
            step = torch.where(listed, r_ij[row], positions[atoms[:, j]] - positions[atoms[:, i]])
            whole[:, j] = whole[:, i] + step
            placed[j] = True
    return whole
