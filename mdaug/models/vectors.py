"""Angular features: vectors summed over neighbors, their invariants, and the closed-form gradients of both.

The vectors of PaiNN's first layer (Schütt, Unke, Gastegger 2021, arXiv:2102.03150), built anew from scalars
in each interaction block: v_i = Σ_j (w(d_ij) ∘ b_j) ⊗ r̂_ij and q_i = Σ_xyz (U₁ v_i) ∘ (U₂ v_i).
"""

import torch
from torch import Tensor, nn


def vector_messages(w: Tensor, b: Tensor, unit_ij: Tensor, idx_i: Tensor, idx_j: Tensor) -> Tensor:
    """Return v_i = Σ_j (w(d_ij) ∘ b_j) ⊗ r̂_ij, with r̂_ij from atom i to its neighbor j.

    Parameters
    ----------
    w
        Shape (n_pairs, n_vectors), filters.
    b
        Shape (n_atoms, n_vectors), transformed features of the atoms.
    unit_ij
        Shape (n_pairs, 3), unit vectors from i to j.
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each unordered pair.

    Returns
    -------
    Tensor
        Shape (n_atoms, 3, n_vectors).
    """
    unit = unit_ij.unsqueeze(2)
    to_i = (w * b.index_select(0, idx_j)).unsqueeze(1) * unit
    to_j = (w * b.index_select(0, idx_i)).unsqueeze(1) * -unit
    v = torch.zeros((b.shape[0], 3, b.shape[1]), dtype=b.dtype, device=b.device)
    return v.index_add(0, idx_i, to_i).index_add(0, idx_j, to_j)


def vector_message_gradient(  # noqa: PLR0917 (TorchScript has no keyword-only arguments)
    w: Tensor,
    w_slope: Tensor,
    g: Tensor,
    b: Tensor,
    d_ij: Tensor,
    unit_ij: Tensor,
    idx_i: Tensor,
    idx_j: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of ⟨g, vector_messages(b)⟩ in `b` and in every r_ij.

    Parameters
    ----------
    w, w_slope
        Shape (n_pairs, n_vectors), filters and their slopes in the distance (per Å).
    g
        Shape (n_atoms, 3, n_vectors), gradient of the energy in the vectors.
    b
        Shape (n_atoms, n_vectors), transformed features of the atoms.
    d_ij
        Shape (n_pairs,), distances, Å.
    unit_ij
        Shape (n_pairs, 3), unit vectors from i to j.
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each unordered pair.

    Returns
    -------
    tuple of Tensor
        Gradients in `b`, (n_atoms, n_vectors); in d_ij, (n_pairs,), per Å; and the part of that in r_ij
        perpendicular to it, (n_pairs, 3), per Å.
    """
    g_i, g_j = g.index_select(0, idx_i), g.index_select(0, idx_j)
    b_i, b_j = b.index_select(0, idx_i), b.index_select(0, idx_j)
    unit = unit_ij.unsqueeze(2)
    along_i, along_j = (g_i * unit).sum(1), (g_j * unit).sum(1)
    g_b = torch.zeros_like(b).index_add(0, idx_j, w * along_i).index_add(0, idx_i, -w * along_j)
    slope = (w_slope * (b_j * along_i - b_i * along_j)).sum(-1)
    p = (g_i * (w * b_j).unsqueeze(1) - g_j * (w * b_i).unsqueeze(1)).sum(-1)
    p = p - (p * unit_ij).sum(-1, keepdim=True) * unit_ij
    return g_b, slope, p / d_ij.to(p.dtype).unsqueeze(-1)


def invariants(v: Tensor, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return q = Σ_xyz (U₁ v) ∘ (U₂ v) with its two factors.

    Parameters
    ----------
    v
        Shape (n_atoms, 3, n_vectors).
    left, right
        Shape (n_vectors, n_vectors), U₁ and U₂.

    Returns
    -------
    tuple of Tensor
        q, (n_atoms, n_vectors); U₁ v and U₂ v, (n_atoms, 3, n_vectors).
    """
    left_v, right_v = nn.functional.linear(v, left), nn.functional.linear(v, right)
    return (left_v * right_v).sum(1), left_v, right_v
