"""A molecule that costs microseconds: ethanol whose every pair of atoms is a spring."""

from collections.abc import Callable

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes


class Springs(Calculator):
    """E = Σ ½ k (d_ij − d⁰_ij)² over all pairs: invariant under translation and rotation."""

    implemented_properties = ("energy", "forces")

    def __init__(self, rest: Atoms, k: float = 10.0) -> None:
        super().__init__()
        self.k, self.evaluations = k, 0
        self.idx_i, self.idx_j = np.triu_indices(len(rest), k=1)
        self.rest = rest.get_all_distances()[self.idx_i, self.idx_j]

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        self.evaluations += 1
        vectors = self.atoms.positions[self.idx_j] - self.atoms.positions[self.idx_i]
        distances = np.linalg.norm(vectors, axis=1)
        pull = (self.k * (distances - self.rest) / distances)[:, None] * vectors
        forces = np.zeros((len(self.atoms), 3))
        np.add.at(forces, self.idx_i, pull)
        np.add.at(forces, self.idx_j, -pull)
        energy = 0.5 * self.k * np.sum((distances - self.rest) ** 2)
        self.results = {"energy": float(energy), "forces": forces}


@pytest.fixture
def ethanol() -> Atoms:
    return molecule("CH3CH2OH")


@pytest.fixture
def springs() -> Callable[..., Springs]:
    return Springs
