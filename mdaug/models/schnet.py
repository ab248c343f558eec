"""SchNet with a closed-form gradient: energies and pair slopes in one forward pass, without autograd.

Schütt et al. 2017 (arXiv:1706.08566). In training, one backward pass through `Network.forward` gives the
gradient of any loss on energies and forces; no double backward is needed.

On the CPU the fused kernels of `mdaug.native` read spline filters directly from their tables. Elsewhere (GPU,
TorchScript, filters evaluated by the network) filters are tensors with one row per pair.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mdaug.models.radial import ssp


class Pairs(NamedTuple):
    """Pairs of atoms as the interaction blocks read them.

    Attributes
    ----------
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each unordered pair.
    d_ij
        Shape (n_pairs,), distances, Å.
    filters
        One tensor per block: W(d_ij), (n_pairs, n_filters); or, if `spacing` is positive, the spline table
        (n_rows, n_filters) that the fused kernels read at `d_ij`.
    slopes
        One tensor per block: dW/dd (per Å), (n_pairs, n_filters); empty if `spacing` is positive.
    spacing
        Distance between the knots of the tables, Å; 0 if `filters` are values.
    """

    idx_i: Tensor
    idx_j: Tensor
    d_ij: Tensor
    filters: list[Tensor]
    slopes: list[Tensor]
    spacing: float


def messages(pairs: Pairs, block: int, x: Tensor) -> Tensor:
    """Return v_i = Σ_j W(d_ij) ∘ x_j.

    Parameters
    ----------
    pairs
        Pairs with filters.
    block
        Index of the interaction block.
    x
        Shape (n_atoms, n_filters), transformed features of the atoms.

    Returns
    -------
    Tensor
        Shape (n_atoms, n_filters).
    """
    if not torch.jit.is_scripting() and pairs.spacing > 0:
        return torch.ops.mdaug.spline_message(
            pairs.filters[block], x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    return _sum_over_neighbors(pairs.filters[block], x, pairs.idx_i, pairs.idx_j)


def message_gradient(pairs: Pairs, block: int, g: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the gradient of ⟨g, messages(x)⟩ in `x` and in every distance.

    Parameters
    ----------
    pairs
        Pairs with filters.
    block
        Index of the interaction block.
    g
        Shape (n_atoms, n_filters), gradient of the energy in the messages.
    x
        Shape (n_atoms, n_filters), transformed features of the atoms.

    Returns
    -------
    tuple of Tensor
        Gradients in `x`, (n_atoms, n_filters), and in d_ij, (n_pairs,), per Å.
    """
    if not torch.jit.is_scripting() and pairs.spacing > 0:
        return torch.ops.mdaug.spline_message_gradient(
            pairs.filters[block], g, x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    idx_i, idx_j = pairs.idx_i, pairs.idx_j
    g_i, g_j = g.index_select(0, idx_i), g.index_select(0, idx_j)
    x_i, x_j = x.index_select(0, idx_i), x.index_select(0, idx_j)
    slope = (pairs.slopes[block] * (g_i * x_j + g_j * x_i)).sum(-1)
    return _sum_over_neighbors(pairs.filters[block], g, idx_i, idx_j), slope


def _sum_over_neighbors(filters: Tensor, x: Tensor, idx_i: Tensor, idx_j: Tensor) -> Tensor:
    to_i = filters * x.index_select(0, idx_j)
    to_j = filters * x.index_select(0, idx_i)
    return torch.zeros_like(x).index_add(0, idx_i, to_i).index_add(0, idx_j, to_j)


class Interaction(nn.Module):
    """The matrices of one interaction block: x += MLP(Σ_j (A x_j) ∘ W(d_ij)).

    Parameters
    ----------
    n_atom_basis
        Features per atom.
    n_filters
        Features of the messages.
    """

    def __init__(self, n_atom_basis: int, n_filters: int) -> None:
        super().__init__()
        self.inward = nn.Linear(n_atom_basis, n_filters, bias=False)
        self.hidden = nn.Linear(n_filters, n_atom_basis)
        self.out = nn.Linear(n_atom_basis, n_atom_basis)


class Network(nn.Module):
    """Atomic energies of SchNet and the slopes of the total energy in all pair distances.

    Parameters
    ----------
    n_species
        Number of elements.
    n_atom_basis, n_filters, n_interactions, dropout
        See `SchNetOptions`.
    """

    def __init__(
        self, n_species: int, n_atom_basis: int, n_filters: int, n_interactions: int, dropout: float
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_species, n_atom_basis)
        self.interactions = nn.ModuleList(Interaction(n_atom_basis, n_filters) for _ in range(n_interactions))
        self.readout_hidden = nn.Linear(n_atom_basis, max(1, n_atom_basis // 2))
        self.readout = nn.Linear(max(1, n_atom_basis // 2), 1)
        self.dropout = dropout

    def forward(self, species: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Return atomic energies and the slopes ∂E/∂d_ij of their sum.

        In the forward pass x are the features of an atom; in the backward pass g is the gradient of the
        energy in x.

        Parameters
        ----------
        species
            Shape (n_atoms,), index of each atom's element.
        pairs
            Pairs with filters.

        Returns
        -------
        tuple of Tensor
            Atomic energies (n_atoms,) and slopes (n_pairs,) (per Å), in units of the model's `energy_scale`.
        """
        if not torch.jit.is_scripting() and pairs.spacing > 0 and (self.dropout == 0.0 or not self.training):
            return torch.ops.mdaug.schnet(
                species,
                pairs.d_ij,
                pairs.idx_i,
                pairs.idx_j,
                pairs.spacing,
                len(self.interactions),
                [*self.parameters(), *pairs.filters],
            )
        x = self.embedding(species)
        sent: list[Tensor] = []  # A x of each block
        act_slopes: list[Tensor] = []  # slopes of the activations, with the dropout mask
        weights: list[tuple[Tensor, Tensor, Tensor]] = []  # TorchScript cannot iterate a ModuleList backwards
        for block, interaction in enumerate(self.interactions):
            a = interaction.inward(x)
            hidden, act_slope = self._activate(interaction.hidden(messages(pairs, block, a)))
            x = x + interaction.out(hidden)
            sent.append(a)
            act_slopes.append(act_slope)
            weights.append((interaction.out.weight, interaction.hidden.weight, interaction.inward.weight))
        hidden, act_slope = self._activate(self.readout_hidden(x))
        energies = self.readout(hidden).squeeze(-1)

        g = (act_slope * self.readout.weight) @ self.readout_hidden.weight
        slope = torch.zeros_like(pairs.d_ij)
        for block in range(len(sent) - 1, -1, -1):
            out_weight, hidden_weight, inward_weight = weights[block]
            g_hidden = (g @ out_weight) * act_slopes[block]
            g_sent, slope_of_block = message_gradient(pairs, block, g_hidden @ hidden_weight, sent[block])
            slope = slope + slope_of_block
            if block > 0:  # the embedding does not depend on positions
                g = g + g_sent @ inward_weight
        return energies, slope

    def _activate(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activation of u and its slope; in training both have the same dropout mask."""
        value, slope = ssp(u), torch.sigmoid(u)
        if self.training and self.dropout > 0.0:
            mask = nn.functional.dropout(torch.ones_like(u), self.dropout, True)
            return value * mask, slope * mask
        return value, slope
