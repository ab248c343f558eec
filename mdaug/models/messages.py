"""Messages between atoms and their gradient, both ways along every unordered pair.

On the CPU the fused kernels of `mdaug.native` read spline filters straight from their tables; everywhere
else (GPU, TorchScript, filters evaluated by network) filters are tensors with a row a pair.
"""

from typing import NamedTuple

import torch
from torch import Tensor


class Pairs(NamedTuple):
    """What the interaction blocks need of the pairs.

    filters, slopes: per block (n_pairs, n_filters), W(d_ij) and dW/dd; or, where `spacing` is positive,
    `filters` are the spline tables (n_rows, n_filters) that the fused kernels read at `d_ij`, and `slopes`
    is empty.
    """

    idx_i: Tensor
    idx_j: Tensor
    d_ij: Tensor
    filters: list[Tensor]
    slopes: list[Tensor]
    spacing: float


def messages(pairs: Pairs, block: int, x: Tensor) -> Tensor:
    """v_i = Σ_j W(d_ij) ∘ x_j, (n_atoms, n_filters)."""
    if not torch.jit.is_scripting() and pairs.spacing > 0:
        return torch.ops.mdaug.spline_message(
            pairs.filters[block], x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    return _spread(pairs.filters[block], x, pairs.idx_i, pairs.idx_j)


def message_gradient(pairs: Pairs, block: int, g: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Gradient of ⟨g, messages(x)⟩ in x, (n_atoms, n_filters), and in every d_ij, (n_pairs,)."""
    if not torch.jit.is_scripting() and pairs.spacing > 0:
        return torch.ops.mdaug.spline_message_gradient(
            pairs.filters[block], g, x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    idx_i, idx_j = pairs.idx_i, pairs.idx_j
    g_i, g_j = g.index_select(0, idx_i), g.index_select(0, idx_j)
    x_i, x_j = x.index_select(0, idx_i), x.index_select(0, idx_j)
    slope = (pairs.slopes[block] * (g_i * x_j + g_j * x_i)).sum(-1)
    return _spread(pairs.filters[block], g, idx_i, idx_j), slope


def _spread(filters: Tensor, x: Tensor, idx_i: Tensor, idx_j: Tensor) -> Tensor:
    to_i = filters * x.index_select(0, idx_j)
    to_j = filters * x.index_select(0, idx_i)
    return torch.zeros_like(x).index_add(0, idx_i, to_i).index_add(0, idx_j, to_j)
