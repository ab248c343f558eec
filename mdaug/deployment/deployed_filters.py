"""Filters of a deployed model and their slopes for every pair, as cubic B-splines or by networks.

The filters of a block are those of its messages and, beside them, those of its vectors.
"""

import torch
from torch import Tensor, nn

from mdaug.models import SchNet


class SplineFilters(nn.Module):
    """Filters as cubic B-splines of the distance, with the tables of all interaction blocks side by side.

    Parameters
    ----------
    model
        The trained model.

    Attributes
    ----------
    table
        Shape (n_knots + 3, n_interactions · (n_filters + n_vectors)); row k is the coefficients of the
        B-spline centered at (k − 1) · spacing.
    weights
        Shape (4, 8), float64. With the powers 1, t, t², t³ of the position t within an interval it gives the
        weights of four rows in the value (columns 0 to 3) and in the slope, per Å (columns 4 to 7).
    """

    table: Tensor
    weights: Tensor

    def __init__(self, model: SchNet) -> None:
        super().__init__()
        tables = [table.detach() for table in model.tables()]
        self.n_interactions = len(tables)
        self.spacing = model.spacing
        self.register_buffer("table", torch.cat(tables, dim=1))
        # rows: powers of t; not a buffer, so that .to(float32) leaves it in float64
        value = torch.tensor([[1, 4, 1, 0], [-3, 0, 3, 0], [3, -6, 3, 0], [-1, 3, -3, 1]]).double() / 6
        slope = torch.tensor([[-1, 0, 1, 0], [2, -4, 2, 0], [-1, 3, -3, 1], [0, 0, 0, 0]]).double() / 2
        self.weights = torch.cat([value, slope / model.spacing], dim=1)

    def forward(self, d_ij: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return filters and slopes (per Å) of each block; both are zero at and beyond the cutoff.

        Parameters
        ----------
        d_ij
            Shape (n_pairs,), distances, Å, float64.

        Returns
        -------
        tuple of list of Tensor
            One tensor (n_pairs, n_filters + n_vectors) for each block.
        """
        n_pairs, (n_rows, n_columns) = d_ij.shape[0], self.table.shape
        s = d_ij / self.spacing
        row = s.floor().clamp(0, n_rows - 4)
        t = s - row
        one = (s < n_rows - 3).to(d_ij.dtype)
        t1 = one * t
        t2 = t1 * t
        weights = torch.stack([one, t1, t2, t2 * t], dim=-1) @ self.weights
        four = torch.arange(4, device=d_ij.device)
        rows = self.table.index_select(0, (row.long().unsqueeze(-1) + four).flatten())
        weights = weights.view(n_pairs, 2, 4).to(self.table.dtype)
        both = torch.bmm(weights, rows.view(n_pairs, 4, n_columns))
        width = n_columns // self.n_interactions
        return list(both[:, 0].split(width, 1)), list(both[:, 1].split(width, 1))


class DirectFilters(nn.Module):
    """Filters as networks that are evaluated at every pair, as published.

    Parameters
    ----------
    model
        The trained model.
    """

    def __init__(self, model: SchNet) -> None:
        super().__init__()
        self.networks = model.filter_networks
        self.cutoff = model.options.cutoff
        self.smooth = model.options.cutoff_function == "c2"

    def forward(self, d_ij: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return filters and slopes (per Å) of each block; both are zero at and beyond the cutoff.

        Parameters
        ----------
        d_ij
            Shape (n_pairs,), distances, Å, float64.

        Returns
        -------
        tuple of list of Tensor
            One tensor (n_pairs, n_filters + n_vectors) for each block.
        """
        filters, slopes = self.networks.within(d_ij, self.cutoff, self.smooth)
        return list(filters.unbind(0)), list(slopes.unbind(0))
