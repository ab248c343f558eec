"""Which atoms of a structure form which molecule of a model's baseline."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from ase import Atoms

from mdaug.calculators.structures import StructureError, cell_of
from mdaug.frames import FloatArray, FrameSet, IntArray, image_cells
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.matching import (
    MoleculeGraph,
    match_molecules,
    molecules_in_order,
    spanning_bonds,
    whole_molecules,
)
from mdaug.geometry.pairs import minimum_image
from mdaug.models.species import embedding_rows, types_of_atoms

INTACT = 1.3
"""A molecule whose bonds are shorter than this, in mean lengths, is not searched again."""


class Molecules(NamedTuple):
    """Molecules of a structure, for the baseline of a model.

    Parameters
    ----------
    atoms
        For each template the atoms of its molecules, (n_molecules, n_atoms of the template).
    offsets
        Shape (n_atoms, 3), Å: lattice translations that put the atoms of each molecule side by side; None
        without a cell.
    """

    atoms: tuple[IntArray, ...]
    offsets: FloatArray | None = None

    def ordered(self, order: IntArray) -> "Molecules":
        """Return the molecules of the same structure with atoms in another order.

        Parameters
        ----------
        order
            Shape (n_atoms,): the former index of each atom.
        """
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        offsets = None if self.offsets is None else self.offsets[order]
        return Molecules(tuple(place[atoms] for atoms in self.atoms), offsets)


def n_atom_types(kinds: Sequence[Mapping[str, Any]]) -> int:
    """Return the number of atom types of a model.

    Parameters
    ----------
    kinds
        ``"baseline"`` of its manifest; files of earlier versions have no types.
    """
    return 1 + max((max(kind.get("atom_types", [-1])) for kind in kinds), default=-1)


def with_atom_types(species: IntArray, molecules: Molecules | None, manifest: Mapping[str, Any]) -> IntArray:
    """Return the row of the embedding (n_atoms,) of each atom: of its element, or of its atom type.

    Parameters
    ----------
    species
        Shape (n_atoms,), index of each atom's element.
    molecules
        Molecules of these atoms; None without a baseline.
    manifest
        Manifest of the model.
    """
    if molecules is None:
        return species
    types = (np.array(kind.get("atom_types", -1)) for kind in manifest["baseline"])
    of_atoms = types_of_atoms(len(species), types, molecules.atoms)
    return embedding_rows(species, of_atoms, len(manifest["elements"]))


class MoleculeFinder:
    """Finds the molecules of structures; remembers them while the atoms stay the same.

    A structure is matched to the templates by its bond graph. Where bonds break, as in dynamics and scans,
    the molecules found before are kept, unless the structure is made of whole molecules in another way.

    Parameters
    ----------
    manifest
        Of a model with a baseline.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        entries = manifest["baseline"]
        self._formulas = [str(entry["formula"]) for entry in entries]
        self._templates = [
            MoleculeGraph(
                np.array(entry["atomic_numbers"], dtype=np.int64),
                np.array(entry["bonds"], dtype=np.int64).reshape(-1, 2),
            )
            for entry in entries
        ]
        self._limits = [INTACT * np.array(entry["mean_lengths_A"], dtype=float) for entry in entries]
        self._spanning = [spanning_bonds(template.bonds) for template in self._templates]
        self._numbers: IntArray | None = None
        self._molecules = Molecules(())

    def find(self, atoms: Atoms) -> Molecules:
        """Return the molecules of a structure.

        Parameters
        ----------
        atoms
            The structure, its cell complete.

        Raises
        ------
        StructureError
            It is not made of molecules of the model.
        """
        cell = None if not atoms.pbc.any() else image_cells(atoms.cell.array[None], tuple(atoms.pbc))
        if self._numbers is None or not np.array_equal(self._numbers, atoms.numbers):
            self._molecules = Molecules(self._first_match(atoms))
            self._numbers = atoms.numbers.copy()
        elif not self._intact(atoms.positions, cell):
            matched = match_molecules(atoms.numbers, find_bonds(atoms), self._templates)
            if matched is not None:
                self._molecules = Molecules(tuple(matched))
        if cell is None:
            return self._molecules
        return self._molecules._replace(offsets=self._offsets(atoms.positions[None], cell)[0])

    def find_in_frames(self, frames: FrameSet) -> Molecules:
        """Return the molecules of frames of the same atoms, which are numbered as one structure.

        Parameters
        ----------
        frames
            The frames; the first one with the bonds of the templates decides which atoms form a molecule.

        Raises
        ------
        StructureError
            They are not made of molecules of the model.
        """
        numbers, n_atoms = frames.atomic_numbers, frames.n_atoms
        if self._numbers is None or not np.array_equal(self._numbers, numbers):
            structures = map(frames.structure, range(len(frames)))
            matches = (match_molecules(numbers, find_bonds(atoms), self._templates) for atoms in structures)
            matched = next((match for match in matches if match is not None), None)
            atoms = self._first_match(frames.structure(0)) if matched is None else tuple(matched)
            self._molecules, self._numbers = Molecules(atoms), numbers.copy()
        first = np.arange(len(frames))[:, None, None] * n_atoms
        flat = tuple((first + atoms).reshape(-1, atoms.shape[1]) for atoms in self._molecules.atoms)
        if frames.periodic_cells is None:
            return Molecules(flat)
        return Molecules(flat, self._offsets(frames.positions, frames.periodic_cells).reshape(-1, 3))

    def _first_match(self, atoms: Atoms) -> tuple[IntArray, ...]:
        bonds = find_bonds(atoms)
        matched = match_molecules(atoms.numbers, bonds, self._templates)
        if matched is not None:
            return tuple(matched)
        for preferred in range(len(self._templates)):
            in_order = molecules_in_order(atoms.numbers, self._templates, preferred)
            if in_order is not None and _differs_by_stretching(bonds, in_order, self._templates):
                return tuple(in_order)
        formula = atoms.get_chemical_formula("hill")
        raise StructureError(
            f"this model is for the molecules {' and '.join(self._formulas)}, and {formula} with these "
            "bonds is not made of such molecules; take a structure that is, or train a model with "
            '`model.baseline = "none"`'
        )

    def _intact(self, positions: FloatArray, cell: FloatArray | None) -> bool:
        for template, limits, atoms in zip(self._templates, self._limits, self._molecules.atoms, strict=True):
            i, j = atoms[:, template.bonds[:, 0]], atoms[:, template.bonds[:, 1]]
            vectors = (positions[j] - positions[i]).reshape(1, -1, 3)
            if cell is not None:
                vectors = minimum_image(vectors, cell)
            if (np.linalg.norm(vectors.reshape(*i.shape, 3), axis=-1) > limits).any():
                return False
        return True

    def _offsets(self, positions: FloatArray, cells: FloatArray) -> FloatArray:
        """Return the `offsets` of each of several frames, (n_frames, n_atoms, 3)."""
        offsets = np.zeros_like(positions)
        for atoms, spanning in zip(self._molecules.atoms, self._spanning, strict=True):
            if not len(atoms):
                continue
            own = positions[:, atoms].reshape(-1, atoms.shape[1], 3)
            whole = whole_molecules(own, np.repeat(cells, len(atoms), axis=0), spanning)
            offsets[:, atoms] = (whole - own).reshape(len(positions), *atoms.shape, 3)
        return offsets


def molecule_order(finder: MoleculeFinder | None, atoms: Atoms) -> IntArray:
    """Return the atoms (n_atoms,) molecule by molecule, each in the order of its template, as for LAMMPS.

    Parameters
    ----------
    finder
        Of a model; None for one without baseline, whose order is that of the structure.
    atoms
        The structure.

    Raises
    ------
    StructureError
        It is not made of molecules of the model, or has no valid cell.
    """
    if finder is None:
        return np.arange(len(atoms))
    complete, cell = atoms.copy(), cell_of(atoms)
    if cell is not None:
        complete.set_cell(cell)
    molecules = [molecule for part in finder.find(complete).atoms for molecule in part]
    return np.concatenate(sorted(molecules, key=min))


def _differs_by_stretching(
    bonds: IntArray, molecules: Sequence[IntArray], templates: Sequence[MoleculeGraph]
) -> bool:
    """Return whether bonds are only missing, or only added, as in stretched or compressed molecules."""
    expected = [atoms[:, template.bonds] for atoms, template in zip(molecules, templates, strict=True)]
    of_templates = {tuple(sorted(bond)) for part in expected for bond in part.reshape(-1, 2).tolist()}
    present = {tuple(sorted(bond)) for bond in bonds.tolist()}
    return present <= of_templates or present >= of_templates
