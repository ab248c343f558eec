"""Filters as cubic B-splines of the distance: value and slope are products with four rows of a small table.

A table over `n_knots` equal intervals of [0, cutoff] has n_knots + 3 rows; row k belongs to the B-spline
centred at (k − 1) · spacing. With its last three rows zero the filter vanishes at the cutoff with two
derivatives.
"""

import torch
from torch import Tensor


def table_positions(n_knots: int, cutoff: float) -> Tensor:
    """Distances (n_knots + 3,), Å, float64, on which the B-splines of a table are centred."""
    return (torch.arange(n_knots + 3, dtype=torch.float64) - 1) * (cutoff / n_knots)


def basis(d: Tensor, spacing: float, n_rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the first row (n,) and the four weights (n, 4) of the value and of the slope at distances `d`.

    Distances at or beyond the end of the table get weights of zero.
    """
    s = d / spacing
    inside = s < n_rows - 3
    row = s.detach().floor().clamp(0, n_rows - 4)
    t = s - row
    u = 1 - t
    value = torch.stack(
        [u**3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (3 * u**3 - 6 * u**2 + 4) / 6, t**3 / 6], dim=-1
    )
    slope = torch.stack([-(u**2) / 2, (3 * t**2 - 4 * t) / 2, (4 * u - 3 * u**2) / 2, t**2 / 2], dim=-1)
    mask = inside.unsqueeze(-1).to(d.dtype)
    return row.to(torch.int64), value * mask, slope * mask / spacing


def evaluate(table: Tensor, row: Tensor, weights: Tensor) -> Tensor:
    """Σ_m weights[:, m] · table[row + m]: (n, n_filters)."""
    result = weights[:, 0:1] * table.index_select(0, row)
    for m in range(1, 4):
        result = result + weights[:, m : m + 1] * table.index_select(0, row + m)
    return result
