"""Functions of one distance, each with its slope: Gaussians, cutoff envelope, filter networks."""

import math

import torch
from torch import Tensor, nn


def ssp(x: Tensor) -> Tensor:
    """Shifted softplus ln(½eˣ + ½) (Schütt et al. 2017, arXiv:1706.08566); its slope is the sigmoid."""
    return nn.functional.softplus(x) - math.log(2.0)


def envelope(d: Tensor, cutoff: float) -> Tensor:
    """1 − 28x⁶ + 48x⁷ − 21x⁸, x = d / cutoff: zero at the cutoff with two derivatives (arXiv:2003.03123)."""
    x = (d / cutoff).clamp(0.0, 1.0)
    return 1 + x**6 * (-28 + x * (48 - 21 * x))


def envelope_slope(d: Tensor, cutoff: float) -> Tensor:
    """Derivative of `envelope` in d."""
    x = (d / cutoff).clamp(0.0, 1.0)
    return -168 * x**5 * (1 - x) ** 2 / cutoff


class GaussianBasis(nn.Module):
    """Gaussians exp(−(d − μ)² / 2σ²) on an even grid from 0 to the cutoff, σ the grid's spacing."""

    def __init__(self, n_gaussians: int, cutoff: float, trainable: bool) -> None:
        super().__init__()
        centres = torch.linspace(0.0, cutoff, n_gaussians)
        widths = torch.full((n_gaussians,), cutoff / (n_gaussians - 1))
        self.centres = nn.Parameter(centres, requires_grad=trainable)
        self.widths = nn.Parameter(widths, requires_grad=trainable)

    def forward(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """Values and slopes, each (n_distances, n_gaussians), of distances (n_distances,)."""
        z = (d.unsqueeze(-1) - self.centres) / self.widths
        value = torch.exp(-0.5 * z * z)
        return value, -z / self.widths * value


class FilterNetwork(nn.Module):
    """Two dense layers from a distance to a filter, with the slope of the filter in the distance."""

    def __init__(
        self, n_gaussians: int, n_hidden: int, n_filters: int, cutoff: float, trainable: bool
    ) -> None:
        super().__init__()
        self.basis = GaussianBasis(n_gaussians, cutoff, trainable)
        self.hidden = nn.Linear(n_gaussians, n_hidden)
        self.out = nn.Linear(n_hidden, n_filters)

    def forward(self, d: Tensor) -> Tensor:
        """Filters (n_distances, n_filters)."""
        return self.out(ssp(self.hidden(self.basis(d)[0])))

    def with_slope(self, d: Tensor) -> tuple[Tensor, Tensor]:
        """Filters and their derivative in d."""
        basis, basis_slope = self.basis(d)
        u = self.hidden(basis)
        u_slope = basis_slope @ self.hidden.weight.T
        return self.out(ssp(u)), (torch.sigmoid(u) * u_slope) @ self.out.weight.T
