"""The trainable potential: filters and network, with reference energies and prior in float64."""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mdaug.frames import IntArray
from mdaug.models import spline
from mdaug.models.graph import Graph, forces_from_pairs, strain_derivatives
from mdaug.models.options import SchNetOptions
from mdaug.models.pair_prior import PairPrior
from mdaug.models.radial import FilterNetworks, cutoff_function
from mdaug.models.schnet import Network, Pairs
from mdaug.native import load_kernels


class SchNet(nn.Module):
    """SchNet as a potential energy surface.

    Parameters
    ----------
    options
        Sizes and kinds of the parts.
    atomic_numbers
        The model's elements, ascending.
    reference_energies
        One energy (eV) per element, added to the network's energies in float64.
    energy_scale
        Energy (eV) of one unit of the network's output.
    prior
        Pair energies, added in float64; None if `options.prior` is ``none``.
    n_atom_types
        Number of atom types that have an embedding of their own (`MoleculeTemplate.atom_types`).
    output_scales
        Factors on the network's energies of atoms, one for each element and then for each atom type, the same
        for all atoms of a training frame; None for factors of 1.

    Raises
    ------
    ValueError
        `options` and `prior` do not agree.
    """

    reference_energies: Tensor
    energy_scale: Tensor
    output_scales: Tensor | None
    knots: Tensor
    knot_factor: Tensor

    def __init__(
        self,
        options: SchNetOptions,
        atomic_numbers: Sequence[int],
        reference_energies: Sequence[float],
        energy_scale: float,
        prior: PairPrior | None = None,
        *,
        n_atom_types: int = 0,
        output_scales: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        if (prior is None) != (options.prior == "none"):
            raise ValueError(
                f"options.prior is {options.prior!r}, but a prior is {'not ' * (prior is None)}given"
            )
        self.options = options
        self.prior = prior
        self.atomic_numbers = list(atomic_numbers)
        self.network = Network(
            len(self.atomic_numbers) + n_atom_types,
            options.n_atom_basis,
            options.n_filters,
            options.n_vectors,
            options.n_interactions,
            options.dropout,
        )
        n_hidden = options.n_filters if options.filter_network == "schutt" else options.gaussians
        self.filter_networks = FilterNetworks(
            options.n_interactions,
            (options.gaussians, n_hidden, options.n_filters + options.n_vectors),
            options.cutoff,
            options.trainable_gaussians,
        )
        knots = spline.table_positions(options.n_knots, options.cutoff)
        self.register_buffer("knots", knots, persistent=False)
        self.register_buffer("knot_factor", _knot_factor(knots, options), persistent=False)
        self.register_buffer("reference_energies", torch.tensor(reference_energies, dtype=torch.float64))
        self.register_buffer("energy_scale", torch.tensor(energy_scale, dtype=torch.float64))
        scales = None if output_scales is None else torch.tensor(output_scales, dtype=torch.float64)
        self.register_buffer("output_scales", scales)
        _initialize(self)

    @property
    def spacing(self) -> float:
        """Distance between the knots of the spline filters, Å."""
        return self.options.cutoff / self.options.n_knots

    def unit(self, species: IntArray) -> float:
        """Return the energy (eV) of one unit of the network's output for a frame.

        Parameters
        ----------
        species
            Shape (n_atoms,), each atom's row of the embedding.

        Raises
        ------
        ValueError
            Atoms of the frame have different `output_scales`.
        """
        if self.output_scales is None:
            return float(self.energy_scale)
        scales = self.output_scales.cpu().numpy()[species]
        if not (scales == scales[0]).all():
            raise ValueError("the frame has atoms of different output scales, which have no common unit")
        return float(self.energy_scale) * float(scales[0])

    def forward(self, graph: Graph) -> tuple[Tensor, Tensor]:
        """Return energies and forces of the network alone, without reference energies and prior.

        Parameters
        ----------
        graph
            A batch of systems.

        Returns
        -------
        tuple of Tensor
            Energies (n_systems,) in the `unit` of the atoms of each system, and forces (n_atoms, 3) in these
            per Å.
        """
        energies, forces, _ = self.with_strain(graph, strain=False)
        return energies, forces

    def with_strain(self, graph: Graph, *, strain: bool = True) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the same as `forward`, and the derivatives of the energies in strain.

        Parameters
        ----------
        graph
            A batch of systems.
        strain
            Whether the third is computed; else it is None.

        Returns
        -------
        tuple
            Energies, forces, and ∂E/∂ε (n_systems, 3, 3) in the `unit` of each system: divided by the volume
            it is the stress, tension positive.
        """
        atomic, slope, transverse = self.atoms_and_pairs(graph)
        energies = torch.zeros(graph.n_systems, dtype=atomic.dtype, device=atomic.device)
        energies = energies.index_add(0, graph.system, atomic)
        pairs = graph.unit_ij, graph.idx_i, graph.idx_j
        forces = forces_from_pairs(slope, *pairs, len(graph.species), transverse)
        return energies, forces, strain_derivatives(graph, slope, transverse) if strain else None

    def atoms_and_pairs(self, graph: Graph) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the terms of energies and forces of the network.

        Parameters
        ----------
        graph
            A batch of systems.

        Returns
        -------
        tuple
            Atomic energies (n_atoms,) in the `unit` of each system; slopes ∂E/∂d_ij (n_pairs,) in these per
            Å; and the parts of ∂E/∂r_ij perpendicular to r_ij, (n_pairs, 3), None without vectors.
        """
        return cast("tuple[Tensor, Tensor, Tensor | None]", self.network(graph.species, self.pairs(graph)))

    def pairs(self, graph: Graph) -> Pairs:
        """Return the pairs of a batch with filters, or with spline tables if the fused kernels are used.

        Parameters
        ----------
        graph
            A batch of systems.
        """
        d_ij, given = graph.d_ij, (graph.idx_i, graph.idx_j, graph.d_ij, graph.unit_ij)
        if self.options.filters == "direct":
            smooth = self.options.cutoff_function == "c2"
            filters, slopes = self.filter_networks.within(d_ij, self.options.cutoff, smooth)
            return Pairs(*given, list(filters), list(slopes), 0.0)
        tables = self.tables()
        # the kernels of separate messages, which dropout needs, have no vectors
        has_kernels = self.options.n_vectors == 0 or self.options.dropout == 0 or not self.training
        if has_kernels and d_ij.device.type == "cpu" and load_kernels():
            return Pairs(*given, tables, [], self.spacing)
        row, value, slope = spline.basis(d_ij, self.spacing, self.options.n_knots + 3)
        return Pairs(
            *given,
            [spline.evaluate(table, row, value) for table in tables],
            [spline.evaluate(table, row, slope) for table in tables],
            0.0,
        )

    def tables(self) -> list[Tensor]:
        """Return the spline tables of all blocks, each (n_knots + 3, n_filters + n_vectors)."""
        dtype = self.network.readout.weight.dtype
        return list(self.filter_networks(self.knots.to(dtype)) * self.knot_factor.to(dtype))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SchNet":
        """Change device or dtype, but keep reference energies, scales and prior in float64."""
        exact = {
            name: getattr(self, name)
            for name in ("reference_energies", "energy_scale", "output_scales", "knots", "knot_factor")
        }
        super()._apply(fn, recurse)
        for name, tensor in exact.items():
            if tensor is not None:
                setattr(self, name, tensor.to(getattr(self, name).device))
        return self


def _knot_factor(knots: Tensor, options: SchNetOptions) -> Tensor:
    """Return the cutoff function on the knots, (n_knots + 3, 1), its last three values zero."""
    if options.cutoff_function == "none":
        return torch.ones_like(knots).unsqueeze(-1)
    factor = cutoff_function(knots, options.cutoff)
    factor[-3:] = 0.0
    return factor.unsqueeze(-1)


def _initialize(model: nn.Module) -> None:
    """Set Xavier-uniform weights and zero biases, as SchNetPack does."""
    for module in model.modules():
        if isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
