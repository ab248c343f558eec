"""Internal coordinates of many frames, differentiable by torch.

`cells` (n_frames, 3, 3), where given, shifts every vector to its nearest image.
"""

import torch
from torch import Tensor

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.valence_constants import COSINE_SCALE, LINEAR_COSINE


def cosines(positions: Tensor, angles: IntArray, cells: Tensor | None = None) -> Tensor:
    """Return the cosines of bond angles.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    angles
        Shape (n_angles, 3): atoms i, j, k with the vertex j in the middle.
    cells
        Shape (n_frames, 3, 3), Å; None for molecules.

    Returns
    -------
    cosines
        cos θ, shape (n_frames, n_angles).
    """
    to_i = _units(_vectors(positions, angles[:, 1], angles[:, 0], cells))
    to_k = _units(_vectors(positions, angles[:, 1], angles[:, 2], cells))
    return (to_i * to_k).sum(-1)


def bends(cosine: Tensor, mean_cosines: FloatArray) -> Tensor:
    """Return u of angles: θ̄ − θ in radians of bent ones, cos θ − c̄ of those that are linear on average.

    The energy of a bent angle is nearly quadratic in θ up to 180°, where cos θ levels off; for a linear angle
    θ has a kink there, and 1 + cos θ is ½ (π − θ)².

    Parameters
    ----------
    cosine
        Cosines of the angles, any shape whose last axis has n_angles.
    mean_cosines
        c̄, the mean of each, shape (n_angles,).
    """
    mean = torch.as_tensor(mean_cosines)
    bent = torch.acos(mean / COSINE_SCALE) - torch.acos(cosine / COSINE_SCALE)
    return torch.where(mean > LINEAR_COSINE, bent, cosine - mean)


def torsion_terms(positions: Tensor, torsions: IntArray, cells: Tensor | None = None) -> Tensor:
    """Return s cos φ, s² cos 2φ, s³ cos 3φ of torsions, with s = sin θ sin θ' of the two bond angles.

    They are smooth even where three atoms are collinear and the torsion angle φ is not defined.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    torsions
        Shape (n_torsions, 4): chains of atoms a-b-c-d.
    cells
        Shape (n_frames, 3, 3), Å; None for molecules.

    Returns
    -------
    terms
        Shape (n_frames, 3 n_torsions), the three terms of a torsion together.
    """
    if not len(torsions):
        return positions.new_zeros(len(positions), 0)
    a, b, c = (_units(_vectors(positions, torsions[:, n], torsions[:, n + 1], cells)) for n in range(3))
    first_normal, second_normal = torch.linalg.cross(a, b), torch.linalg.cross(b, c)
    t = (first_normal * second_normal).sum(-1)
    s2 = (first_normal**2).sum(-1) * (second_normal**2).sum(-1)
    return torch.stack([t, 2 * t**2 - s2, 4 * t**3 - 3 * t * s2], dim=-1).flatten(1)


def lengths(positions: Tensor, pairs: IntArray, cells: Tensor | None = None) -> Tensor:
    """Return the distances of pairs of atoms.

    Parameters
    ----------
    positions
        Shape (n_frames, n_atoms, 3), Å.
    pairs
        Shape (n_pairs, 2).
    cells
        Shape (n_frames, 3, 3), Å; None for molecules.

    Returns
    -------
    lengths
        Shape (n_frames, n_pairs), Å.
    """
    return torch.linalg.vector_norm(_vectors(positions, pairs[:, 0], pairs[:, 1], cells), dim=-1)


def _vectors(positions: Tensor, idx_i: IntArray, idx_j: IntArray, cells: Tensor | None) -> Tensor:
    """Return r_j − r_i (n_frames, n_pairs, 3), to the nearest image of j."""
    r_ij = positions[:, idx_j] - positions[:, idx_i]
    if cells is None:
        return r_ij
    return r_ij - torch.round(r_ij.detach() @ torch.linalg.inv(cells)) @ cells


def _units(vectors: Tensor) -> Tensor:
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
