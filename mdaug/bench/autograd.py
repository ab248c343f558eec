"""The same network as everybody would write it: forces by automatic differentiation, in TorchScript.

What the closed form is compared with, in speed and in its numbers.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mdaug.deploy import load_model, read_manifest
from mdaug.deploy.model_file import Precision
from mdaug.errors import DataError
from mdaug.model import spline
from mdaug.model.radial import ssp


class AutogradSchNet(nn.Module):
    """SchNet of a model.pt, written as its equations stand, F = −∂E/∂r by automatic differentiation.

    Parameters
    ----------
    script
        A loaded model.pt with spline filters, whose tensors it shares.
    """

    def __init__(self, script: torch.jit.ScriptModule, n_interactions: int) -> None:
        super().__init__()
        named = dict(script.named_parameters()) | dict(script.named_buffers())
        tensors = {name: tensor.detach() for name, tensor in named.items()}
        self.embedding = tensors["network.embedding.weight"]
        blocks = [f"network.interactions.{block}" for block in range(n_interactions)]
        self.inward = [tensors[f"{block}.inward.weight"] for block in blocks]
        self.hidden = [tensors[f"{block}.hidden.weight"] for block in blocks]
        self.hidden_bias = [tensors[f"{block}.hidden.bias"] for block in blocks]
        self.out = [tensors[f"{block}.out.weight"] for block in blocks]
        self.out_bias = [tensors[f"{block}.out.bias"] for block in blocks]
        self.tables = list(tensors["filters.table"].chunk(n_interactions, dim=1))
        self.readout_hidden = tensors["network.readout_hidden.weight"]
        self.readout_hidden_bias = tensors["network.readout_hidden.bias"]
        self.readout = tensors["network.readout.weight"]
        self.readout_bias = tensors["network.readout.bias"]
        self.reference_energies = script.reference_energies.to(self.embedding.device)
        self.energy_scale = float(script.energy_scale)
        self.spacing = float(script.filters.spacing)

    def forward(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energy (), eV, and forces (n_atoms, 3), eV/Å.

        ``idx_i``, ``idx_j``: every directed pair, i-j and j-i; otherwise as `DeployedModel.evaluate`.
        """
        positions = positions.detach().requires_grad_(True)
        r_ij = positions.index_select(0, idx_j) - positions.index_select(0, idx_i) + shifts
        d_ij = torch.sqrt((r_ij * r_ij).sum(-1))
        row, weights, _ = spline.basis(d_ij, self.spacing, self.tables[0].shape[0])
        weights = weights.to(self.embedding.dtype)
        linear = nn.functional.linear

        x = self.embedding.index_select(0, species)
        for block in range(len(self.tables)):
            filters = spline.evaluate(self.tables[block], row, weights)
            sent = linear(x, self.inward[block]).index_select(0, idx_j) * filters
            v = torch.zeros(x.shape[0], sent.shape[1], dtype=x.dtype, device=x.device)
            v = v.index_add(0, idx_i, sent)
            hidden = ssp(linear(v, self.hidden[block], self.hidden_bias[block]))
            x = x + linear(hidden, self.out[block], self.out_bias[block])
        hidden = ssp(linear(x, self.readout_hidden, self.readout_hidden_bias))
        atomic = linear(hidden, self.readout, self.readout_bias).squeeze(-1).double() * self.energy_scale
        energy = (atomic + self.reference_energies.index_select(0, species)).sum()

        gradient = torch.autograd.grad([energy], [positions])[0]
        assert gradient is not None
        return energy.detach(), -gradient


def load_autograd(
    path: str | Path, dtype: Precision | None = None, device: str = "cpu"
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the network of a model.pt with forces by autograd, in TorchScript.

    Raises
    ------
    DataError
        The file is no model of ours, or its filters are no splines.
    """
    manifest = read_manifest(path)
    if manifest["filters"] != "spline":
        raise DataError(f'{path}: its filters are no splines; train with filters = "spline" to measure it')
    script = load_model(path, dtype, device)
    return torch.jit.script(AutogradSchNet(script, manifest["n_interactions"]))


def directed(idx_i: Tensor, idx_j: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both directions of unordered pairs."""
    return torch.cat([idx_i, idx_j]), torch.cat([idx_j, idx_i]), torch.cat([shifts, -shifts])
