"""The function in model.pt: plain TorchScript that gives energy, forces and stress without autograd."""

import copy

import torch
from torch import Tensor, nn

from mdaug.deployment.pair_filters import DirectFilters, SplineFilters
from mdaug.models import SchNet
from mdaug.models.graph import forces_from_pairs, pair_vectors, virial_from_pairs
from mdaug.models.pair_prior import pair_energies
from mdaug.models.schnet import Pairs


class DeployedModel(nn.Module):
    """A trained SchNet with its reference energies, prior and units, in eV and Å.

    Geometry, reference energies, prior and sums are in float64; the network is in the dtype of its weights
    (float64 in the file; ``.to(torch.float32)`` converts the network and nothing else).
    """

    atomic_numbers: Tensor
    reference_energies: Tensor
    prior_table: Tensor | None

    def __init__(self, model: SchNet) -> None:
        super().__init__()
        model = copy.deepcopy(model).cpu().double().eval().requires_grad_(False)
        self.network = model.network
        self.network.dropout = 0.0
        self.filters = SplineFilters(model) if model.options.filters == "spline" else DirectFilters(model)
        self.register_buffer("atomic_numbers", torch.tensor(model.atomic_numbers))
        self.reference_energies = model.reference_energies.clone()  # a plain attribute: stays in float64
        self.energy_scale = float(model.energy_scale)
        self.prior_table = None if model.prior is None else model.prior.table.clone()  # likewise
        self.prior_spacing = 0.0 if model.prior is None else model.prior.spacing
        self.cutoff = float(model.options.cutoff)

    def forward(
        self, atomic_numbers: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> dict[str, Tensor]:
        """Evaluate one system, or several that share no pair.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,), int64.
        positions
            Shape (n_atoms, 3), Å, float64.
        idx_i, idx_j
            Shape (n_pairs,), int64: every unordered pair within the cutoff once (not both i-j and j-i); i ==
            j for an atom and its own periodic image (once for two opposite images). Pairs beyond the cutoff
            add nothing.
        shifts
            Shape (n_pairs, 3), Å, Cartesian: r_ij = positions[idx_j] − positions[idx_i] + shifts; zeros in a
            molecule.

        Returns
        -------
        dict
            ``energy`` (), eV; ``atomic_energies`` (n_atoms,), eV, which add up to it; ``forces`` (n_atoms,
            3), eV/Å, F = −∂E/∂r; ``strain_derivative`` (3, 3), eV, ∂E/∂ε: over the volume it is the stress,
            tension positive. All float64. For several systems add up the atomic energies of each.
        """
        return self.evaluate(self.species(atomic_numbers), positions, idx_i, idx_j, shifts)

    @torch.jit.export
    def species(self, atomic_numbers: Tensor) -> Tensor:
        """Index (n_atoms,) of each atom's element among the model's; ValueError for one it does not know."""
        same = atomic_numbers.unsqueeze(-1).eq(self.atomic_numbers)
        if not bool(same.any(-1).all()):
            raise ValueError("atomic_numbers: an element that the model does not know")
        return same.long().argmax(-1)

    @torch.jit.export
    def evaluate(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> dict[str, Tensor]:
        """Do the same as `forward`, from `species` found beforehand."""
        d_ij, unit_ij = pair_vectors(positions.double(), idx_i, idx_j, shifts.double())
        filters, slopes = self.filters(d_ij)
        pairs = Pairs(idx_i, idx_j, d_ij, filters, slopes, 0.0)
        atomic, slope = self.network(species, pairs)
        slope = slope.double() * self.energy_scale
        atomic_energies = atomic.double() * self.energy_scale
        atomic_energies = atomic_energies + self.reference_energies.index_select(0, species)
        prior_table = self.prior_table
        if prior_table is not None:
            of_i, of_j = species.index_select(0, idx_i), species.index_select(0, idx_j)
            of_pairs, prior_slope = pair_energies(prior_table, self.prior_spacing, of_i, of_j, d_ij)
            slope = slope + prior_slope
            halves = 0.5 * of_pairs
            atomic_energies = atomic_energies.index_add(0, idx_i, halves).index_add(0, idx_j, halves)
        return {
            "energy": atomic_energies.sum(),
            "atomic_energies": atomic_energies,
            "forces": forces_from_pairs(slope, unit_ij, idx_i, idx_j, positions.shape[0]),
            "strain_derivative": virial_from_pairs(slope, unit_ij, d_ij),
        }
