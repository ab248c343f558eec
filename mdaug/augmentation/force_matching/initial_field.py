"""The force field of frames before its fit: terms, reference values and tabulated parameters."""

import numpy as np
import torch

from mdaug.augmentation.force_matching.force_field import CUTOFF_A, ForceField
from mdaug.augmentation.force_matching.intermolecular import IntermolecularTerms
from mdaug.augmentation.force_matching.tabulated_parameters import (
    BondShape,
    Repulsion,
    bond_shape,
    geminal_repulsion,
    repulsion,
    surroundings,
)
from mdaug.augmentation.force_matching.terms import make_terms
from mdaug.augmentation.force_matching.topology import Topology, find_topology, neighbors_of
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.internal_coordinates import cosines, lengths
from mdaug.geometry.pairs import narrowest_width


def initial_force_field(frames: FrameSet, cutoff: float = CUTOFF_A) -> ForceField:
    """Return the force field of `frames` before any fit, with tabulated parameters isolated.

    Parameters
    ----------
    frames
        Frames of molecules; their mean bond lengths and angles are the reference values of the terms.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs of a molecule have no energy.

    Raises
    ------
    DataError
        If the frames are not of molecules.
    """
    topology = find_topology(frames)
    terms = make_terms(topology)
    positions = torch.as_tensor(frames.positions)
    cells = None if frames.periodic_cells is None else torch.as_tensor(frames.periodic_cells)
    intermolecular = _intermolecular_terms(topology, frames)
    bond_kind, angle_kind, pair_kind = _kinds_of_terms(topology)
    mean_lengths = _class_means(lengths(positions, topology.bonds, cells).numpy().mean(0), bond_kind)
    mean_cosines = _class_means(cosines(positions, topology.angles, cells).numpy().mean(0), angle_kind)
    shapes = [_bond_shape(topology, topology.bonds[b], mean_lengths[b]) for b in _firsts(bond_kind)]
    walls = _walls(topology)
    parameters = np.concatenate(
        [
            np.zeros(terms.n_coefficients + intermolecular.n_coefficients),
            *(np.array([mean_lengths[b], 0.0, 0.0, 0.0]) for b in _firsts(bond_kind)),
            np.log([walls[p].strength_eV for p in _firsts(pair_kind)]),
            np.log(intermolecular.strength),
        ]
    )
    return ForceField(
        topology=topology,
        terms=terms,
        bond_kind=bond_kind,
        pair_kind=pair_kind,
        tabulated=np.array([shape.plateau_eV for shape in shapes]),
        plateaus=np.array([shape.plateau_eV for shape in shapes]),
        shapes=np.array([shape[1:4] for shape in shapes]),
        is_tabulated=np.array([shape.tabulated for shape in shapes]),
        mean_lengths=mean_lengths,
        mean_cosines=mean_cosines,
        steepness=np.array([wall.steepness for wall in walls]),
        contact=np.array([wall.contact_A for wall in walls]),
        intermolecular=intermolecular,
        cutoff=cutoff,
        parameters=parameters,
    )


def _kinds_of_terms(topology: Topology) -> tuple[IntArray, IntArray, IntArray]:
    """Return the kinds of bonds, angles and pairs; those of one kind have the same parameters."""
    classes, z = topology.classes, topology.atomic_numbers
    bonds = [tuple(sorted(classes[list(bond)])) for bond in topology.bonds]
    angles = [min((a := tuple(classes[list(angle)])), a[::-1]) for angle in topology.angles]
    separated = zip(topology.pairs, topology.separation, strict=True)
    pairs = [(*sorted(z[pair].tolist()), int(n_bonds)) for pair, n_bonds in separated]
    return _kinds(bonds), _kinds(angles), _kinds(pairs)


def _walls(topology: Topology) -> list[Repulsion]:
    """Return the tabulated repulsion of each pair of a molecule."""
    of_pairs = zip(topology.atomic_numbers[topology.pairs].tolist(), topology.separation, strict=True)
    return [
        geminal_repulsion(z_i, z_j) if n_bonds == 2 else repulsion(z_i, z_j)
        for (z_i, z_j), n_bonds in of_pairs
    ]


def _bond_shape(topology: Topology, bond: IntArray, length_A: float) -> BondShape:
    z, neighbors = topology.atomic_numbers, neighbors_of(len(topology.atomic_numbers), topology.bonds)
    lighter, heavier = sorted(bond.tolist(), key=lambda atom: int(z[atom]))
    around = surroundings(heavier, z, neighbors)
    return bond_shape(int(z[lighter]), int(z[heavier]), length_A, around)


def _intermolecular_terms(topology: Topology, frames: FrameSet) -> IntermolecularTerms:
    """Return the terms between molecules with the tabulated repulsion alone."""
    pairs, z = topology.intermolecular_pairs, topology.atomic_numbers
    kind = _kinds([tuple(sorted(topology.classes[pair].tolist())) for pair in pairs])
    walls = [repulsion(*z[pairs[p]]) for p in _firsts(kind)]
    cells = frames.periodic_cells
    reach = None if cells is None else narrowest_width(cells) / 2
    table = np.array(walls).reshape(-1, 3)
    return IntermolecularTerms(
        pairs=pairs,
        kind=kind,
        strength=table[:, 0],
        steepness=table[:, 1],
        contact=table[:, 2],
        reach=reach,
    )


def _kinds(keys: list[tuple[int, ...]]) -> IntArray:
    """Number equal keys alike, in order of first appearance."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def _firsts(kinds: IntArray) -> list[int]:
    """Return the first member of each kind."""
    return np.unique(kinds, return_index=True)[1].tolist()


def _class_means(values: FloatArray, kinds: IntArray) -> FloatArray:
    return (np.bincount(kinds, values) / np.bincount(kinds))[kinds]
