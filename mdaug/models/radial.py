"""Functions of the distance and their slopes: cutoff function, Gaussians, filter networks."""

import math

import torch
from torch import Tensor, nn


def ssp(x: Tensor) -> Tensor:
    """Return the shifted softplus ln(½eˣ + ½) (arXiv:1706.08566); its slope is the logistic sigmoid.

    Parameters
    ----------
    x
        Any shape.
    """
    return nn.functional.softplus(x) - math.log(2.0)


def cutoff_function(d: Tensor, cutoff: float) -> Tensor:
    """Return 1 − 28x⁶ + 48x⁷ − 21x⁸, x = d / cutoff (arXiv:2003.03123).

    It is zero at the cutoff with two derivatives.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    cutoff
        Å.
    """
    x = (d / cutoff).clamp(0.0, 1.0)
    return 1 + x**6 * (-28 + x * (48 - 21 * x))


def cutoff_function_slope(d: Tensor, cutoff: float) -> Tensor:
    """Return the derivative of `cutoff_function` in `d`, per Å.

    Parameters
    ----------
    d
        Distances, Å, any shape.
    cutoff
        Å.
    """
    x = (d / cutoff).clamp(0.0, 1.0)
    return -168 * x**5 * (1 - x) ** 2 / cutoff


class FilterNetworks(nn.Module):
    """The filter networks of all interaction blocks: Gaussians, a dense layer, ssp, a dense layer.

    The Gaussians exp(−(d − μ)² / 2σ²) start on an even grid from 0 to the cutoff, with σ the spacing of the
    grid. The first axis of every parameter is the block.

    Parameters
    ----------
    n_blocks
        Number of interaction blocks.
    sizes
        Numbers of Gaussians, of hidden units and of filters.
    cutoff
        Å.
    trainable_gaussians
        Whether centers μ and widths σ are trained.
    """

    def __init__(
        self, n_blocks: int, sizes: tuple[int, int, int], cutoff: float, trainable_gaussians: bool
    ) -> None:
        super().__init__()
        n_gaussians, n_hidden, n_filters = sizes
        grid = torch.linspace(0.0, cutoff, n_gaussians)
        widths = torch.full((n_blocks, 1, n_gaussians), cutoff / (n_gaussians - 1))
        self.centers = nn.Parameter(grid.repeat(n_blocks, 1, 1), requires_grad=trainable_gaussians)
        self.widths = nn.Parameter(widths, requires_grad=trainable_gaussians)
        self.hidden_weight = nn.Parameter(torch.empty(n_blocks, n_gaussians, n_hidden))
        self.hidden_bias = nn.Parameter(torch.zeros(n_blocks, 1, n_hidden))
        self.out_weight = nn.Parameter(torch.empty(n_blocks, n_hidden, n_filters))
        self.out_bias = nn.Parameter(torch.zeros(n_blocks, 1, n_filters))
        for weight in (self.hidden_weight, self.out_weight):
            for block in weight:
                nn.init.xavier_uniform_(block)

    def forward(self, d: Tensor) -> Tensor:
        """Return the filters of all blocks.

        Parameters
        ----------
        d
            Shape (n_distances,), Å.

        Returns
        -------
        Tensor
            Shape (n_blocks, n_distances, n_filters).
        """
        hidden = torch.baddbmm(self.hidden_bias, self._gaussians(d)[1], self.hidden_weight)
        return torch.baddbmm(self.out_bias, ssp(hidden), self.out_weight)

    def with_slope(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """Return the filters and their derivatives in `d` (per Å).

        Parameters
        ----------
        d
            Shape (n_distances,), Å.

        Returns
        -------
        tuple of Tensor
            Both of shape (n_blocks, n_distances, n_filters).
        """
        z, gaussians = self._gaussians(d)
        u = torch.baddbmm(self.hidden_bias, gaussians, self.hidden_weight)
        u_slope = torch.bmm(-z / self.widths * gaussians, self.hidden_weight)
        filters = torch.baddbmm(self.out_bias, ssp(u), self.out_weight)
        return filters, torch.bmm(torch.sigmoid(u) * u_slope, self.out_weight)

    def within(self, d: Tensor, cutoff: float, smooth: bool) -> tuple[Tensor, Tensor]:
        """Return filters and their derivatives, zero from the cutoff on.

        Parameters
        ----------
        d
            Shape (n_distances,), Å, in any precision.
        cutoff
            Å.
        smooth
            Whether the filters are multiplied by `cutoff_function`, or unchanged up to the cutoff.

        Returns
        -------
        tuple of Tensor
            Both of shape (n_blocks, n_distances, n_filters), in the precision of the network.
        """
        factor, factor_slope = (d < cutoff).to(d.dtype), torch.zeros_like(d)
        if smooth:
            factor, factor_slope = cutoff_function(d, cutoff), cutoff_function_slope(d, cutoff)
        dtype = self.out_weight.dtype
        filters, slopes = self.with_slope(d.to(dtype))
        cut, cut_slope = factor.to(dtype).unsqueeze(-1), factor_slope.to(dtype).unsqueeze(-1)
        return filters * cut, slopes * cut + filters * cut_slope

    def _gaussians(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """z = (d − μ)/σ and exp(−z²/2), both (n_blocks, n_distances, n_gaussians).

        z² is limited to 150, where the Gaussian is 2e-33: smaller values would be denormal in float32, and
        products with denormal numbers are ten times slower on CPUs.
        """
        z = (d.unsqueeze(-1) - self.centers) / self.widths
        return z, torch.exp(-0.5 * (z * z).clamp(max=150.0))
