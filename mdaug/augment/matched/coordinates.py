"""Internal coordinates of positions (n_frames, n_atoms, 3), differentiable."""

import torch
from torch import Tensor

from mdaug.frames.frame_set import IntArray


def cosines(positions: Tensor, angles: IntArray) -> Tensor:
    """Return cos θ (n_frames, n_angles)."""
    to_i = _units(positions[:, angles[:, 0]] - positions[:, angles[:, 1]])
    to_k = _units(positions[:, angles[:, 2]] - positions[:, angles[:, 1]])
    return (to_i * to_k).sum(-1)


def twists(positions: Tensor, torsions: IntArray) -> Tensor:
    """Return s cos φ, s² cos 2φ, s³ cos 3φ (n_frames, 3 n_torsions), s = sin θ sin θ' of the two angles.

    Smooth also where three atoms are in line, as the angle φ itself is not.
    """
    if not len(torsions):
        return positions.new_zeros(len(positions), 0)
    a, b, c = (_units(positions[:, torsions[:, n + 1]] - positions[:, torsions[:, n]]) for n in range(3))
    normal, other = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    t = (normal * other).sum(-1)
    s2 = (normal**2).sum(-1) * (other**2).sum(-1)
    return torch.stack([t, 2 * t**2 - s2, 4 * t**3 - 3 * t * s2], dim=-1).flatten(1)


def lengths(positions: Tensor, pairs: IntArray) -> Tensor:
    """Return the distances (n_frames, n_pairs) of the atoms of each pair."""
    return torch.linalg.vector_norm(positions[:, pairs[:, 1]] - positions[:, pairs[:, 0]], dim=-1)


def _units(vectors: Tensor) -> Tensor:
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
