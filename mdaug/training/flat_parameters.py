"""All parameters of a model in one tensor: optimiser, clipping and averaging are one operation each."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class FlatParameters:
    """The trainable parameters of `model`, moved into one tensor of which they become views.

    Attributes
    ----------
    values
        Shape (n_parameters,), a leaf whose ``grad`` gathers what backward passes give.
    """

    def __init__(self, model: nn.Module) -> None:
        parameters = [p for p in model.parameters() if p.requires_grad]
        self.values = nn.Parameter(torch.cat([p.detach().flatten() for p in parameters]))
        self.values.grad = torch.zeros_like(self.values)
        offset = 0
        for p in parameters:
            end = offset + p.numel()
            p.data = self.values.data[offset:end].view_as(p)
            p.grad = self.values.grad[offset:end].view_as(p)
            offset = end

    @property
    def gradient(self) -> Tensor:
        """The gathered gradients, (n_parameters,)."""
        assert self.values.grad is not None
        return self.values.grad

    def zero_grad(self) -> None:
        """Forget all gradients (in place: the parameters' own are views)."""
        self.gradient.zero_()

    def clip_grad_norm(self, longest: float) -> None:
        """Shorten the gradient to the length `longest` where it is longer."""
        self.gradient.mul_((longest / (self.gradient.norm() + 1e-12)).clamp(max=1.0))

    def copy(self) -> Tensor:
        """A copy of the present values."""
        return self.values.detach().clone()

    def assign(self, values: Tensor) -> None:
        """Set all parameters."""
        self.values.data.copy_(values)

    @contextmanager
    def replaced_by(self, values: Tensor) -> Iterator[None]:
        """Use other values, (n_parameters,), within a ``with`` block."""
        kept = self.copy()
        self.assign(values)
        try:
            yield
        finally:
            self.assign(kept)
