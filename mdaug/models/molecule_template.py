"""The baseline of one kind of molecule as arrays: bonds, angles, torsions, pairs and products of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from ase.symbols import Symbols

from mdaug.frames import FloatArray, IntArray

N_FACTORS, N_GATES = 3, 4
"""Most primitives and most bonds of a term."""


@dataclass(frozen=True, eq=False)
class MoleculeTemplate:
    """The baseline of one kind of molecule. Indices count the atoms of the molecule from 0.

    Parameters
    ----------
    atomic_numbers
        Shape (n_atoms,).
    bonds
        Shape (n_bonds, 2).
    bond_parameters
        Shape (n_bonds, 9): r̄ (Å), D (eV), r0 (Å), β0, β1, β2, δ0, δ1, δ2 (1/Å).
    angles
        Shape (n_angles, 3), the center in the middle.
    mean_cosines
        c̄, shape (n_angles,).
    angle_forms
        Shape (n_angles,): 1 for angles in radians, 0 for those described by their cosines.
    torsions
        Shape (n_torsions, 4), along three bonds.
    pairs
        Shape (n_pairs, 2), atoms two or more bonds apart.
    pair_parameters
        Shape (n_pairs, 4): A (eV), B (1/Å), R (Å), a (eV).
    factors
        Shape (n_terms, 3): indices of primitives. These are 1 − exp(−2 (r − r̄)) of each bond, of each angle
        arccos(c̄/1.005) − arccos(cos θ/1.005) or cos θ − c̄, three terms of each torsion
        (`mdaug.geometry.internal_coordinates`), and 1.
    gates
        Shape (n_terms, 4): bonds whose breaking switches the term off; `n_bonds` stands for none.
    coefficients
        Shape (n_terms,), eV.
    atom_types
        Shape (n_atoms,). Atoms of one type have an embedding of their own in the network; −1 stands for the
        embedding of the element. Types of all templates of a model are numbered together, from 0.
    """

    atomic_numbers: IntArray
    bonds: IntArray
    bond_parameters: FloatArray
    angles: IntArray
    mean_cosines: FloatArray
    angle_forms: IntArray
    torsions: IntArray
    pairs: IntArray
    pair_parameters: FloatArray
    factors: IntArray
    gates: IntArray
    coefficients: FloatArray
    atom_types: IntArray

    @classmethod
    def from_lists(cls, lists: Mapping[str, Any]) -> "MoleculeTemplate":
        """Return a template from lists of numbers, such as JSON holds.

        Parameters
        ----------
        lists
            Name of each array -> nested list.

        Raises
        ------
        ValueError
            An array has another shape than it must have, or an index does not exist.
        """
        if "angle_forms" not in lists:  # of a run folder in which all angles are described by cosines
            lists = {**lists, "angle_forms": [0] * len(lists["angles"])}
        if "atom_types" not in lists:  # of a run folder of a version without atom types
            lists = {**lists, "atom_types": [-1] * len(lists["atomic_numbers"])}
        arrays: dict[str, Any] = {
            name: np.array(lists[name], dtype=dtype).reshape(-1, *tail)
            for name, (dtype, tail) in _SHAPES.items()
        }
        template = cls(**arrays)
        template._check()
        return template

    def _check(self) -> None:
        n_atoms, n_bonds = len(self.atomic_numbers), len(self.bonds)
        n_primitives = n_bonds + len(self.angles) + 3 * len(self.torsions)
        ends = {"bonds": n_atoms, "angles": n_atoms, "torsions": n_atoms, "pairs": n_atoms}
        ends |= {"factors": n_primitives + 1, "gates": n_bonds + 1}
        for name, end in ends.items():
            indices = getattr(self, name)
            if indices.size and (indices.min() < 0 or indices.max() >= end):
                raise ValueError(f"{name}: an index is not in 0 to {end - 1}")
        same = {
            "bond_parameters": n_bonds,
            "atom_types": n_atoms,
            "mean_cosines": len(self.angles),
            "angle_forms": len(self.angles),
            "pair_parameters": len(self.pairs),
        }
        same |= dict.fromkeys(("gates", "coefficients"), len(self.factors))
        for name, length in same.items():
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name}: {len(getattr(self, name))} rows, expected {length}")

    @property
    def formula(self) -> str:
        """Hill formula."""
        return str(Symbols(self.atomic_numbers).get_chemical_formula("hill"))

    @property
    def has_energy(self) -> bool:
        """Whether the molecule has a baseline; else the template only tells which molecule it is."""
        energies = self.bond_parameters[:, 1], self.pair_parameters[:, [0, 3]], self.coefficients
        return any(bool(np.any(each)) for each in energies)

    @classmethod
    def without_energy(
        cls, atomic_numbers: IntArray, bonds: IntArray, mean_lengths: FloatArray
    ) -> "MoleculeTemplate":
        """Return the template of a molecule without baseline, whose atoms have no types.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,).
        bonds
            Shape (n_bonds, 2).
        mean_lengths
            Shape (n_bonds,), Å.
        """
        parameters = np.zeros((len(bonds), 9))
        parameters[:, [0, 2]], parameters[:, 3] = mean_lengths[:, None], 1.0  # any valid r0 and β0
        given = {"atomic_numbers": atomic_numbers, "bonds": bonds, "bond_parameters": parameters}
        empty: dict[str, Any] = {
            name: np.empty((0, *tail), dtype=dtype) for name, (dtype, tail) in _SHAPES.items()
        }
        return cls(**empty | given | {"atom_types": np.full(len(atomic_numbers), -1)})

    def arrays(self) -> Iterator[tuple[str, IntArray | FloatArray]]:
        """Return names and arrays, in a fixed order."""
        for name in TEMPLATE_TENSORS:
            yield name, getattr(self, name)


_SHAPES: dict[str, tuple[type, tuple[int, ...]]] = {
    "atomic_numbers": (np.int64, ()),
    "bonds": (np.int64, (2,)),
    "bond_parameters": (np.float64, (9,)),
    "angles": (np.int64, (3,)),
    "mean_cosines": (np.float64, ()),
    "angle_forms": (np.int64, ()),
    "torsions": (np.int64, (4,)),
    "pairs": (np.int64, (2,)),
    "pair_parameters": (np.float64, (4,)),
    "factors": (np.int64, (N_FACTORS,)),
    "gates": (np.int64, (N_GATES,)),
    "coefficients": (np.float64, ()),
    "atom_types": (np.int64, ()),
}
"""Type and shape of a row of each array of a template."""

TEMPLATE_TENSORS = tuple(_SHAPES)
"""Tensors of a template in a model.pt."""
