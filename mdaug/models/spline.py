"""Filters as cubic B-splines of the distance: value and slope combine four rows of a small table.

A table over `n_knots` equal intervals of [0, cutoff] has n_knots + 3 rows; row k is the coefficient of the
B-spline centered at (k − 1) · spacing. If its last three rows are zero, the filter is zero at the cutoff with
two derivatives.
"""

import torch
from torch import Tensor


def table_positions(n_knots: int, cutoff: float) -> Tensor:
    """Return the centers of the B-splines of a table.

    Parameters
    ----------
    n_knots
        Number of intervals up to the cutoff.
    cutoff
        Å.

    Returns
    -------
    Tensor
        Shape (n_knots + 3,), Å, float64.
    """
    return (torch.arange(n_knots + 3, dtype=torch.float64) - 1) * (cutoff / n_knots)


def basis(d: Tensor, spacing: float, n_rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return the B-splines that are not zero at the given distances.

    Parameters
    ----------
    d
        Shape (n,), distances, Å.
    spacing
        Distance between knots, Å.
    n_rows
        Rows of the table; distances at or beyond its end get weights of zero.

    Returns
    -------
    tuple of Tensor
        The first of four consecutive rows, (n,); their weights in the value, (n, 4), and in the slope (per
        Å), (n, 4).
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
    """Return Σ_m weights[:, m] · table[row + m].

    Parameters
    ----------
    table
        Shape (n_rows, n_filters).
    row
        Shape (n,), the first of four rows, from `basis`.
    weights
        Shape (n, 4), of value or slope, from `basis`.

    Returns
    -------
    Tensor
        Shape (n, n_filters).
    """
    result = weights[:, 0:1] * table.index_select(0, row)
    for m in range(1, 4):
        result = result + weights[:, m : m + 1] * table.index_select(0, row + m)
    return result
