"""Structures and force fields small enough to be known in closed form."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes


class PairPotential(Calculator):
    """Sum over all pairs of a function of the distance; `energy(d)` and `slope(d)` = dE/dd in eV and Å."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, energy, slope):
        super().__init__()
        self._energy, self._slope = energy, slope

    def calculate(self, atoms=None, properties=None, system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        idx_i, idx_j = np.triu_indices(len(atoms), k=1)
        vectors = atoms.positions[idx_j] - atoms.positions[idx_i]
        distances = np.linalg.norm(vectors, axis=1)
        pulls = (self._slope(distances) / distances)[:, None] * vectors
        forces = np.zeros((len(atoms), 3))
        np.add.at(forces, idx_i, pulls)
        np.add.at(forces, idx_j, -pulls)
        self.results = {"energy": float(self._energy(distances).sum()), "forces": forces}


class Morse:
    """D (1 − e^{−a (d − r0)})², eV and Å."""

    depth, stiffness, length = 4.5, 2.2, 0.97

    def energy(self, d):
        return self.depth * (1 - np.exp(-self.stiffness * (d - self.length))) ** 2

    def slope(self, d):
        decay = np.exp(-self.stiffness * (d - self.length))
        return 2 * self.depth * self.stiffness * decay * (1 - decay)


@pytest.fixture
def morse() -> Morse:
    return Morse()


@pytest.fixture
def pair_potential() -> type[PairPotential]:
    return PairPotential


@pytest.fixture
def ethanol() -> Atoms:
    """ASE's ethanol: C0 (methyl), C1, O2, H3 (hydroxyl), H4 H5 on C1, H6 H7 H8 on C0."""
    return molecule("CH3CH2OH")
