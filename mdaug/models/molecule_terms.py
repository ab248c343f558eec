"""The baseline M of a model E = M(r) + SchNet(r): a valence force field of each molecule, in closed form.

M is the part within molecules of the force-matched field (mdaug/augmentation/force_matching/force_field.py),
written out for one molecule, a template. It is switched off at the cutoff of the network: with s_b and g_b of
each bond b,

- s_b = S((r_b/rc − 0.8)/0.2), S a quintic switch from 1 at 0 to 0 at 1;
- g_b = s_b ½ (1 − tanh((r_b/r̄_b − 1.5)/0.15));
- E = Σ_bonds [D + s_b (V_b − D)] + Σ_pairs S((d/rc − 0.6)/0.4) [A exp(−B (d − R)) + a exp(−2 (d − R))]
  + Σ_terms c Π primitives Π gates g.

V is the expanded Morse oscillator (R. J. Le Roy in Demaison, Boggs, Császár (eds.), Equilibrium Molecular
Structures, CRC Press 2011, chapter 6). Angles are described by θ in radians, those that are linear on average
by cos θ (`mdaug.geometry.internal_coordinates.bends`).
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from mdaug.frames import FloatArray
from mdaug.geometry.valence_constants import (
    BONDS_SWITCHED_FROM,
    COSINE_SCALE,
    GATE_CENTER,
    GATE_WIDTH,
    PAIRS_SWITCHED_FROM,
    REACH,
    STRETCH_SLOPE,
)
from mdaug.models.molecule_template import MoleculeTemplate


class MoleculeTerms(nn.Module):
    """A template as TorchScript: energies and forces of many molecules of one kind, in float64.

    Its tensors are attributes, not buffers, so that ``.to(torch.float32)`` leaves them in float64.

    Parameters
    ----------
    template
        The template.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs have no energy.
    """

    atomic_numbers: Tensor
    bonds: Tensor
    bond_parameters: Tensor
    angles: Tensor
    mean_cosines: Tensor
    angle_forms: Tensor
    torsions: Tensor
    pairs: Tensor
    pair_parameters: Tensor
    factors: Tensor
    gates: Tensor
    coefficients: Tensor
    atom_types: Tensor
    term_shares: Tensor
    cutoff: float
    has_energy: bool

    def __init__(self, template: MoleculeTemplate, cutoff: float) -> None:
        super().__init__()
        for name, array in template.arrays():
            setattr(self, name, torch.tensor(array))
        self.term_shares = torch.from_numpy(_term_shares(template))
        self.has_energy = template.has_energy
        self.cutoff = float(cutoff)

    def forward(self, positions: Tensor) -> tuple[Tensor, Tensor]:
        """Return atomic energies (n_molecules, n_atoms), eV, and slopes ∂E/∂r of the same shape and 3, eV/Å.

        The energy of a term is shared equally by its atoms.

        Parameters
        ----------
        positions
            Shape (n_molecules, n_atoms, 3), Å, float64: whole molecules, atoms in the order of the template.
        """
        bond_ij, r = _vectors(positions, self.bonds)
        angles = _angles(positions, self.angles)
        torsions = _torsion_vectors(positions, self.torsions)
        x, x_slope = _stretches(r, self.bond_parameters[:, 0])
        one = torch.ones_like(positions[:, :1, 0])
        u, u_slope = _bends(angles.cosine, self.mean_cosines, self.angle_forms)
        primitives = torch.cat([x, u, _folds(torsions).flatten(1), one], dim=1)
        switch, switch_slope = _bond_switch(r, self.cutoff)
        gates, gate_slopes = _gates(r / self.bond_parameters[:, 0])
        gate_slopes = gate_slopes / self.bond_parameters[:, 0] * switch + gates * switch_slope
        gates = gates * switch
        terms, of_primitives, of_gates = self._products(primitives, torch.cat([gates, one], dim=1))
        stretched, stretch_slope = _expanded_morse(r, self.bond_parameters)
        depth = self.bond_parameters[:, 1]
        bond_energies = depth + switch * (stretched - depth)

        n_bonds, n_angles = r.shape[1], angles.cosine.shape[1]
        of_bonds = switch * stretch_slope + switch_slope * (stretched - depth)
        of_bonds = of_bonds + x_slope * of_primitives[:, :n_bonds] + gate_slopes * of_gates[:, :-1]
        of_cosines = u_slope * of_primitives[:, n_bonds : n_bonds + n_angles]
        of_folds = of_primitives[:, n_bonds + n_angles : -1].unflatten(1, (-1, 3))
        slope = torch.zeros_like(positions)
        slope = _add_slopes(slope, self.bonds, (of_bonds / r).unsqueeze(-1) * bond_ij)
        slope = _add_angle_slopes(slope, self.angles, angles, of_cosines)
        slope = _add_torsion_slopes(slope, self.torsions, torsions, of_folds)
        pair_ij, d = _vectors(positions, self.pairs)
        pair_energies, of_pairs = _pair_energies(d, self.pair_parameters, self.cutoff)
        slope = _add_slopes(slope, self.pairs, (of_pairs / d).unsqueeze(-1) * pair_ij)

        energies = terms @ self.term_shares
        energies = _add_halves(energies, self.bonds, bond_energies)
        return _add_halves(energies, self.pairs, pair_energies), slope

    def _products(self, primitives: Tensor, gates: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the energy of each term, and ∂E/∂primitive and ∂E/∂gate."""
        f = [primitives[:, self.factors[:, m]] for m in range(3)]
        g = [gates[:, self.gates[:, m]] for m in range(4)]
        front, back = g[0] * g[1], g[2] * g[3]
        of_factors = self.coefficients * front * back
        of_gates = self.coefficients * f[0] * f[1] * f[2]
        by_primitive, by_gate = torch.zeros_like(primitives), torch.zeros_like(gates)
        for m, others in enumerate([f[1] * f[2], f[0] * f[2], f[0] * f[1]]):
            by_primitive = by_primitive.index_add(1, self.factors[:, m], of_factors * others)
        for m, others in enumerate([g[1] * back, g[0] * back, g[3] * front, g[2] * front]):
            by_gate = by_gate.index_add(1, self.gates[:, m], of_gates * others)
        return of_factors * f[0] * f[1] * f[2], by_primitive, by_gate


def _term_shares(template: MoleculeTemplate) -> FloatArray:
    """Return the part of the energy of each term that each of its atoms gets, (n_terms, n_atoms)."""
    atoms = [
        *(bond.tolist() for bond in template.bonds),
        *(angle.tolist() for angle in template.angles),
        *(torsion.tolist() for torsion in template.torsions for _ in range(3)),
        [],
    ]
    shares = np.zeros((len(template.factors), len(template.atomic_numbers)))
    for row, factors, gates in zip(shares, template.factors.tolist(), template.gates.tolist(), strict=True):
        in_gates = (template.bonds[gate].tolist() for gate in gates if gate < len(template.bonds))
        row[sorted({atom for part in (*(atoms[f] for f in factors), *in_gates) for atom in part})] = 1.0
    sums: FloatArray = shares.sum(axis=1, keepdims=True)
    return shares / np.maximum(sums, 1.0)


def _vectors(positions: Tensor, pairs: Tensor) -> tuple[Tensor, Tensor]:
    """Return r_j − r_i, (n_molecules, n_pairs, 3), and its length."""
    r_ij = positions[:, pairs[:, 1]] - positions[:, pairs[:, 0]]
    return r_ij, r_ij.square().sum(-1).sqrt()


def _add_slopes(slope: Tensor, pairs: Tensor, of_vectors: Tensor) -> Tensor:
    """Add ∂E/∂(r_j − r_i) of each pair to the slopes of its atoms."""
    return slope.index_add(1, pairs[:, 1], of_vectors).index_add(1, pairs[:, 0], -of_vectors)


def _add_halves(energies: Tensor, pairs: Tensor, of_pairs: Tensor) -> Tensor:
    """Add half of the energy of each pair to both of its atoms."""
    halves = 0.5 * of_pairs
    return energies.index_add(1, pairs[:, 0], halves).index_add(1, pairs[:, 1], halves)


def _inverse_lengths(vectors: Tensor) -> Tensor:
    return vectors.square().sum(-1, keepdim=True).rsqrt()


def _switch(r: Tensor, start: float, end: float) -> tuple[Tensor, Tensor]:
    """Return S((r − start)/(end − start)) and its slope: 1 up to `start`, 0 from `end`."""
    x = ((r - start) / (end - start)).clamp(0.0, 1.0)
    return 1 + x**3 * (x * (15 - 6 * x) - 10), -30 * (x * (1 - x)) ** 2 / (end - start)


def _bond_switch(r: Tensor, cutoff: float, start: float = BONDS_SWITCHED_FROM) -> tuple[Tensor, Tensor]:
    return _switch(r, start * cutoff, cutoff)


def _stretches(r: Tensor, mean: Tensor, slope: float = STRETCH_SLOPE) -> tuple[Tensor, Tensor]:
    """Return 1 − exp(−slope (r − r̄)) and its slope."""
    decay = torch.exp(-slope * (r - mean))
    return 1 - decay, slope * decay


def _bends(cosine: Tensor, mean: Tensor, forms: Tensor, scale: float = COSINE_SCALE) -> tuple[Tensor, Tensor]:
    """Return the primitive of each angle and its derivative in the cosine."""
    scaled, in_radians = cosine / scale, forms.eq(1)
    u = torch.where(in_radians, torch.acos(mean / scale) - torch.acos(scaled), cosine - mean)
    slope = (1 - scaled.square()).rsqrt() / scale
    return u, torch.where(in_radians, slope, torch.ones_like(slope))


def _gates(stretch: Tensor, center: float = GATE_CENTER, width: float = GATE_WIDTH) -> tuple[Tensor, Tensor]:
    """Return ½ (1 − tanh((x − center)/width)) and its slope, x the length of a bond over its mean."""
    gate = torch.sigmoid(-2 * (stretch - center) / width)
    return gate, -2 / width * gate * (1 - gate)


def _expanded_morse(r: Tensor, parameters: Tensor, reach: float = REACH) -> tuple[Tensor, Tensor]:
    """Return V and dV/dr of each bond."""
    depth, r0 = parameters[:, 1], parameters[:, 2]
    z, z_slope = (r - r0) / (r + r0), 2 * r0 / (r + r0).square()
    reduced = z.relu() / reach
    near = torch.exp(-(reduced**4))
    own = parameters[:, 6] + z * (parameters[:, 7] + z * parameters[:, 8])
    beta = parameters[:, 3] + z * (parameters[:, 4] + z * parameters[:, 5]) + near * own
    beta_slope = (
        parameters[:, 4] + 2 * z * parameters[:, 5] + near * (parameters[:, 7] + 2 * z * parameters[:, 8])
    )
    beta_slope = (beta_slope - 4 / reach * reduced**3 * near * own) * z_slope
    decay = torch.exp(-beta * (r - r0))
    return depth * (1 - decay).square(), 2 * depth * (1 - decay) * decay * (beta_slope * (r - r0) + beta)


def _pair_energies(
    d: Tensor,
    parameters: Tensor,
    cutoff: float,
    start: float = PAIRS_SWITCHED_FROM,
    decay: float = STRETCH_SLOPE,
) -> tuple[Tensor, Tensor]:
    """Return energies of pairs and their slopes."""
    switch, switch_slope = _switch(d, start * cutoff, cutoff)
    wall = parameters[:, 0] * torch.exp(-parameters[:, 1] * (d - parameters[:, 2]))
    soft = parameters[:, 3] * torch.exp(-decay * (d - parameters[:, 2]))
    slope = -parameters[:, 1] * wall - decay * soft
    return switch * (wall + soft), switch * slope + switch_slope * (wall + soft)


class _Angles(NamedTuple):
    """Unit vectors from the center to both ends, their inverse lengths, and cos θ."""

    e_i: Tensor
    e_k: Tensor
    inverse_i: Tensor
    inverse_k: Tensor
    cosine: Tensor


def _angles(positions: Tensor, angles: Tensor) -> _Angles:
    to_i, to_k = _vectors(positions, angles[:, [1, 0]])[0], _vectors(positions, angles[:, [1, 2]])[0]
    inverse_i, inverse_k = _inverse_lengths(to_i), _inverse_lengths(to_k)
    e_i, e_k = to_i * inverse_i, to_k * inverse_k
    return _Angles(e_i, e_k, inverse_i, inverse_k, (e_i * e_k).sum(-1))


def _add_angle_slopes(slope: Tensor, angles: Tensor, vectors: _Angles, of_cosines: Tensor) -> Tensor:
    """Add slopes by ∂cos θ/∂r_i = (e_k − cos θ e_i)/|r_i|, and the same for k."""
    e_i, e_k, cosine, weight = (
        vectors.e_i,
        vectors.e_k,
        vectors.cosine.unsqueeze(-1),
        of_cosines.unsqueeze(-1),
    )
    slope = _add_slopes(slope, angles[:, [1, 0]], weight * (e_k - cosine * e_i) * vectors.inverse_i)
    return _add_slopes(slope, angles[:, [1, 2]], weight * (e_i - cosine * e_k) * vectors.inverse_k)


class _Torsions(NamedTuple):
    """Unit vectors e1, e2, e3 along three bonds, their inverse lengths, and n1 = e1 × e2, n2 = e2 × e3."""

    e: list[Tensor]
    inverse: list[Tensor]
    n1: Tensor
    n2: Tensor


def _torsion_vectors(positions: Tensor, torsions: Tensor) -> _Torsions:
    vectors = [_vectors(positions, torsions[:, m : m + 2])[0] for m in range(3)]
    inverse = [_inverse_lengths(vector) for vector in vectors]
    e = [vectors[m] * inverse[m] for m in range(3)]
    n1, n2 = torch.linalg.cross(e[0], e[1]), torch.linalg.cross(e[1], e[2])
    return _Torsions(e, inverse, n1, n2)


def _folds(torsions: _Torsions) -> Tensor:
    """Return t, 2t² − s and 4t³ − 3ts of each torsion, with t = n1·n2 and s = |n1|²|n2|²."""
    t = (torsions.n1 * torsions.n2).sum(-1)
    s = torsions.n1.square().sum(-1) * torsions.n2.square().sum(-1)
    return torch.stack([t, 2 * t.square() - s, t * (4 * t.square() - 3 * s)], dim=-1)


def _add_torsion_slopes(slope: Tensor, torsions: Tensor, vectors: _Torsions, of_folds: Tensor) -> Tensor:
    """Add slopes by the chain rule, from ∂E/∂(terms of a torsion) to t and s, to n1 and n2, to the bonds."""
    e, n1, n2 = vectors.e, vectors.n1, vectors.n2
    t = (n1 * n2).sum(-1, keepdim=True)
    p, q = n1.square().sum(-1, keepdim=True), n2.square().sum(-1, keepdim=True)
    g1, g2, g3 = of_folds[..., 0:1], of_folds[..., 1:2], of_folds[..., 2:3]
    of_t, of_s = g1 + 4 * t * g2 + (12 * t.square() - 3 * p * q) * g3, -g2 - 3 * t * g3
    of_n1, of_n2 = of_t * n2 + 2 * q * of_s * n1, of_t * n1 + 2 * p * of_s * n2
    of_e = [
        torch.linalg.cross(e[1], of_n1),
        torch.linalg.cross(of_n1, e[0]) + torch.linalg.cross(e[2], of_n2),
        torch.linalg.cross(of_n2, e[1]),
    ]
    for m in range(3):
        along = (of_e[m] * e[m]).sum(-1, keepdim=True) * e[m]
        slope = _add_slopes(slope, torsions[:, m : m + 2], (of_e[m] - along) * vectors.inverse[m])
    return slope
