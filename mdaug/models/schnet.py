"""SchNet with its gradient written down: energies and pair forces in one forward pass, no tape.

Schütt et al. 2017 (arXiv:1706.08566). In training, one backward pass through `Network.forward` gives the
gradient of any loss on energies and forces; there is no double backward.
"""

import torch
from torch import Tensor, nn

from mdaug.models.messages import Pairs, message_gradient, messages
from mdaug.models.radial import ssp


class Interaction(nn.Module):
    """The matrices of one interaction block: x += MLP(Σ_j (A x_j) ∘ W(d_ij))."""

    def __init__(self, n_atom_basis: int, n_filters: int) -> None:
        super().__init__()
        self.inward = nn.Linear(n_atom_basis, n_filters, bias=False)
        self.hidden = nn.Linear(n_filters, n_atom_basis)
        self.out = nn.Linear(n_atom_basis, n_atom_basis)


class Network(nn.Module):
    """Atomic energies of SchNet and the slopes of the total energy in all pair distances."""

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
        """Return atomic energies (n_atoms,) and ∂E/∂d_ij (n_pairs,).

        Upwards x is an atom's features; downwards g is the gradient of the energy in the same quantity.
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
        sent: list[Tensor] = []  # A x of every block
        act_slopes: list[Tensor] = []  # slope of the activation, with the dropout mask
        weights: list[tuple[Tensor, Tensor, Tensor]] = []  # TorchScript runs no list of modules backwards
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
            if block > 0:  # the first block's features are the embedding, which no position moves
                g = g + g_sent @ inward_weight
        return energies, slope

    def _activate(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The activation of u and its slope, both with the same dropout mask in training."""
        value, slope = ssp(u), torch.sigmoid(u)
        if self.training and self.dropout > 0.0:
            mask = nn.functional.dropout(torch.ones_like(u), self.dropout, True)
            return value * mask, slope * mask
        return value, slope
