"""A valence force field whose bonds break: energy of positions, exact forces by torch's autograd.

E = Σ_b V(r_b) + Σ_p A_p exp(−B_p (d_p − R_p)) + Σ_t c_t Π primitives Π gates, with

- bonds: expanded Morse oscillator V(r) = D (1 − exp(−β(z) (r − r0)))², z = (r − r0)/(r + r0), between 0 at
  r0 and the plateau D; β = β0 + β1 z + β2 z² + (δ0 + δ1 z + δ2 z²) exp(−(z/0.25)⁴) for r > r0 is the
  tabulated shape with the stiffness and anharmonicity of the frames near r0;
- non-bonded pairs: repulsion that falls off exponentially;
- between molecules, the terms of between.py;
- terms.py's products, each times g = ½ (1 − tanh((r/r̄ − 1.5)/0.15)) of every bond it stands on, so that
  nothing but the plateau is left of a broken bond.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdaug.augmentation.force_matching.intermolecular import Between
from mdaug.augmentation.force_matching.terms import Terms
from mdaug.augmentation.force_matching.topology import Topology
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.internal_coordinates import cosines, lengths, torsion_terms
from mdaug.geometry.pairs import pair_lengths

STRETCH_SLOPE = 2.0
"""1/Å, of the stretch variable in cross terms and of soft pairs."""

GATE_CENTRE, GATE_WIDTH = 1.5, 0.15
"""A bond has let go half at this multiple of its mean length, over about this width."""

REACH = 0.25
"""z up to which the frames' own shape of a stretched bond is believed: 0.25 is r = 1.67 r0."""

N_BOND_PARAMETERS = 4
"""r0, δ0, δ1, δ2."""

BLOCK = 1000
"""Frames evaluated at once, if they are small."""

PAIRS_AT_ONCE = 500_000
"""Pairs of atoms of different molecules in them, at most."""


@dataclass(frozen=True)
class ForceField:
    """A force field matched to frames, or to be matched.

    Parameters
    ----------
    topology
        Of the molecules.
    terms
        The linear terms.
    bond_kind
        Shape (n_bonds,): equivalent bonds have equal numbers.
    pair_kind
        Shape (n_pairs,): repulsion by elements and separation.
    tabulated
        Energy of each bond kind when it is broken, eV.
    plateaus
        D of each bond kind, eV.
    shapes
        Tabulated β0, β1, β2 of each bond kind, 1/Å, shape (n_kinds, 3).
    is_tabulated
        Shape (n_kinds,): False for bonds whose curve is a guess; the frames know them near r̄ only.
    mean_lengths
        r̄ of the bonds, shape (n_bonds,), Å.
    mean_cosines
        c̄ of the angles, shape (n_angles,).
    steepness, contact
        B (1/Å) and R (Å) of each non-bonded pair, shape (n_pairs,).
    between
        What molecules do to each other.
    parameters
        Linear coefficients (of terms, then between molecules), then r0 (Å), δ0, δ1, δ2 (1/Å) of each bond
        kind, then ln(A/eV) of each pair kind and of each kind of pair between molecules.
    """

    topology: Topology
    terms: Terms
    bond_kind: IntArray
    pair_kind: IntArray
    tabulated: FloatArray
    plateaus: FloatArray
    shapes: FloatArray
    is_tabulated: NDArray[np.bool_]
    mean_lengths: FloatArray
    mean_cosines: FloatArray
    steepness: FloatArray
    contact: FloatArray
    between: Between
    parameters: FloatArray

    def with_parameters(self, parameters: FloatArray) -> "ForceField":
        return replace(self, parameters=parameters)

    @property
    def n_linear(self) -> int:
        """Of the parameters, how many are linear coefficients."""
        return self.terms.n_coefficients + self.between.n_coefficients

    def apart(self) -> "ForceField":
        """Return the force field of the same molecules that do not feel each other."""
        none = np.zeros((0, 2), dtype=np.int64)
        return replace(self, between=replace(self.between, pairs=none, kind=none[:, 0]))

    def blocks(self, n_frames: int, at_once: int) -> list[slice]:
        """Cut frames into blocks of `at_once`, or of fewer where they have many pairs between molecules."""
        step = max(1, min(at_once, PAIRS_AT_ONCE // max(1, len(self.between.pairs))))
        return [slice(start, start + step) for start in range(0, n_frames, step)]

    def evaluate(
        self, positions: FloatArray, cells: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return energies (n_frames,) in eV and forces (n_frames, n_atoms, 3) in eV/Å of `positions` in Å.

        `cells` has shape (n_frames, 3, 3), or is None for no cell.
        """
        energies, forces = [], []
        parameters = torch.as_tensor(self.parameters)
        for part in self.blocks(len(positions), BLOCK):
            block = torch.as_tensor(positions[part]).clone().requires_grad_()
            energy = self.energy(block, parameters, None if cells is None else torch.as_tensor(cells[part]))
            (slope,) = torch.autograd.grad(energy.sum(), block)
            energies.append(energy.detach().numpy())
            forces.append(-slope.numpy())
        return np.concatenate(energies), np.concatenate(forces)

    def broken(self, positions: FloatArray, cells: FloatArray | None = None) -> FloatArray:
        """Return Σ_b 4 g_b (1 − g_b) (n_frames,): 0 with all bonds intact or gone, 1 with one half broken."""
        stretch = pair_lengths(positions, cells, *self.topology.bonds.T) / self.mean_lengths
        return np.sum(1 - np.tanh((stretch - GATE_CENTRE) / GATE_WIDTH) ** 2, axis=-1)

    @property
    def guessed(self) -> IntArray:
        """The bonds (n, 2) whose curve is a guess."""
        return self.topology.bonds[~self.is_tabulated[self.bond_kind]]

    def guessed_stretch(self, positions: FloatArray, cells: FloatArray | None = None) -> FloatArray:
        """Return the lengths of the `guessed` bonds in mean lengths, shape (n_frames, n)."""
        means = self.mean_lengths[~self.is_tabulated[self.bond_kind]]
        return pair_lengths(positions, cells, *self.guessed.T) / means

    def energy(self, positions: Tensor, parameters: Tensor, cells: Tensor | None = None) -> Tensor:
        """Return the energies (n_frames,) of `positions` (n_frames, n_atoms, 3), differentiable in both."""
        n_linear, n_bond = self.n_linear, N_BOND_PARAMETERS * len(self.plateaus)
        coefficients, rest = parameters[: self.terms.n_coefficients], parameters[n_linear:]
        bent = rest[:n_bond].reshape(-1, N_BOND_PARAMETERS)[torch.as_tensor(self.bond_kind)]
        n_walls = len(rest) - n_bond - len(self.between.contact)
        strengths = torch.exp(rest[n_bond : n_bond + n_walls])[torch.as_tensor(self.pair_kind)]
        bonds, pairs = self.topology.bonds, self.topology.pairs
        r = lengths(positions, bonds, cells)
        d = lengths(positions, pairs, cells)
        repelled = strengths * torch.exp(
            -torch.as_tensor(self.steepness) * (d - torch.as_tensor(self.contact))
        )
        plateaus, shapes = (torch.as_tensor(a[self.bond_kind]) for a in (self.plateaus, self.shapes))
        stretched = expanded_morse(r, plateaus, shapes, bent)
        products = self._products(self._primitives(positions, r, d, cells), r)
        c = coefficients[torch.as_tensor(self.terms.parameter)]
        inside = stretched.sum(-1) + repelled.sum(-1) + products @ c
        if not len(self.between.pairs):
            return inside
        apart = lengths(positions, self.between.pairs, cells)
        own = parameters[self.terms.n_coefficients : n_linear]
        return inside + self.between.energy(apart, own, rest[n_bond + n_walls :])

    def _primitives(self, positions: Tensor, r: Tensor, d: Tensor, cells: Tensor | None) -> Tensor:
        x = 1 - torch.exp(-STRETCH_SLOPE * (r - torch.as_tensor(self.mean_lengths)))
        u = cosines(positions, self.topology.angles, cells) - torch.as_tensor(self.mean_cosines)
        far = np.flatnonzero(self.topology.separation >= 3)
        soft = torch.exp(-STRETCH_SLOPE * (d[:, far] - torch.as_tensor(self.contact[far])))
        one = torch.ones_like(r[:, :1])
        return torch.cat([x, u, torsion_terms(positions, self.topology.torsions, cells), soft, one], dim=1)

    def _products(self, primitives: Tensor, r: Tensor) -> Tensor:
        factors = torch.as_tensor(self.terms.factors)
        products = primitives[:, factors[:, 0]] * primitives[:, factors[:, 1]] * primitives[:, factors[:, 2]]
        stretch = r / torch.as_tensor(self.mean_lengths)
        log_gates = -torch.nn.functional.softplus(2 * (stretch - GATE_CENTRE) / GATE_WIDTH)
        return products * torch.exp(log_gates @ torch.as_tensor(self.terms.gates.T.astype(float)))


def expanded_morse(r: Tensor, plateaus: Tensor, shapes: Tensor, bent: Tensor) -> Tensor:
    """Return V(r) (n_frames, n_bonds) of the module's first lines.

    (R. J. Le Roy in Demaison, Boggs, Császár (eds.), Equilibrium Molecular Structures, CRC Press 2011,
    chapter 6; z is Šurkus' variable.)

    Parameters
    ----------
    shapes
        β0, β1, β2 of each bond, shape (n_bonds, 3).
    bent
        r0, δ0, δ1, δ2 of each bond, shape (n_bonds, 4).
    """
    beta0, beta1, beta2 = shapes.unbind(-1)
    r0, delta0, delta1, delta2 = bent.unbind(-1)
    z = (r - r0) / (r + r0)
    own = (delta0 + delta1 * z + delta2 * z**2) * torch.exp(-((torch.relu(z) / REACH) ** 4))
    beta = beta0 + beta1 * z + beta2 * z**2 + own
    return plateaus * (1 - torch.exp(-beta * (r - r0))) ** 2
