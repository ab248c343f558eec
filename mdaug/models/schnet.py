"""SchNet with a closed-form gradient: energies and pair gradients in one forward pass, without autograd.

Schütt et al. 2017 (arXiv:1706.08566), with optional angular features (`mdaug.models.vectors`). In training,
one backward pass through `Network.forward` gives the gradient of any loss on energies and forces; no double
backward is needed.

On the CPU the fused kernels of `mdaug.native` read spline filters directly from their tables. Elsewhere (GPU,
TorchScript, filters evaluated by the network) filters are tensors with one row per pair.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from mdaug.models.radial import ssp
from mdaug.models.vectors import invariants, vector_message_gradient, vector_messages


class Pairs(NamedTuple):
    """Pairs of atoms as the interaction blocks read them.

    Attributes
    ----------
    idx_i, idx_j
        Shape (n_pairs,), the atoms of each unordered pair.
    d_ij
        Shape (n_pairs,), distances, Å.
    unit_ij
        Shape (n_pairs, 3), unit vectors from i to j; only angular features depend on them.
    filters
        One tensor per block: W(d_ij) and, beside it, w(d_ij), (n_pairs, n_filters + n_vectors); or, if
        `spacing` is positive, the spline table (n_rows, n_filters + n_vectors) that the fused kernels read at
        `d_ij`.
    slopes
        One tensor per block: the slopes of the filters (per Å), (n_pairs, n_filters + n_vectors); empty if
        `spacing` is positive.
    spacing
        Distance between the knots of the tables, Å; 0 if `filters` are values.
    """

    idx_i: Tensor
    idx_j: Tensor
    d_ij: Tensor
    unit_ij: Tensor
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
            _scalar(pairs.filters[block], x), x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    return _sum_over_neighbors(_scalar(pairs.filters[block], x), x, pairs.idx_i, pairs.idx_j)


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
            _scalar(pairs.filters[block], x), g, x, pairs.d_ij, pairs.idx_i, pairs.idx_j, pairs.spacing
        )
    idx_i, idx_j = pairs.idx_i, pairs.idx_j
    g_i, g_j = g.index_select(0, idx_i), g.index_select(0, idx_j)
    x_i, x_j = x.index_select(0, idx_i), x.index_select(0, idx_j)
    slope = (_scalar(pairs.slopes[block], x) * (g_i * x_j + g_j * x_i)).sum(-1)
    return _sum_over_neighbors(_scalar(pairs.filters[block], x), g, idx_i, idx_j), slope


def _scalar(both: Tensor, x: Tensor) -> Tensor:
    """Return the columns of `both` that belong to `x`; those of the vectors follow them."""
    return both if both.shape[1] == x.shape[1] else both[:, : x.shape[1]]


def _sum_over_neighbors(filters: Tensor, x: Tensor, idx_i: Tensor, idx_j: Tensor) -> Tensor:
    to_i = filters * x.index_select(0, idx_j)
    to_j = filters * x.index_select(0, idx_i)
    return torch.zeros_like(x).index_add(0, idx_i, to_i).index_add(0, idx_j, to_j)


class Interaction(nn.Module):
    """The matrices of one interaction block: x += MLP([Σ_j (A x_j) ∘ W(d_ij), q]).

    Without vectors there is no q; see `mdaug.models.vectors`.

    Parameters
    ----------
    n_atom_basis
        Features per atom.
    n_filters
        Features of the messages.
    n_vectors
        Vectors per atom.
    """

    def __init__(self, n_atom_basis: int, n_filters: int, n_vectors: int) -> None:
        super().__init__()
        self.inward = nn.Linear(n_atom_basis, n_filters, bias=False)
        with_vectors = n_vectors > 0
        self.vector_inward = nn.Linear(n_atom_basis, n_vectors, bias=False) if with_vectors else None
        self.left = nn.Linear(n_vectors, n_vectors, bias=False) if with_vectors else None
        self.right = nn.Linear(n_vectors, n_vectors, bias=False) if with_vectors else None
        self.hidden = nn.Linear(n_filters + n_vectors, n_atom_basis)
        self.out = nn.Linear(n_atom_basis, n_atom_basis)


class _Block(NamedTuple):
    """What the downward pass needs of a block."""

    a: Tensor
    act_slope: Tensor
    inward: Tensor
    hidden: Tensor
    out: Tensor


class _VectorBlock(NamedTuple):
    """What the downward pass needs of a block with vectors besides."""

    b: Tensor
    left_v: Tensor
    right_v: Tensor
    inward: Tensor
    left: Tensor
    right: Tensor


class Network(nn.Module):
    """Atomic energies of SchNet and the gradients of the total energy in all pairs.

    Parameters
    ----------
    n_species
        Rows of the embedding: elements and atom types.
    n_atom_basis, n_filters, n_vectors, n_interactions, dropout
        See `SchNetOptions`.
    """

    def __init__(  # noqa: PLR0917
        self,
        n_species: int,
        n_atom_basis: int,
        n_filters: int,
        n_vectors: int,
        n_interactions: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_species, n_atom_basis)
        self.interactions = nn.ModuleList(
            Interaction(n_atom_basis, n_filters, n_vectors) for _ in range(n_interactions)
        )
        self.readout_hidden = nn.Linear(n_atom_basis, max(1, n_atom_basis // 2))
        self.readout = nn.Linear(max(1, n_atom_basis // 2), 1)
        self.n_vectors = n_vectors
        self.dropout = dropout

    def forward(self, species: Tensor, pairs: Pairs) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return atomic energies and the gradients of their sum in all pairs.

        In the forward pass x are the features of an atom; in the backward pass g is the gradient of the
        energy in x.

        Parameters
        ----------
        species
            Shape (n_atoms,), each atom's row of the embedding.
        pairs
            Pairs with filters.

        Returns
        -------
        tuple
            Atomic energies (n_atoms,); slopes ∂E/∂d_ij (n_pairs,) (per Å); and the parts of ∂E/∂r_ij
            perpendicular to r_ij, (n_pairs, 3) (per Å), None without vectors. In units of the network: times
            the model's `energy_scale`, and its `output_scales` if it has these, they are in eV.
        """
        if not torch.jit.is_scripting() and pairs.spacing > 0 and (self.dropout == 0.0 or not self.training):
            energies, slope, transverse = torch.ops.mdaug.schnet(
                species,
                pairs.d_ij,
                pairs.unit_ij,
                pairs.idx_i,
                pairs.idx_j,
                pairs.spacing,
                len(self.interactions),
                [*self.parameters(), *pairs.filters],
            )
            return energies, slope, transverse if self.n_vectors > 0 else None
        energies, slope, transverse, _ = self.with_last_features(species, pairs)
        return energies, slope, transverse

    def with_last_features(
        self, species: Tensor, pairs: Pairs, scales: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor]:
        """Return what `forward` returns, and `last_features` from the same pass.

        Parameters
        ----------
        species
            Shape (n_atoms,), each atom's row of the embedding.
        pairs
            Pairs with filters.
        scales
            Shape (n_atoms,), factors on the atomic energies; None for factors of 1.
        """
        x, blocks, vector_blocks = self._features(species, pairs)
        last = self.readout_hidden(x)
        hidden, act_slope = self._activate(last)
        energies = self.readout(hidden).squeeze(-1)
        g = act_slope * self.readout.weight
        if scales is not None:
            energies, g = energies * scales, g * scales.unsqueeze(-1)
        g = g @ self.readout_hidden.weight
        slope, transverse = _pair_gradients(pairs, g, blocks, vector_blocks)
        return energies, slope, transverse, last

    def last_features(self, species: Tensor, pairs: Pairs) -> Tensor:
        """Return the features of the last layer, before its activation: the energy is a function of them.

        Parameters
        ----------
        species
            Shape (n_atoms,), each atom's row of the embedding.
        pairs
            Pairs with filters.

        Returns
        -------
        Tensor
            Shape (n_atoms, n_atom_basis // 2), without unit.
        """
        return self.readout_hidden(self._features(species, pairs)[0])

    def _features(self, species: Tensor, pairs: Pairs) -> tuple[Tensor, list[_Block], list[_VectorBlock]]:
        """Return the features of the atoms, and what the downward pass needs of each block."""
        x = self.embedding(species)
        blocks: list[_Block] = []
        vector_blocks: list[_VectorBlock] = []
        for n, block in enumerate(self.interactions):
            a = block.inward(x)
            received = messages(pairs, n, a)
            if block.vector_inward is not None:
                b = block.vector_inward(x)
                w = pairs.filters[n][:, a.shape[1] :]
                v = vector_messages(w, b, pairs.unit_ij.to(b.dtype), pairs.idx_i, pairs.idx_j)
                q, left_v, right_v = invariants(v, block.left.weight, block.right.weight)
                received = torch.cat([received, q], dim=1)
                weights = block.vector_inward.weight, block.left.weight, block.right.weight
                vector_blocks.append(_VectorBlock(b, left_v, right_v, *weights))
            hidden, act_slope = self._activate(block.hidden(received))
            x = x + block.out(hidden)
            blocks.append(_Block(a, act_slope, block.inward.weight, block.hidden.weight, block.out.weight))
        return x, blocks, vector_blocks

    def _activate(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """Return the activation of u and its slope; in training both have the same dropout mask."""
        value, slope = ssp(u), torch.sigmoid(u)
        if self.training and self.dropout > 0.0:
            mask = nn.functional.dropout(torch.ones_like(u), self.dropout, True)
            return value * mask, slope * mask
        return value, slope


def _pair_gradients(
    pairs: Pairs, g: Tensor, blocks: list[_Block], vector_blocks: list[_VectorBlock]
) -> tuple[Tensor, Tensor | None]:
    """Return slope and transverse gradient of all pairs, given the gradient `g` in the last features."""
    slope = torch.zeros_like(pairs.d_ij)
    transverse: Tensor | None = None
    for n in range(len(blocks) - 1, -1, -1):
        block = blocks[n]
        g_received = ((g @ block.out) * block.act_slope) @ block.hidden
        n_filters = block.a.shape[1]
        g_a, slope_of_block = message_gradient(pairs, n, _scalar(g_received, block.a), block.a)
        slope = slope + slope_of_block
        if n > 0:  # the embedding does not depend on positions
            g = g + g_a @ block.inward
        if len(vector_blocks) > 0:
            of_vectors = vector_blocks[n]
            g_b, slope_of_block, across = _vector_gradients(pairs, n, g_received[:, n_filters:], of_vectors)
            slope = slope + slope_of_block
            transverse = across if transverse is None else transverse + across
            if n > 0:
                g = g + g_b @ of_vectors.inward
    return slope, transverse


def _vector_gradients(
    pairs: Pairs, n: int, g_q: Tensor, block: _VectorBlock
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of ⟨g_q, q⟩ as `vector_message_gradient` does."""
    g_q = g_q.unsqueeze(1)
    g_v = (g_q * block.right_v) @ block.left + (g_q * block.left_v) @ block.right
    n_filters = pairs.filters[n].shape[1] - g_q.shape[2]
    return vector_message_gradient(
        pairs.filters[n][:, n_filters:],
        pairs.slopes[n][:, n_filters:],
        g_v,
        block.b,
        pairs.d_ij,
        pairs.unit_ij.to(g_v.dtype),
        pairs.idx_i,
        pairs.idx_j,
    )
