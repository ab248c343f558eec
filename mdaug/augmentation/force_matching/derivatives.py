"""Derivatives ∂F/∂θ of the forces of a force field with respect to its parameters.

E depends on the positions through few coordinates q (lengths, cosines, torsion terms, distances), and each
parameter through few of them, so ∂F/∂θ = −Σ_q (∂²E/∂θ∂q) ∂q/∂r is summed up from its nonzero parts.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField
from mdaug.augmentation.force_matching.intermolecular import INTERMOLECULAR_WIDTHS
from mdaug.augmentation.force_matching.terms import N_FACTORS
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.internal_coordinates import bends, cosines, lengths, torsion_terms
from mdaug.geometry.valence_constants import STRETCH_SLOPE

MOST_ATOMS = 4
"""Most atoms of a coordinate."""

AT_ONCE = 5_000_000
"""Numbers that are held at once while parts are summed up, about."""


class _Coordinates(NamedTuple):
    """The coordinates of some frames: bonds, angles, torsion terms, pairs, pairs between molecules.

    values: (n_frames, n_q); atoms: (n_q, 4); gradients: (n_frames, n_q, 4, 3), zero where a coordinate has
    fewer atoms.
    """

    values: Tensor
    atoms: IntArray
    gradients: Tensor


class _Parts(NamedTuple):
    """∂²E/∂θ∂q where it is not zero: numbers of θ and q (n_parts,), values (n_frames, n_parts)."""

    parameter: IntArray
    coordinate: IntArray
    values: Tensor


def linear_jacobian(field: ForceField, frames: FrameSet) -> FloatArray:
    """Return ∂F/∂θ of the linear coefficients, which is constant, shape (n_frames · n_atoms · 3, n_linear).

    Parameters
    ----------
    field
        The force field.
    frames
        Where the derivative is taken.
    """
    blocks = []
    for part in _blocks(field, frames):
        q = _coordinates(field, *_positions(frames, part))
        parts = [_term_parts(field, q), *_intermolecular_parts(field, q)]
        blocks.append(_summed(parts, q, field.n_linear, frames.n_atoms))
    return np.concatenate(blocks)


def nonlinear_jacobian(field: ForceField, frames: FrameSet) -> FloatArray:
    """Return ∂F/∂θ of the other parameters, shape (n_frames · n_atoms · 3, n_parameters − n_linear).

    Parameters
    ----------
    field
        The force field and the parameters at which the derivative is taken.
    frames
        Where it is taken.
    """
    n_columns, blocks = len(field.parameters) - field.n_linear, []
    for part in _blocks(field, frames):
        q = _coordinates(field, *_positions(frames, part))
        parts = [_bond_parts(field, q), *_wall_parts(field, q)]
        blocks.append(_summed(parts, q, n_columns, frames.n_atoms))
    return np.concatenate(blocks)


def errors_by_coordinate(field: ForceField, frames: FrameSet, residual: FloatArray) -> dict[str, float]:
    """Return the rms parts of residual forces that bonds, then angles, torsions and pairs could take up.

    Parameters
    ----------
    field
        The force field.
    frames
        Frames of its molecules.
    residual
        Their forces less those of the field, eV/Å, shape (n_frames, n_atoms, 3).

    Returns
    -------
    errors
        eV/Å, by kind of coordinate; their squares add up to that of the residual, but for what no coordinate
        could take up.
    """
    topology = field.topology
    n_bonds, n_angles, first_pair = len(topology.bonds), len(topology.angles), _first_pair(field)
    ends = {"bonds": n_bonds, "angles": n_bonds + n_angles, "torsions": first_pair, "pairs": None}
    squared = dict.fromkeys(ends, 0.0)
    q = _coordinates(field, *_positions(frames, slice(None)))
    for gradients, force in zip(q.gradients.numpy(), residual, strict=True):
        rows = np.zeros((len(gradients), *force.shape))
        np.add.at(rows, (np.arange(len(rows))[:, None], q.atoms), gradients)
        taken = 0.0
        for kind, end in ends.items():
            columns = rows[:end].reshape(len(rows[:end]), -1).T
            along = columns @ np.linalg.lstsq(columns, force.ravel(), rcond=1e-8)[0]
            squared[kind] += float(along @ along) - taken
            taken = float(along @ along)
    return {kind: float(np.sqrt(max(0.0, part) / residual.size)) for kind, part in squared.items()}


def _blocks(field: ForceField, frames: FrameSet) -> list[slice]:
    n_parts = len(field.terms.parameter) * N_FACTORS + int(field.terms.gates.sum())
    n_parts += 3 * len(field.intermolecular.pairs) + len(field.topology.pairs) + 4 * len(field.topology.bonds)
    return field.blocks(len(frames), max(1, AT_ONCE // (3 * MOST_ATOMS * n_parts)))


def _positions(frames: FrameSet, part: slice) -> tuple[Tensor, Tensor | None]:
    cells = frames.periodic_cells
    return torch.as_tensor(frames.positions[part]), None if cells is None else torch.as_tensor(cells[part])


def _coordinates(field: ForceField, positions: Tensor, cells: Tensor | None) -> _Coordinates:
    topology, between = field.topology, field.intermolecular.pairs
    made = [
        _one_kind(lengths, positions, topology.bonds, cells),
        _one_kind(cosines, positions, topology.angles, cells),
        _one_kind(torsion_terms, positions, topology.torsions, cells),
        _one_kind(lengths, positions, topology.pairs, cells),
        _one_kind(lengths, positions, between, cells),
    ]
    values, atoms, gradients = zip(*made, strict=True)
    return _Coordinates(torch.cat(values, 1), np.concatenate(atoms), torch.cat(gradients, 1))


def _one_kind(
    function: Callable[[Tensor, IntArray, Tensor | None], Tensor],
    positions: Tensor,
    atoms: IntArray,
    cells: Tensor | None,
) -> _Coordinates:
    """Return the values of `function` for chains of atoms (n, 2 to 4), several for each perhaps."""
    n_frames, (n_chains, n_atoms) = len(positions), atoms.shape
    own = positions[:, atoms.ravel()].requires_grad_()
    values = function(own, np.arange(atoms.size).reshape(atoms.shape), cells)
    n_each = values.shape[1] // n_chains if n_chains else 1
    gradients = positions.new_zeros(n_frames, n_chains, n_each, MOST_ATOMS, 3)
    for k in range(n_each if n_chains else 0):
        (slope,) = torch.autograd.grad(values[:, k::n_each].sum(), own, retain_graph=True)
        gradients[:, :, k, :n_atoms] = slope.reshape(n_frames, n_chains, n_atoms, 3)
    padded = np.pad(atoms, ((0, 0), (0, MOST_ATOMS - n_atoms))).repeat(n_each, axis=0)
    return _Coordinates(values.detach(), padded, gradients.flatten(1, 2))


def _first_pair(field: ForceField) -> int:
    """Return the number of the first pair among the coordinates."""
    topology = field.topology
    return len(topology.bonds) + len(topology.angles) + 3 * len(topology.torsions)


def _term_parts(field: ForceField, q: _Coordinates) -> _Parts:
    """Return the parts of products of primitives and gates."""
    terms, topology, n_frames = field.terms, field.topology, len(q.values)
    n_bonds, first_pair, n_pairs = len(topology.bonds), _first_pair(field), len(topology.pairs)
    far = np.flatnonzero(topology.separation >= 3)
    r, angular = q.values[:, :n_bonds], q.values[:, n_bonds:first_pair].clone()
    angular_slope = torch.ones_like(angular)
    n_angles = len(topology.angles)
    u, angular_slope[:, :n_angles] = _with_slope(
        lambda cosine: bends(cosine, field.mean_cosines), angular[:, :n_angles]
    )
    angular[:, :n_angles] = u
    decay = torch.exp(-STRETCH_SLOPE * (r - torch.as_tensor(field.mean_lengths)))
    distances = q.values[:, first_pair : first_pair + n_pairs][:, far]
    soft, soft_slope = _with_slope(
        lambda d: (
            field.pair_switch(d) * torch.exp(-STRETCH_SLOPE * (d - torch.as_tensor(field.contact[far])))
        ),
        distances,
    )
    one = torch.ones(n_frames, 1, dtype=r.dtype)
    primitives = torch.cat([1 - decay, angular, soft, one], 1)
    slopes = torch.cat([STRETCH_SLOPE * decay, angular_slope, soft_slope, 0 * one], 1)
    coordinate_of = np.concatenate([np.arange(first_pair), first_pair + far, [0]])

    log_gates, log_slope = _with_slope(field.log_gates, r)
    gates = torch.exp(log_gates @ torch.as_tensor(terms.gates.T.astype(float)))
    factors = [primitives[:, terms.factors[:, slot]] for slot in range(N_FACTORS)]
    values = []
    for slot in range(N_FACTORS):
        others = torch.stack([factors[k] for k in range(N_FACTORS) if k != slot]).prod(0)
        values.append(others * gates * slopes[:, terms.factors[:, slot]])
    gated, bond = np.nonzero(terms.gates)
    products = torch.stack(factors).prod(0) * gates
    values.append(products[:, gated] * log_slope[:, bond])
    return _Parts(
        np.concatenate([np.tile(terms.parameter, N_FACTORS), terms.parameter[gated]]),
        np.concatenate([coordinate_of[terms.factors.T.ravel()], bond]),
        torch.cat(values, 1),
    )


def _intermolecular_parts(field: ForceField, q: _Coordinates) -> list[_Parts]:
    """Return the parts of a and q of pairs between molecules."""
    between, numbers = field.intermolecular, _intermolecular_numbers(field)
    parts, n_each = [], len(INTERMOLECULAR_WIDTHS)
    for which in range(n_each):
        coefficients = torch.zeros(between.n_coefficients, dtype=q.values.dtype)
        coefficients[which::n_each] = 1.0
        no_walls = torch.full((len(between.contact),), -torch.inf, dtype=q.values.dtype)
        parameter = field.terms.n_coefficients + n_each * between.kind + which
        parts.append(_Parts(parameter, numbers, _slopes(field, q, coefficients, no_walls)))
    return parts


def _wall_parts(field: ForceField, q: _Coordinates) -> list[_Parts]:
    """Return the parts of ln A, of pairs of a molecule and between molecules."""
    first_pair, n_pairs, between = _first_pair(field), len(field.topology.pairs), field.intermolecular
    n_bond = N_BOND_PARAMETERS * len(field.plateaus)
    log_walls = torch.as_tensor(field.parameters[field.n_linear + n_bond :])
    n_kinds = len(log_walls) - len(between.contact)
    d = q.values[:, first_pair : first_pair + n_pairs]
    strengths = torch.exp(log_walls[:n_kinds])[torch.as_tensor(field.pair_kind)]
    steepness, contact = torch.as_tensor(field.steepness), torch.as_tensor(field.contact)
    _, inside = _with_slope(
        lambda x: field.pair_switch(x) * strengths * torch.exp(-steepness * (x - contact)), d
    )
    none = torch.zeros(between.n_coefficients, dtype=d.dtype)
    return [
        _Parts(n_bond + field.pair_kind, np.arange(first_pair, first_pair + n_pairs), inside),
        _Parts(
            n_bond + n_kinds + between.kind,
            _intermolecular_numbers(field),
            _slopes(field, q, none, log_walls[n_kinds:]),
        ),
    ]


def _intermolecular_numbers(field: ForceField) -> IntArray:
    """Return the numbers of the pairs between molecules among the coordinates."""
    first = _first_pair(field) + len(field.topology.pairs)
    return np.arange(first, first + len(field.intermolecular.pairs))


def _slopes(field: ForceField, q: _Coordinates, coefficients: Tensor, log_walls: Tensor) -> Tensor:
    """Return dE/dd of the pairs between molecules, shape (n_frames, n_pairs)."""
    d = q.values[:, _intermolecular_numbers(field)].requires_grad_()
    if d.numel() == 0:
        return d.detach()
    energy = field.intermolecular.energy(d, coefficients, log_walls).sum()
    return torch.autograd.grad(energy, d)[0]


def _bond_parts(field: ForceField, q: _Coordinates) -> _Parts:
    """Return the parts of r0, δ0, δ1, δ2 of the bonds."""
    n_bonds, kind = len(field.topology.bonds), torch.as_tensor(field.bond_kind)
    n_own = N_BOND_PARAMETERS * len(field.plateaus)
    shapes = torch.as_tensor(field.parameters[field.n_linear : field.n_linear + n_own])
    own = shapes.reshape(-1, N_BOND_PARAMETERS)[kind].expand(len(q.values), -1, -1).clone()
    own.requires_grad_()
    r = q.values[:, :n_bonds].clone().requires_grad_()
    plateaus, tabulated = (torch.as_tensor(a)[kind] for a in (field.plateaus, field.shapes))
    energy = field.bond_energies(r, plateaus, tabulated, own)
    (slope,) = torch.autograd.grad(energy.sum(), r, create_graph=True)
    (mixed,) = torch.autograd.grad(slope.sum(), own)
    parameter = N_BOND_PARAMETERS * field.bond_kind[:, None] + np.arange(N_BOND_PARAMETERS)
    bond = np.arange(n_bonds).repeat(N_BOND_PARAMETERS)
    return _Parts(parameter.ravel(), bond, mixed.flatten(1))


def _with_slope(function: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the values and the slopes of a function of each number alone."""
    own = x.detach().clone().requires_grad_()
    values = function(own)
    (slope,) = torch.autograd.grad(values.sum(), own)
    return values.detach(), slope


def _summed(parts: list[_Parts], q: _Coordinates, n_columns: int, n_atoms: int) -> FloatArray:
    """Return −Σ (∂²E/∂θ∂q) ∂q/∂r, shape (n_frames · n_atoms · 3, n_columns)."""
    n_frames = len(q.values)
    summed = torch.zeros(n_atoms * 3 * n_columns, n_frames, dtype=q.values.dtype)
    for part in parts:
        place = 3 * q.atoms[part.coordinate][:, :, None] + np.arange(3)
        place = place * n_columns + part.parameter[:, None, None]
        values = part.values[:, :, None, None] * q.gradients[:, part.coordinate]
        summed.index_add_(0, torch.as_tensor(place.ravel()), values.flatten(1).T.contiguous(), alpha=-1)
    jacobian = summed.T.reshape(n_frames * n_atoms * 3, n_columns)
    return np.ascontiguousarray(jacobian.numpy())
