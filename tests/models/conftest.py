"""The same potential evaluated in every way there is."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import molecule
from numpy.typing import NDArray

from mdaug.deployment import DeployedModel
from mdaug.geometry.pairs import molecule_pairs, neighbor_pairs
from mdaug.models import Graph, SchNet
from mdaug.models.graph import forces_from_pairs, pair_vectors, virial_from_pairs

Pairs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Answer(NamedTuple):
    """Energy (eV), forces (eV/Å) and strain derivative (eV) of one system."""

    energy: float
    forces: NDArray[np.float64]
    strain: NDArray[np.float64]


class Potential:
    """A model, evaluated for one structure or for several in one batch."""

    def __init__(self, model: SchNet, deployed: bool) -> None:
        self.model, self.cutoff = model, model.options.cutoff
        self.deployed = DeployedModel(model).eval() if deployed else None

    def __call__(self, atoms: Atoms, pairs: Pairs | None = None) -> Answer:
        pairs = pairs or self.pairs(atoms)
        if self.deployed is not None:
            out = self.deployed(torch.from_numpy(atoms.numbers), torch.from_numpy(atoms.positions), *pairs)
            return Answer(float(out["energy"]), out["forces"].numpy(), out["strain_derivative"].numpy())
        with torch.no_grad():
            graph = self.graph([atoms], [pairs])
            energies, forces = self.totals(graph)
            _, slope, transverse = self.model.atoms_and_pairs(graph)
            slope *= self.model.energy_scale
            transverse = None if transverse is None else transverse * self.model.energy_scale
            if self.model.prior is not None:
                slope += self.model.prior(graph.species, graph.idx_i, graph.idx_j, graph.d_ij)[1]
            strain = virial_from_pairs(slope, graph.unit_ij, graph.d_ij, transverse)
        return Answer(float(energies), forces.numpy(), strain.numpy())

    def totals(self, graph: Graph) -> tuple[torch.Tensor, torch.Tensor]:
        """Return energies (n_systems,), eV, and forces, eV/Å, of a batch: network, references and prior."""
        energies, forces = (result * self.model.energy_scale for result in self.model(graph))
        energies.index_add_(0, graph.system, self.model.reference_energies[graph.species])
        if self.model.prior is None:
            return energies, forces
        pairs = graph.idx_i, graph.idx_j
        of_pairs, slope = self.model.prior(graph.species, *pairs, graph.d_ij)
        energies.index_add_(0, graph.system[graph.idx_i], of_pairs)
        return energies, forces + forces_from_pairs(slope, graph.unit_ij, *pairs, len(graph.species))

    def pairs(self, atoms: Atoms) -> Pairs:
        """Return idx_i, idx_j, shifts."""
        if atoms.pbc.any():
            found = neighbor_pairs(atoms.positions, atoms.cell.array, tuple(atoms.pbc), self.cutoff)
        else:
            idx_i, idx_j = molecule_pairs(len(atoms))
            found = idx_i, idx_j, np.zeros((len(idx_i), 3))
        idx_i, idx_j, shifts = map(torch.as_tensor, found)
        return idx_i, idx_j, shifts

    def graph(self, systems: list[Atoms], parts: list[Pairs] | None = None) -> Graph:
        """Return several structures as one batch."""
        parts = parts or [self.pairs(atoms) for atoms in systems]
        starts = np.cumsum([0, *(len(atoms) for atoms in systems)])
        idx_i, idx_j = (torch.cat([p[k] + s for p, s in zip(parts, starts, strict=False)]) for k in (0, 1))
        positions = torch.as_tensor(np.concatenate([atoms.positions for atoms in systems]))
        d_ij, unit_ij = pair_vectors(positions, idx_i, idx_j, torch.cat([p[2] for p in parts]))
        numbers = np.concatenate([atoms.numbers for atoms in systems])
        return Graph(
            species=torch.as_tensor(np.searchsorted(self.model.atomic_numbers, numbers)),
            idx_i=idx_i,
            idx_j=idx_j,
            d_ij=d_ij,
            unit_ij=unit_ij,
            system=torch.from_numpy(np.repeat(np.arange(len(systems)), [len(atoms) for atoms in systems])),
            n_systems=len(systems),
        )


WAYS = {
    "kernels": ({"filters": "spline"}, False, True),
    "torch": ({"filters": "spline", "filter_network": "nff"}, False, False),
    "direct": ({"filters": "direct"}, False, False),
    "prior": ({"prior": "pair"}, False, True),
    "vectors": ({"n_vectors": 6, "n_interactions": 3, "prior": "pair"}, False, True),
    "vectors torch": ({"n_vectors": 6}, False, False),
    "vectors direct": ({"n_vectors": 6, "filters": "direct"}, False, False),
    "deployed": ({"filters": "spline", "n_interactions": 3}, True, False),
    "deployed prior": ({"prior": "pair"}, True, False),
    "deployed direct": ({"filters": "direct", "filter_network": "nff"}, True, False),
    "deployed vectors": ({"n_vectors": 6, "n_interactions": 3, "prior": "pair"}, True, False),
    "deployed vectors direct": ({"n_vectors": 6, "filters": "direct"}, True, False),
}
"""Name: options, whether deployed, whether the C++ kernels may be used."""


@pytest.fixture(params=WAYS)
def potential(
    request: pytest.FixtureRequest, make_model: Callable[..., SchNet], monkeypatch: pytest.MonkeyPatch
) -> Potential:
    """Return a potential of random weights for each way of evaluating one."""
    options, deployed, kernels = WAYS[request.param]
    if not kernels:
        monkeypatch.setattr("mdaug.models.potential.load_kernels", lambda: False)
    return Potential(make_model(**options), deployed)


@pytest.fixture
def ethanol() -> Atoms:
    """Return a distorted ethanol."""
    atoms = molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=3)
    return atoms


@pytest.fixture
def crystal() -> Atoms:
    """Return a triclinic cell far smaller than the cutoff, so that atoms see their own images."""
    cell = [[2.5, 0.0, 0.0], [0.6, 2.7, 0.0], [-0.4, 0.5, 2.9]]
    return Atoms("CO", [[0.1, 0.2, 0.0], [1.2, 1.5, 1.4]], cell=cell, pbc=True)
