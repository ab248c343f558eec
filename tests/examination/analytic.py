"""A force field of ethanol that is right in every respect, and ones that are wrong in one respect each.

Energies are written down in torch and forces are their exact gradients, unless the fault is in the forces.
"""

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms
from ase.build import molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.emt import EMT
from ase.data import covalent_radii

from mdaug.geometry.bonds import find_bonds

DEPTH_EV, WIDTH = 4.5, 2.0
"""Depth of the Morse wells of bonds, and their inverse width, 1/Å."""


def ethanol() -> Atoms:
    """Return ethanol with atoms O, C, C, H …."""
    return molecule("CH3CH2OH")


def by_elements(atoms: Atoms, groups: list[Any], value: Callable[..., float]) -> torch.Tensor:
    """Return the mean value of all groups of the same elements, for each group."""
    kinds = [tuple(sorted(atoms.numbers[list(group)])) for group in groups]
    values = [value(*group) for group in groups]
    same = [[v for v, other in zip(values, kinds, strict=True) if other == kind] for kind in kinds]
    return torch.tensor([np.mean(group) for group in same])


class Right(Calculator):
    """Morse bonds, harmonic angles and repulsion of all other pairs, with a bond graph that moves along."""

    implemented_properties: ClassVar[list[str]] = ["energy", "forces"]

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        torch.set_num_threads(1)
        one = ethanol()
        self._n = len(one)
        self._bonds = find_bonds(one)
        self._lengths = by_elements(one, self._bonds.tolist(), one.get_distance)
        bonded = {tuple(bond) for bond in self._bonds.tolist()}
        self._angles = [
            (i, j, k)
            for j in range(self._n)
            for i in range(self._n)
            for k in range(i + 1, self._n)
            if {tuple(sorted((i, j))), tuple(sorted((j, k)))} <= bonded
        ]
        self._values = torch.deg2rad(by_elements(one, self._angles, one.get_angle))
        ends = {tuple(sorted((i, k))) for i, _, k in self._angles}
        pairs = [(i, j) for i in range(self._n) for j in range(i + 1, self._n)]
        self._others = [pair for pair in pairs if pair not in bonded | ends]
        radii = covalent_radii[one.numbers]
        self._radii = torch.tensor([1.3 * (radii[i] + radii[j]) for i, j in self._others])

    def calculate(
        self, atoms: Atoms | None = None, properties: Any = ("energy",), system_changes: Any = all_changes
    ) -> None:
        super().calculate(atoms, properties, system_changes)
        positions = torch.tensor(self.atoms.positions, requires_grad=True)
        copies = positions.reshape(-1, self._n, 3)
        energy = sum(self.one_molecule(copy) for copy in copies) + self.fault(positions)
        (gradient,) = torch.autograd.grad(energy, positions)
        self.results = {
            "energy": float(energy.detach()) + self.jump(self.atoms.positions),
            "forces": -gradient.numpy() + self.extra_forces(self.atoms.positions),
        }

    def one_molecule(self, r: torch.Tensor) -> torch.Tensor:
        """Return the energy of one molecule with positions (n_atoms, 3)."""
        lengths = self.distances(r, self._bonds.tolist())
        energy = (DEPTH_EV * (1 - torch.exp(-WIDTH * (lengths - self._lengths))) ** 2).sum()
        index = torch.tensor(self._angles)
        a, b = r[index[:, 0]] - r[index[:, 1]], r[index[:, 2]] - r[index[:, 1]]
        cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
        # bound: an angle of stretched bonds costs nothing, so that fragments part
        reach = torch.exp(-((a.norm(dim=1) - 1.2).relu() ** 2 + (b.norm(dim=1) - 1.2).relu() ** 2))
        energy = energy + (2.0 * reach * (cosine - torch.cos(self._values)) ** 2).sum()
        return energy + (0.05 * (self._radii / self.distances(r, self._others)) ** 8).sum()

    @staticmethod
    def distances(r: torch.Tensor, pairs: list[Any]) -> torch.Tensor:
        index = torch.tensor(pairs)
        return (r[index[:, 0]] - r[index[:, 1]]).norm(dim=1)

    @property
    def hydroxyl(self) -> tuple[int, int]:
        """The atoms of the O-H bond."""
        numbers = ethanol().numbers
        return next((i, j) for i, j in self._bonds.tolist() if sorted(numbers[[i, j]]) == [1, 8])

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        """Return an energy, eV, that should not be there, with its forces."""
        return 0.0 * r.sum()

    def jump(self, r: np.ndarray) -> float:
        """Return an energy without forces."""
        return 0.0

    def extra_forces(self, r: np.ndarray) -> np.ndarray:
        """Return forces that belong to no energy, eV/Å."""
        return np.zeros_like(r)


class Turning(Right):
    """Forces with a curl, which no energy has."""

    def extra_forces(self, r: np.ndarray) -> np.ndarray:
        return 0.05 * np.cross([0.0, 0.0, 1.0], r - r.mean(axis=0))


class Oriented(Right):
    """An energy that depends on the orientation."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.02 * ((r - r.mean(dim=0))[:, 2] ** 2).sum()


class Placed(Right):
    """An energy that depends on the place."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.01 * r.mean(dim=0)[0]


class Numbered(Right):
    """An energy that depends on the indices of the hydrogens."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        center = r.mean(dim=0)
        return (torch.arange(len(r)) * 0.01 * ((r - center) ** 2).sum(1)).sum()


class Stepped(Right):
    """An energy that jumps where the O-H bond is 2 % longer than at the minimum."""

    def jump(self, r: np.ndarray) -> float:
        i, j = self.hydroxyl
        return 0.1 if np.linalg.norm(r[i] - r[j]) > 0.99 else 0.0


class Shifted(Right):
    """A right field with another zero of energy."""

    def jump(self, r: np.ndarray) -> float:
        return 7.0


class Stiff(Right):
    """Bonds that are stiffer than they should be."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 2.0 * ((self.distances(r, self._bonds.tolist()) - self._lengths) ** 2).sum()


class Pocket(Right):
    """A second minimum of the O-H bond, at 1.7 Å."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        i, j = self.hydroxyl
        return -2.5 * torch.exp(-(((r[i] - r[j]).norm() - 1.7) ** 2) / 0.02)


class Sunken(Right):
    """Atoms that fall into each other when a bond is compressed to 0.7 of its length."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        lengths = self.distances(r, self._bonds.tolist()) / self._lengths
        return -60.0 * torch.sigmoid((0.7 - lengths) / 0.02).sum()


class Endless(Right):
    """Bonds whose fragments attract each other at any distance."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.8 * (self.distances(r, self._bonds.tolist()) - self._lengths - 2.0).relu().sum()


class Unbound(Right):
    """An O-H bond that costs nothing to part."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        i, j = self.hydroxyl
        return -4.4 * torch.sigmoid(((r[i] - r[j]).norm() - 1.8) / 0.2)


class Folded(Right):
    """A second minimum of all bends, at 75°."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        index = torch.tensor(self._angles)
        a, b = r[index[:, 0]] - r[index[:, 1]], r[index[:, 2]] - r[index[:, 1]]
        cosine = (a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1))
        return -1.5 * torch.exp(-((cosine - np.cos(np.radians(75.0))) ** 2) / 0.01).sum()


class Sticky(Right):
    """Atoms of pairs that are not bonded stick to each other at 1.2 Å."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return -3.0 * torch.exp(-((self.distances(r, self._others) - 1.2) ** 2) / 0.02).sum()


class Frizzy(Right):
    """An energy that oscillates with the distance of the outer atoms of torsions."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.1 * torch.sin(60.0 * self.distances(r, self._others)).sum()


class Steely(Right):
    """An O-H bond with a frequency of 6000 cm⁻¹."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        i, j = self.hydroxyl
        return 60.0 * ((r[i] - r[j]).norm() - 0.97) ** 2


class Loose(Right):
    """An O-H bond that breaks in a relaxation."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        i, j = self.hydroxyl
        return -20.0 * torch.exp(-(((r[i] - r[j]).norm() - 2.2) ** 2) / 1.5)


class Crowded(Right):
    """An energy that grows as the square of the number of atoms."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.0 * r.sum() + 1e-3 * len(r) ** 2


class Distant(Right):
    """Copies that attract each other at any distance."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return 0.05 * (r[0] - r[-1]).norm()


class Hidden(Right):
    """A second minimum of the O-H bond at 1.3 Å, 30 kcal/mol below the first and within reach at 300 K."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        i, j = self.hydroxyl
        return -2.5 * torch.exp(-(((r[i] - r[j]).norm() - 1.3) ** 2) / 0.015)


class TwoConformers(Right):
    """Another conformer, 9 kcal/mol below: the hydrogen of the hydroxyl group is 2.6 Å from C of CH3."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        carbon, (i, j) = self.methyl, self.hydroxyl
        hydrogen = i if ethanol().numbers[i] == 1 else j
        return -0.4 * torch.exp(-(((r[hydrogen] - r[carbon]).norm() - 2.6) ** 2) / 0.02)

    @property
    def methyl(self) -> int:
        """The carbon atom of CH3."""
        one = ethanol()
        carbons = np.flatnonzero(one.numbers == 6)
        oxygen = int(np.flatnonzero(one.numbers == 8)[0])
        return int(max(carbons, key=lambda carbon: one.get_distance(carbon, oxygen)))


class Flimsy(Right):
    """Bonds that break at 300 K."""

    def one_molecule(self, r: torch.Tensor) -> torch.Tensor:
        return 0.03 * super().one_molecule(r)


class Heating(Right):
    """Forces that do work along every motion around an axis."""

    def extra_forces(self, r: np.ndarray) -> np.ndarray:
        relative = r - r.mean(axis=0)
        turned = 30.0 * np.cross([0.0, 0.0, 1.0], relative) * np.sin(40.0 * relative[:, :1])
        return turned - turned.mean(axis=0)


class Longer(Right):
    """Bonds that are 0.06 Å too long."""

    def fault(self, r: torch.Tensor) -> torch.Tensor:
        return -2.0 * self.distances(r, self._bonds.tolist()).sum()


class WrongStress(EMT):
    """EMT with the sign of the stress turned over."""

    def calculate(self, *arguments: Any, **keywords: Any) -> None:
        super().calculate(*arguments, **keywords)
        if "stress" in self.results:
            self.results["stress"] = -self.results["stress"]
