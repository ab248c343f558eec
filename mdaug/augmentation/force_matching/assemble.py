"""The force field of a molecule before it is matched: its terms, with tabulated parameters."""

import numpy as np
import torch

from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.force_matching.intermolecular import Between
from mdaug.augmentation.force_matching.tabulated_parameters import bond_shape, repulsion
from mdaug.augmentation.force_matching.terms import make_terms
from mdaug.augmentation.force_matching.topology import Topology, find_topology
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.internal_coordinates import cosines, lengths
from mdaug.geometry.pairs import narrowest_width


def initial_force_field(frames: FrameSet) -> ForceField:
    """Return the force field of `frames` with tabulated parameters only, nothing matched yet.

    Raises
    ------
    DataError
        If the frames are not of molecules.
    """
    topology = find_topology(frames)
    terms = make_terms(topology)
    positions = torch.as_tensor(frames.positions)
    cells = None if frames.periodic_cells is None else torch.as_tensor(frames.periodic_cells)
    between = _between(topology, frames)
    classes, z = topology.classes, frames.atomic_numbers
    bond_kind = _kinds([tuple(sorted(classes[list(bond)])) for bond in topology.bonds])
    pair_names = [
        (*sorted(z[pair].tolist()), int(n))
        for pair, n in zip(topology.pairs, topology.separation, strict=True)
    ]
    pair_kind = _kinds(pair_names)
    mean_lengths = _class_means(lengths(positions, topology.bonds, cells).numpy().mean(0), bond_kind)
    angle_kind = _kinds([min((a := tuple(classes[list(angle)])), a[::-1]) for angle in topology.angles])
    cosine = _class_means(cosines(positions, topology.angles, cells).numpy().mean(0), angle_kind)
    shapes = [
        bond_shape(z[topology.bonds[b, 0]], z[topology.bonds[b, 1]], mean_lengths[b])
        for b in _firsts(bond_kind)
    ]
    walls = [repulsion(z[pair[0]], z[pair[1]]) for pair in topology.pairs]
    parameters = np.concatenate(
        [
            np.zeros(terms.n_coefficients + between.n_coefficients),
            *(np.array([mean_lengths[b], 0.0, 0.0, 0.0]) for b in _firsts(bond_kind)),
            np.log([walls[p].strength_eV for p in _firsts(pair_kind)]),
            np.log(between.strength),
        ]
    )
    return ForceField(
        topology,
        terms,
        bond_kind,
        pair_kind,
        np.array([shape.plateau_eV for shape in shapes]),
        np.array([shape.plateau_eV for shape in shapes]),
        np.array([shape[1:4] for shape in shapes]),
        np.array([shape.tabulated for shape in shapes]),
        mean_lengths,
        cosine,
        np.array([wall.steepness for wall in walls]),
        np.array([wall.contact_A for wall in walls]),
        between,
        parameters,
    )


def _between(topology: Topology, frames: FrameSet) -> Between:
    """Return the terms between molecules, tabulated walls only."""
    pairs, z = topology.between, topology.atomic_numbers
    kind = _kinds([tuple(sorted(topology.classes[pair].tolist())) for pair in pairs])
    walls = [repulsion(*z[pairs[p]]) for p in _firsts(kind)]
    cells = frames.periodic_cells
    reach = None if cells is None else narrowest_width(cells) / 2
    table = np.array(walls).reshape(-1, 3)
    return Between(pairs, kind, table[:, 0], table[:, 1], table[:, 2], reach)


def _kinds(keys: list[tuple[int, ...]]) -> IntArray:
    """Number equal keys alike, in order of first appearance."""
    numbers = {key: n for n, key in enumerate(dict.fromkeys(keys))}
    return np.array([numbers[key] for key in keys], dtype=np.int64)


def _firsts(kinds: IntArray) -> list[int]:
    """Return the first member of each kind."""
    return np.unique(kinds, return_index=True)[1].tolist()


def _class_means(values: FloatArray, kinds: IntArray) -> FloatArray:
    return (np.bincount(kinds, values) / np.bincount(kinds))[kinds]
