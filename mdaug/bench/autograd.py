"""SchNet with forces by automatic differentiation, in TorchScript, as a reference for the closed form.

`mdaug bench` compares their speed; tests compare their results.
"""

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mdaug.deployment import load_model, read_manifest
from mdaug.models import spline
from mdaug.models.pair_prior import pair_energies
from mdaug.models.radial import cutoff_function, ssp
from mdaug.options import Precision

Tensors = dict[str, Tensor]


class FilterSplines(nn.Module):
    """Filters from their spline tables.

    Parameters
    ----------
    tensors
        Tensors of the model.pt by name.
    n_interactions
        Number of interaction blocks.
    spacing
        Distance between knots, Å.
    """

    def __init__(self, tensors: Tensors, n_interactions: int, spacing: float) -> None:
        super().__init__()
        self.tables = list(tensors["filters.table"].chunk(n_interactions, dim=1))
        self.spacing = spacing

    def forward(self, d_ij: Tensor, block: int) -> Tensor:
        """Return the filters of a block, (n_pairs, n_filters + n_vectors).

        Parameters
        ----------
        d_ij
            Shape (n_pairs,), distances, Å.
        block
            Index of the interaction block.
        """
        table = self.tables[block]
        row, weights, _ = spline.basis(d_ij, self.spacing, table.shape[0])
        return spline.evaluate(table, row, weights.to(table.dtype))


class FilterNetworksOnPairs(nn.Module):
    """Filters from their networks, evaluated at every pair, as published.

    Parameters
    ----------
    tensors
        Tensors of the model.pt by name.
    cutoff
        Å.
    smooth
        Whether filters are multiplied by the cutoff function.
    """

    def __init__(self, tensors: Tensors, cutoff: float, smooth: bool) -> None:
        super().__init__()
        names = ("centers", "widths", "hidden_weight", "hidden_bias", "out_weight", "out_bias")
        self.centers, self.widths, self.hidden, self.hidden_bias, self.out, self.out_bias = (
            list(tensors[f"filters.networks.{name}"].unbind(0)) for name in names
        )
        self.cutoff, self.smooth = cutoff, smooth

    def forward(self, d_ij: Tensor, block: int) -> Tensor:
        """Return the filters of a block, (n_pairs, n_filters + n_vectors).

        Parameters
        ----------
        d_ij
            Shape (n_pairs,), distances, Å.
        block
            Index of the interaction block.
        """
        cut = cutoff_function(d_ij, self.cutoff) if self.smooth else (d_ij < self.cutoff).to(d_ij.dtype)
        dtype = self.out[block].dtype
        z = (d_ij.to(dtype).unsqueeze(-1) - self.centers[block]) / self.widths[block]
        hidden = ssp(torch.exp(-0.5 * z * z) @ self.hidden[block] + self.hidden_bias[block])
        return (hidden @ self.out[block] + self.out_bias[block]) * cut.to(dtype).unsqueeze(-1)


class AutogradSchNet(nn.Module):
    """SchNet of a model.pt, written as in its equations, with F = −∂E/∂r by automatic differentiation.

    A baseline is left out, and with it the atom types: each atom has the embedding of its element.

    Parameters
    ----------
    script
        A loaded model.pt, whose tensors are shared.
    filters
        Its filters as a function of distance.
    n_interactions
        Number of interaction blocks.
    """

    def __init__(self, script: torch.jit.ScriptModule, filters: nn.Module, n_interactions: int) -> None:
        super().__init__()
        tensors = tensors_of(script)
        self.filters = filters
        self.embedding = tensors["network.embedding.weight"]
        blocks = [f"network.interactions.{block}" for block in range(n_interactions)]
        self.inward = [tensors[f"{block}.inward.weight"] for block in blocks]
        names = "vector_inward", "left", "right"
        self.vector_inward, self.left, self.right = (
            [tensors.get(f"{block}.{name}.weight", torch.empty(0)) for block in blocks] for name in names
        )
        self.hidden = [tensors[f"{block}.hidden.weight"] for block in blocks]
        self.hidden_bias = [tensors[f"{block}.hidden.bias"] for block in blocks]
        self.out = [tensors[f"{block}.out.weight"] for block in blocks]
        self.out_bias = [tensors[f"{block}.out.bias"] for block in blocks]
        self.readout_hidden = tensors["network.readout_hidden.weight"]
        self.readout_hidden_bias = tensors["network.readout_hidden.bias"]
        self.readout = tensors["network.readout.weight"]
        self.readout_bias = tensors["network.readout.bias"]
        device = self.embedding.device
        self.reference_energies = script.reference_energies.to(device)
        self.energy_scale = float(script.energy_scale)
        no_prior = torch.zeros(0, dtype=torch.float64)
        self.prior_table = (no_prior if script.prior_table is None else script.prior_table).to(device)
        self.prior_spacing = float(script.prior_spacing)

    def forward(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the energy (), eV, and forces (n_atoms, 3), eV/Å.

        Parameters
        ----------
        species, positions, shifts
            As for `DeployedModel.evaluate`.
        idx_i, idx_j
            Shape (n_directed_pairs,), both directions of each pair, i-j and j-i.
        """
        positions = positions.detach().requires_grad_(True)
        r_ij = positions[idx_j] - positions[idx_i] + shifts
        d_ij = torch.norm(r_ij, dim=1)
        x = self.embedding[species]
        for block, inward in enumerate(self.inward):
            filters = self.filters(d_ij, block)
            sent = nn.functional.linear(x, inward)[idx_j] * filters[:, : inward.shape[0]]
            received = torch.zeros(x.shape[0], sent.shape[1], dtype=x.dtype, device=x.device)
            received = received.index_add(0, idx_i, sent)
            if self.vector_inward[block].numel() > 0:
                sent = (
                    nn.functional.linear(x, self.vector_inward[block])[idx_j] * filters[:, inward.shape[0] :]
                )
                unit = (r_ij / d_ij.unsqueeze(1)).to(x.dtype)
                v = torch.zeros(x.shape[0], 3, sent.shape[1], dtype=x.dtype, device=x.device)
                v = v.index_add(0, idx_i, sent.unsqueeze(1) * unit.unsqueeze(2))
                q = nn.functional.linear(v, self.left[block]) * nn.functional.linear(v, self.right[block])
                received = torch.cat([received, q.sum(1)], dim=1)
            hidden = ssp(nn.functional.linear(received, self.hidden[block], self.hidden_bias[block]))
            x = x + nn.functional.linear(hidden, self.out[block], self.out_bias[block])
        hidden = ssp(nn.functional.linear(x, self.readout_hidden, self.readout_hidden_bias))
        atomic = nn.functional.linear(hidden, self.readout, self.readout_bias).squeeze(-1)
        energy = (atomic.double() * self.energy_scale + self.reference_energies[species]).sum()
        if self.prior_table.numel() > 0:
            of_i, of_j = species[idx_i], species[idx_j]
            prior, _ = pair_energies(self.prior_table, self.prior_spacing, of_i, of_j, d_ij)
            energy = energy + 0.5 * prior.sum()
        gradient = torch.autograd.grad([energy], [positions])[0]
        assert gradient is not None
        return energy.detach(), -gradient


def load_autograd(
    path: str | Path, dtype: Precision | None = None, device: str = "cpu"
) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return the network of a model.pt with forces by autograd, in TorchScript.

    Filters are evaluated as in the file: from splines, or by networks at every pair.

    Parameters
    ----------
    path
        The model.pt.
    dtype
        Precision of the network; None for that of the manifest.
    device
        ``cpu`` or ``cuda``.
    """
    manifest = read_manifest(path)
    script, n_interactions = load_model(path, dtype, device), manifest["n_interactions"]
    filters: nn.Module
    if manifest["filters"] == "spline":
        filters = FilterSplines(tensors_of(script), n_interactions, float(script.filters.spacing))
    else:
        filters = FilterNetworksOnPairs(
            tensors_of(script), manifest["cutoff_A"], manifest["cutoff_function"] == "c2"
        )
    return torch.jit.script(AutogradSchNet(script, filters, n_interactions))


def tensors_of(script: torch.jit.ScriptModule) -> Tensors:
    """Return weights and tables by name, without gradients.

    Parameters
    ----------
    script
        A loaded model.pt.
    """
    named = dict(script.named_parameters()) | dict(script.named_buffers())
    return {name: tensor.detach() for name, tensor in named.items()}


def directed(idx_i: Tensor, idx_j: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return both directions of unordered pairs.

    Parameters
    ----------
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each pair.
    shifts
        Shape (n_pairs, 3), Å.
    """
    return torch.cat([idx_i, idx_j]), torch.cat([idx_j, idx_i]), torch.cat([shifts, -shifts])
