"""Flexible SPC water in a cell, as an ASE calculator, and a box of it to start from.

    python benchmarks/flexible_water.py 3 w27.xyz
    PYTHONPATH=benchmarks mdaug frames w27.xyz --calculator flexible_water:FlexibleWater --temperature 300 …

SPC/Fw (DOI 10.1063/1.2136877): harmonic bonds and angles, charges, Lennard-Jones between oxygens. Charges are
damped and shifted (DOI 10.1063/1.2206581), and both end at 4.6 Å, energy and force: half of a small box,
and less than the cutoff of a network. Cells with right angles; atoms in order O, H, H.
"""

import sys
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write
from torch import Tensor

from mdaug.units import COULOMB_EV_A, EV_PER_KCAL_MOL

CHARGES = {8: -0.82, 1: 0.41}
SIGMA_A, EPSILON = 3.165492, 0.1554253 * EV_PER_KCAL_MOL
BOND, LENGTH_A = 1059.162 * EV_PER_KCAL_MOL, 1.012
ANGLE, THETA = 75.90 * EV_PER_KCAL_MOL, 1.9761
CUTOFF_A, DAMPING_PER_A = 4.6, 0.2


class FlexibleWater(Calculator):
    """Energy (eV) and forces (eV/Å) of waters in a cell at least 2 · 4.6 Å wide."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def calculate(self, atoms: Any = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        super().calculate(atoms, properties, system_changes)
        positions = torch.tensor(self.atoms.positions, requires_grad=True)
        cell = torch.tensor(self.atoms.cell.lengths())
        energy = inside(positions, cell) + between(positions, cell, self.atoms.numbers)
        energy.backward()
        self.results = {"energy": float(energy.detach()), "forces": -positions.grad.numpy()}


def inside(positions: Tensor, cell: Tensor) -> Tensor:
    """Return the energy of bonds and angles."""
    one, other = (nearest(positions[n::3] - positions[::3], cell) for n in (1, 2))
    lengths = [one.norm(dim=1), other.norm(dim=1)]
    theta = torch.acos((one * other).sum(1) / lengths[0] / lengths[1])
    stretch = sum(((length - LENGTH_A) ** 2).sum() for length in lengths)
    return 0.5 * BOND * stretch + 0.5 * ANGLE * ((theta - THETA) ** 2).sum()


def between(positions: Tensor, cell: Tensor, numbers: np.ndarray) -> Tensor:
    """Return the energy between molecules."""
    i, j = torch.triu_indices(len(numbers), len(numbers), 1)
    d = nearest(positions[j] - positions[i], cell).norm(dim=1)
    near = (i // 3 != j // 3) & (d < CUTOFF_A)
    charges = torch.tensor([CHARGES[z] for z in numbers], dtype=torch.double)
    oxygen = near & (torch.tensor(numbers)[i] == 8) & (torch.tensor(numbers)[j] == 8)
    energy: Tensor = COULOMB_EV_A * (charges[i[near]] * charges[j[near]] * shifted(damped, d[near])).sum()
    return energy + shifted(lennard_jones, d[oxygen]).sum()


def nearest(vectors: Tensor, cell: Tensor) -> Tensor:
    return vectors - cell * torch.round(vectors.detach() / cell)


def damped(d: Tensor) -> Tensor:
    return torch.erfc(DAMPING_PER_A * d) / d


def lennard_jones(d: Tensor) -> Tensor:
    sixth = (SIGMA_A / d) ** 6
    return 4 * EPSILON * (sixth**2 - sixth)


def shifted(function: Any, d: Tensor) -> Tensor:
    """Return the function less its value and slope at the cutoff."""
    end = torch.tensor(CUTOFF_A, dtype=torch.double, requires_grad=True)
    value = function(end)
    (slope,) = torch.autograd.grad(value, end)
    return function(d) - value.detach() - slope * (d - CUTOFF_A)


def box(n: int) -> Atoms:
    """Return n³ waters at 1 g/cm³, turned at random on a grid."""
    width = (n**3 * 18.015 / 0.6022) ** (1 / 3)
    rng, waters = np.random.default_rng(0), Atoms(cell=[width] * 3, pbc=True)
    for place in np.ndindex(n, n, n):
        one = molecule("H2O")
        one.rotate(rng.uniform(0, 360), rng.normal(size=3))
        one.translate((np.array(place) + 0.5) * width / n - one.get_center_of_mass())
        waters += one
    return waters


if __name__ == "__main__":
    write(sys.argv[2], box(int(sys.argv[1])))
