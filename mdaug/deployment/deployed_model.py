"""The function in model.pt: plain TorchScript that gives energy, forces and stress without autograd."""

import copy
from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from mdaug.deployment.deployed_filters import DirectFilters, SplineFilters
from mdaug.deployment.whole_molecules import whole_by_pairs
from mdaug.models import SchNet
from mdaug.models.graph import forces_from_pairs, pair_vectors, virial_from_pairs
from mdaug.models.molecule_template import MoleculeTemplate
from mdaug.models.molecule_terms import MoleculeTerms
from mdaug.models.pair_prior import pair_energies
from mdaug.models.schnet import Pairs


class DeployedModel(nn.Module):
    """A trained SchNet with reference energies, prior and baseline, in eV and Å.

    Geometry, reference energies, prior, baseline and sums are computed in float64, the network in the
    precision of its weights (float64 in the file; ``.to(torch.float32)`` converts the network only).

    Parameters
    ----------
    model
        The trained model; it is not changed.
    templates
        The baseline of each kind of molecule; empty for a model without baseline.
    statistics
        Means and whitening of the last layer's features in the training frames, from `last_layer_statistics`;
        None for a model without extrapolation.
    """

    atomic_numbers: Tensor
    reference_energies: Tensor
    prior_table: Tensor | None
    output_scales: Tensor | None
    feature_means: Tensor | None
    feature_whitening: Tensor | None
    row_elements: Tensor

    def __init__(
        self,
        model: SchNet,
        templates: Sequence[MoleculeTemplate] = (),
        statistics: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        super().__init__()
        model = copy.deepcopy(model).cpu().double().eval().requires_grad_(False)
        self.network = model.network
        self.network.dropout = 0.0
        self.filters = SplineFilters(model) if model.options.filters == "spline" else DirectFilters(model)
        self.register_buffer("atomic_numbers", torch.tensor(model.atomic_numbers))
        self.reference_energies = model.reference_energies.clone()  # not a buffer: stays in float64
        self.energy_scale = float(model.energy_scale)
        # not a buffer: stays in float64
        self.output_scales = None if model.output_scales is None else model.output_scales.clone()
        self.prior_table = None if model.prior is None else model.prior.table.clone()  # not a buffer either
        self.prior_spacing = 0.0 if model.prior is None else model.prior.spacing
        self.cutoff = float(model.options.cutoff)
        # not buffers: they stay in float64, and are no weights
        self.feature_means, self.feature_whitening = (None, None) if statistics is None else statistics
        self.matrix_elements = 2**23  # in memory at a time, of the matrices of all atoms
        self.row_elements = _row_elements(model, templates)  # not a buffer: it follows from others
        terms = nn.ModuleList(MoleculeTerms(template, self.cutoff) for template in templates)
        # nn.ModuleList does not name the type of its items
        self.baseline = cast("list[MoleculeTerms]", terms)

    def forward(
        self, atomic_numbers: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> dict[str, Tensor]:
        """Return energy, forces and strain derivative of one system, or of several without common pairs.

        With a baseline, atoms must be given molecule by molecule, each in the order of a template (the
        manifest's ``baseline``); `evaluate_molecules` takes any order.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,), int64.
        positions
            Shape (n_atoms, 3), Å, float64.
        idx_i, idx_j
            Shape (n_pairs,), int64: every unordered pair within the cutoff once (not both i-j and j-i); i ==
            j for an atom and its own periodic image (once for two opposite images). Pairs beyond the cutoff
            contribute nothing.
        shifts
            Shape (n_pairs, 3), Å, Cartesian: r_ij = positions[idx_j] − positions[idx_i] + shifts; zeros in a
            molecule.

        Returns
        -------
        dict
            ``energy`` (), eV; ``atomic_energies`` (n_atoms,), eV, which add up to it; ``forces`` (n_atoms,
            3), eV/Å, F = −∂E/∂r; ``strain_derivative`` (3, 3), eV, ∂E/∂ε: divided by the volume it is the
            stress, tension positive. Of a model with statistics of its training frames also
            ``extrapolation`` (n_atoms,), see `extrapolation`. All float64. For several systems, sum the
            atomic energies of each.
        """
        return self.evaluate(self.species(atomic_numbers), positions, idx_i, idx_j, shifts)

    @torch.jit.export
    def species(self, atomic_numbers: Tensor) -> Tensor:
        """Return the index (n_atoms,) of each atom's element among the model's.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,), int64.

        Raises
        ------
        ValueError
            The model does not have an element.
        """
        same = atomic_numbers.unsqueeze(-1).eq(self.atomic_numbers)
        if not bool(same.any(-1).all()):
            raise ValueError("atomic_numbers: an element that the model does not have")
        return same.long().argmax(-1)

    @torch.jit.export
    def evaluate(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> dict[str, Tensor]:
        """Return the same as `forward`, given `species` instead of atomic numbers.

        Parameters
        ----------
        species
            Shape (n_atoms,), from `species`.
        positions, idx_i, idx_j, shifts
            As for `forward`.

        Raises
        ------
        ValueError
            The model has a baseline, and the atoms are not in the order of its templates.
        """
        molecules = self.molecules_in_order(self.atomic_numbers.index_select(0, species))
        return self.evaluate_molecules(species, positions, idx_i, idx_j, shifts, molecules, None)

    @torch.jit.export
    def evaluate_molecules(  # noqa: PLR0917 (TorchScript has no keyword-only arguments)
        self,
        species: Tensor,
        positions: Tensor,
        idx_i: Tensor,
        idx_j: Tensor,
        shifts: Tensor,
        molecules: list[Tensor],
        offsets: Tensor | None,
    ) -> dict[str, Tensor]:
        """Return the same as `forward`, for atoms in any order.

        Parameters
        ----------
        species
            Shape (n_atoms,), from `species`; for an atom outside of molecules it may also be the number of
            elements plus an atom type.
        positions, idx_i, idx_j, shifts
            As for `forward`.
        molecules
            For each template of the baseline the atoms of its molecules, int64, (n_molecules, n_atoms of the
            template); atoms in none of them have no baseline.
        offsets
            Shape (n_atoms, 3), Å: lattice translations that put the atoms of each molecule side by side; None
            for those that the pairs of bonded atoms give.
        """
        pairs = self._pairs(positions, idx_i, idx_j, shifts)
        d_ij, unit_ij = pairs.d_ij, pairs.unit_ij
        rows = self._embedding_rows(species, molecules)
        elements = self.row_elements.index_select(0, rows)
        atomic, slope, transverse, last = self.network.with_last_features(rows, pairs, self._scales(rows))
        slope = slope.double() * self.energy_scale
        if transverse is not None:
            transverse = transverse.double() * self.energy_scale
        atomic_energies = atomic.double() * self.energy_scale
        atomic_energies = atomic_energies + self.reference_energies.index_select(0, elements)
        prior_table = self.prior_table
        if prior_table is not None:
            of_i, of_j = elements.index_select(0, idx_i), elements.index_select(0, idx_j)
            of_pairs, prior_slope = pair_energies(prior_table, self.prior_spacing, of_i, of_j, d_ij)
            slope = slope + prior_slope
            halves = 0.5 * of_pairs
            atomic_energies = atomic_energies.index_add(0, idx_i, halves).index_add(0, idx_j, halves)
        forces = forces_from_pairs(slope, unit_ij, idx_i, idx_j, positions.shape[0], transverse)
        strain_derivative = virial_from_pairs(slope, unit_ij, d_ij, transverse)
        for n, terms in enumerate(self.baseline):
            atoms = molecules[n]
            if offsets is None:
                by_pairs = idx_i, idx_j, shifts.double()
                whole = whole_by_pairs(positions.double(), atoms, terms.bonds, by_pairs)
            else:
                whole = (positions + offsets).double()[atoms]
            whole = whole - whole[:, :1]
            of_atoms, of_positions = terms(whole)
            atomic_energies = atomic_energies.index_add(0, atoms.flatten(), of_atoms.flatten())
            forces = forces.index_add(0, atoms.flatten(), -of_positions.flatten(0, 1))
            strain_derivative = strain_derivative + whole.flatten(0, 1).t() @ of_positions.flatten(0, 1)
        out = {
            "energy": atomic_energies.sum(),
            "atomic_energies": atomic_energies,
            "forces": forces,
            "strain_derivative": strain_derivative,
        }
        if self.feature_means is not None:
            out["extrapolation"] = self._distances(rows, last.double())
        return out

    @torch.jit.export
    def last_features(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> Tensor:
        """Return the features (n_atoms, n_features), float64, of the last layer before its activation.

        Parameters
        ----------
        species
            Shape (n_atoms,), from `species`; or the number of elements plus the atom type.
        positions, idx_i, idx_j, shifts
            As for `forward`.
        """
        pairs = self._pairs(positions, idx_i, idx_j, shifts)
        return self.network.last_features(species, pairs).double()

    def _scales(self, rows: Tensor) -> Tensor | None:
        """Return the factors (n_atoms,) on the network's energies; None for factors of 1."""
        output_scales = self.output_scales
        if output_scales is None:
            return None
        return output_scales.to(self.network.readout.weight.dtype).index_select(0, rows)

    def _embedding_rows(self, species: Tensor, molecules: list[Tensor]) -> Tensor:
        """Return each atom's row of the embedding: of its atom type in the template, or of its element."""
        rows = species
        for n, terms in enumerate(self.baseline):
            atoms, types = molecules[n], terms.atom_types
            typed = self.atomic_numbers.shape[0] + types.expand_as(atoms)
            own = torch.where(types.ge(0), typed, species[atoms])
            rows = rows.index_put([atoms.flatten()], own.flatten())
        return rows

    def _pairs(self, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor) -> Pairs:
        """Return the pairs with their filters."""
        d_ij, unit_ij = pair_vectors(positions.double(), idx_i, idx_j, shifts.double())
        filters, slopes = self.filters(d_ij)
        return Pairs(idx_i, idx_j, d_ij, unit_ij, filters, slopes, 0.0)

    @torch.jit.export
    def extrapolation(
        self, species: Tensor, positions: Tensor, idx_i: Tensor, idx_j: Tensor, shifts: Tensor
    ) -> Tensor:
        """Return how unlike those of the training frames the features of each atom are (n_atoms,), float64.

        1 is the largest value of the training frames (formula: mdaug/deployment/feature_statistics.py).

        Parameters
        ----------
        species
            Shape (n_atoms,), from `species`.
        positions, idx_i, idx_j, shifts
            As for `forward`.

        Raises
        ------
        ValueError
            The model has no statistics of its training frames; or it has a baseline, and the atoms are not in
            the order of its templates.
        """
        molecules = self.molecules_in_order(self.atomic_numbers.index_select(0, species))
        rows = self._embedding_rows(species, molecules)
        return self._distances(rows, self.last_features(rows, positions, idx_i, idx_j, shifts))

    def _distances(self, rows: Tensor, features: Tensor) -> Tensor:
        """Return the extrapolation of atoms with these rows of the embedding and last features."""
        means, whitening = self.feature_means, self.feature_whitening
        if means is None or whitening is None:
            raise ValueError("the model has no statistics of its training frames, so no extrapolation")
        deviations = (features - means.index_select(0, rows)).unsqueeze(-1)
        # matrices of some atoms at a time: those of all atoms of a large box would not fit into memory
        n_atoms = max(1, self.matrix_elements // whitening[0].numel())
        parts: list[Tensor] = []
        for start in range(0, rows.shape[0], n_atoms):
            some = whitening.index_select(0, rows[start : start + n_atoms])
            scaled = some @ deviations[start : start + n_atoms]
            parts.append(scaled.square().sum((1, 2)).sqrt())
        return torch.cat(parts) if len(parts) > 0 else torch.zeros_like(features[:, 0])

    @torch.jit.export
    def molecules_in_order(self, atomic_numbers: Tensor) -> list[Tensor]:
        """Return the atoms of consecutive molecules, by their elements.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,), int64.

        Returns
        -------
        list of Tensor
            As `evaluate` takes them; empty without a baseline.

        Raises
        ------
        ValueError
            The elements do not follow each other as in the templates.
        """
        kinds: list[int] = []
        starts: list[int] = []
        start, n_atoms = 0, atomic_numbers.shape[0]
        while start < n_atoms and len(self.baseline) > 0:
            longest, chosen = 0, -1
            for n, terms in enumerate(self.baseline):
                own = terms.atomic_numbers
                here = atomic_numbers[start : start + own.shape[0]]
                if own.shape[0] > longest and here.shape == own.shape and bool(here.eq(own).all()):
                    longest, chosen = own.shape[0], n
            if chosen < 0:
                raise ValueError("atoms are not in the order of the molecules in the model's baseline")
            kinds.append(chosen)
            starts.append(start)
            start += longest
        device = atomic_numbers.device
        kind = torch.tensor(kinds, dtype=torch.int64, device=device)
        first = torch.tensor(starts, dtype=torch.int64, device=device).unsqueeze(1)
        molecules: list[Tensor] = []
        for n, terms in enumerate(self.baseline):
            molecules.append(first[kind.eq(n)] + torch.arange(terms.atomic_numbers.shape[0], device=device))
        return molecules


def _row_elements(model: SchNet, templates: Sequence[MoleculeTemplate]) -> Tensor:
    """Return the index of the element of each row of the embedding; 0 for a type that no template has."""
    n_elements = len(model.atomic_numbers)
    elements = np.zeros(model.network.embedding.num_embeddings, dtype=np.int64)
    elements[:n_elements] = np.arange(n_elements)
    for template in templates:
        is_typed = template.atom_types >= 0
        rows = n_elements + template.atom_types[is_typed]
        if rows.max(initial=0) >= len(elements):
            raise ValueError("the baseline has more atom types than the network has embeddings")
        elements[rows] = np.searchsorted(model.atomic_numbers, template.atomic_numbers[is_typed])
    return torch.from_numpy(elements)
