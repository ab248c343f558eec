"""Templates of a baseline from a force-matched field: its terms within molecules, one of each kind."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.matching import MoleculeGraph, match_molecules
from mdaug.geometry.molecules import (
    connects_to_own_image,
    frame_bonds,
    molecular_cells,
    molecule_of_atom,
)
from mdaug.geometry.pairs import pair_lengths
from mdaug.geometry.valence_constants import LINEAR_COSINE
from mdaug.models.molecule_template import N_GATES, MoleculeTemplate


def templates_of(field: ForceField) -> list[MoleculeTemplate]:
    """Return one template for each kind of molecule in a force-matched field.

    Molecules are of one kind if their atoms have the same classes. Terms between molecules are left out.

    Parameters
    ----------
    field
        The force-matched field.
    """
    topology = field.topology
    kinds: dict[tuple[int, ...], IntArray] = {}
    for number in range(int(topology.molecule.max()) + 1):
        atoms = np.flatnonzero(topology.molecule == number)
        kinds.setdefault(tuple(sorted(topology.classes[atoms].tolist())), atoms)
    return [_template(field, atoms) for atoms in kinds.values()]


def _template(field: ForceField, atoms: IntArray) -> MoleculeTemplate:
    topology, terms = field.topology, field.terms
    place = np.full(len(topology.atomic_numbers), -1)
    place[atoms] = np.arange(len(atoms))
    bonds, angles, torsions, pairs = (
        np.flatnonzero(np.isin(chains, atoms).all(axis=1))
        for chains in (topology.bonds, topology.angles, topology.torsions, topology.pairs)
    )
    # primitives of the field -> of the template; the last one of both stands for 1
    n_bonds, n_angles, n_torsions = len(topology.bonds), len(topology.angles), len(topology.torsions)
    folds = (3 * torsions[:, None] + np.arange(3)).ravel()
    kept = np.concatenate([bonds, n_bonds + angles, n_bonds + n_angles + folds])
    first_pair = n_bonds + n_angles + 3 * n_torsions
    far = np.flatnonzero(topology.separation >= 3)
    primitive = np.full(first_pair + len(far) + 1, -1)
    primitive[kept], primitive[-1] = np.arange(len(kept)), len(kept)
    mapped = primitive[terms.factors]
    chosen = np.flatnonzero((mapped >= 0).all(axis=1))
    coefficients = field.parameters[terms.parameter]
    soft = np.zeros(len(topology.pairs))
    is_soft = (terms.factors[:, 0] >= first_pair) & (terms.factors[:, 0] < first_pair + len(far))
    soft[far[terms.factors[is_soft, 0] - first_pair]] = coefficients[is_soft]
    return MoleculeTemplate(
        atomic_numbers=topology.atomic_numbers[atoms].astype(np.int64),
        bonds=place[topology.bonds[bonds]],
        bond_parameters=_bond_parameters(field)[bonds],
        angles=place[topology.angles[angles]],
        mean_cosines=field.mean_cosines[angles],
        angle_forms=(field.mean_cosines[angles] > LINEAR_COSINE).astype(np.int64),
        torsions=place[topology.torsions[torsions]],
        pairs=place[topology.pairs[pairs]],
        pair_parameters=np.column_stack([_walls(field), field.steepness, field.contact, soft])[pairs],
        factors=mapped[chosen],
        gates=_gates(terms.gates[np.ix_(chosen, bonds)].astype(bool)),
        coefficients=coefficients[chosen],
        atom_types=topology.classes[atoms].astype(np.int64),  # numbered by `number_atom_types`
    )


def templates_without_energy(frames: FrameSet) -> list[MoleculeTemplate]:
    """Return one template without energy for each kind of molecule in frames, with all bonds of any frame.

    Parameters
    ----------
    frames
        Frames of molecules.

    Raises
    ------
    DataError
        The frames are not of molecules: bonds go on from cell to cell, or the cell is too narrow to tell.
    """
    cells, bonds = molecular_cells(frames), frame_bonds(frames).all_bonds
    lengths = pair_lengths(frames.positions, cells, *bonds.T).mean(axis=0)
    if cells is not None and len(bonds) and connects_to_own_image(frames.positions[0], bonds, cells[0]):
        raise DataError(f"{frames.name}: bonds go on from cell to cell, and a baseline is for molecules")
    number = molecule_of_atom(frames.n_atoms, bonds)
    place = np.empty_like(number)
    kept: list[MoleculeTemplate] = []
    for n in range(int(number.max()) + 1):
        atoms, own = np.flatnonzero(number == n), number[bonds[:, 0]] == n
        place[atoms] = np.arange(len(atoms))
        numbers = frames.atomic_numbers[atoms].astype(np.int64)
        one = MoleculeTemplate.without_energy(numbers, place[bonds[own]], lengths[own])
        if not is_known(one, kept):
            kept.append(one)
    return kept


def is_known(template: MoleculeTemplate, others: Sequence[MoleculeTemplate]) -> bool:
    """Return whether one of several templates has the bond graph of a template.

    Parameters
    ----------
    template
        The template.
    others
        The others.
    """
    graphs = [MoleculeGraph(other.atomic_numbers, other.bonds) for other in others]
    return bool(graphs) and match_molecules(template.atomic_numbers, template.bonds, graphs) is not None


def number_atom_types(templates: Sequence[MoleculeTemplate]) -> tuple[MoleculeTemplate, ...]:
    """Return the templates of a model with their atom types numbered one after another.

    Atoms with equivalent places in the bond graph, such as the hydrogens of a methyl group, are of one type.

    Parameters
    ----------
    templates
        Atoms of one template with the same number are of one type, whatever the number is; −1, for atoms
        without a type, is kept.
    """
    numbered, end = [], 0
    for template in templates:
        _, types = np.unique(template.atom_types, return_inverse=True)
        types = np.where(template.atom_types < 0, -1, types.astype(np.int64) + end)
        numbered.append(replace(template, atom_types=types))
        end = max(end, int(types.max()) + 1)
    return tuple(numbered)


def _bond_parameters(field: ForceField) -> FloatArray:
    """Return r̄, D, r0, β0, β1, β2, δ0, δ1, δ2 of each bond, (n_bonds, 9)."""
    first, kinds = field.n_linear, len(field.plateaus)
    own = field.parameters[first : first + N_BOND_PARAMETERS * kinds].reshape(kinds, N_BOND_PARAMETERS)
    of_kinds = np.column_stack([field.plateaus, own[:, 0], field.shapes, own[:, 1:]])
    return np.column_stack([field.mean_lengths, of_kinds[field.bond_kind]])


def _walls(field: ForceField) -> FloatArray:
    """Return A of each pair of the same molecule, eV."""
    first = field.n_linear + N_BOND_PARAMETERS * len(field.plateaus)
    strengths: FloatArray = np.exp(field.parameters[first:])[field.pair_kind]
    return strengths


def _gates(gates: NDArray[np.bool_]) -> IntArray:
    """Return the bonds that switch each term off, (n_terms, 4), filled up with the number of bonds."""
    n_bonds = gates.shape[1]
    padded = np.full((len(gates), N_GATES), n_bonds)
    for row, of_term in zip(padded, gates, strict=True):
        own = np.flatnonzero(of_term)
        row[: len(own)] = own
    return padded
