"""A valence force field with bonds that break; forces by automatic differentiation.

E = Σ_b V(r_b) + Σ_p A_p exp(−B_p (d_p − R_p)) + Σ_t c_t Π primitives Π gates, with

- bonds: expanded Morse oscillator V(r) = D (1 − exp(−β(z) (r − r0)))², z = (r − r0)/(r + r0), between 0 at
  r0 and the plateau D; β = β0 + β1 z + β2 z² + (δ0 + δ1 z + δ2 z²) exp(−(z/0.25)⁴) for r > r0 is the
  tabulated shape, with the stiffness and anharmonicity of the frames near r0;
- non-bonded pairs: repulsion that falls off exponentially;
- between molecules, `IntermolecularTerms`;
- the products of terms.py, each times g = ½ (1 − tanh((r/r̄ − 1.5)/0.15)) of every bond it depends on, so
  that a broken bond keeps its plateau alone;
- all but the plateaus is switched off towards the cutoff, bonds (V − D and g) from 0.8 and pairs from 0.6
  times it, as in the baseline of a model (mdaug/models/molecule_terms.py).
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mdaug.augmentation.force_matching.intermolecular import IntermolecularTerms
from mdaug.augmentation.force_matching.terms import Terms
from mdaug.augmentation.force_matching.topology import Topology
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.internal_coordinates import bends, cosines, lengths, torsion_terms
from mdaug.geometry.pairs import pair_lengths, quintic_switch
from mdaug.geometry.valence_constants import (
    BONDS_SWITCHED_FROM,
    GATE_CENTER,
    GATE_WIDTH,
    PAIRS_SWITCHED_FROM,
    REACH,
    STRETCH_SLOPE,
)

SMALLEST_SWITCH = 1e-30
"""Least value of a switch whose logarithm is taken."""

CUTOFF_A = 5.0
"""Cutoff where none is given."""

UNTABULATED_RANGE, UNTABULATED_CHANGE = (0.85, 1.2), 0.05
"""Lengths that bonds without tabulated curve may have in augmented frames; outside that range, the largest
difference from the parent's length. Both in mean lengths."""

N_BOND_PARAMETERS = 4
"""r0, δ0, δ1, δ2 of each kind of bond."""

BLOCK = 1000
"""Frames evaluated at once, at most."""

PAIRS_AT_ONCE = 500_000
"""Pairs of atoms of different molecules evaluated at once, at most."""


@dataclass(frozen=True, kw_only=True)
class ForceField:
    """A valence force field: its terms, tabulated constants and fitted parameters.

    Parameters
    ----------
    topology
        Bonds, angles, torsions and non-bonded pairs of the molecules.
    terms
        The products of internal coordinates, linear in their coefficients.
    bond_kind
        Shape (n_bonds,): equivalent bonds have equal numbers.
    pair_kind
        Shape (n_pairs,): repulsion by elements and separation.
    tabulated
        Energy of each bond kind when it is broken, eV, shape (n_kinds,).
    plateaus
        D of each bond kind, eV, shape (n_kinds,).
    shapes
        Tabulated β0, β1, β2 of each bond kind, 1/Å, shape (n_kinds, 3).
    is_tabulated
        Shape (n_kinds,): False for bonds without tabulated curve, which the frames describe near r̄ only.
    mean_lengths
        r̄ of the bonds, shape (n_bonds,), Å.
    mean_cosines
        c̄ of the angles, shape (n_angles,).
    steepness, contact
        B (1/Å) and R (Å) of each non-bonded pair, shape (n_pairs,).
    intermolecular
        Terms between molecules.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs of a molecule have no energy.
    parameters
        Shape (n_parameters,): linear coefficients (of terms, then between molecules), then r0 (Å), δ0, δ1,
        δ2 (1/Å) of each bond kind, then ln(A/eV) of each pair kind and of each kind of pair between
        molecules.
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
    intermolecular: IntermolecularTerms
    cutoff: float
    parameters: FloatArray

    def with_parameters(self, parameters: FloatArray) -> "ForceField":
        """Return the force field with other `parameters`, shape (n_parameters,)."""
        return replace(self, parameters=parameters)

    @property
    def n_linear(self) -> int:
        """Number of linear coefficients, the first of the parameters."""
        return self.terms.n_coefficients + self.intermolecular.n_coefficients

    @property
    def n_primitives(self) -> int:
        """Number of internal coordinates in products; in `terms.factors` it stands for a factor 1."""
        topology = self.topology
        n_far = int(np.sum(topology.separation >= 3))
        return len(topology.bonds) + len(topology.angles) + 3 * len(topology.torsions) + n_far

    def without_intermolecular(self) -> "ForceField":
        """Return the force field of the same molecules without any term between them."""
        none = np.zeros((0, 2), dtype=np.int64)
        return replace(self, intermolecular=replace(self.intermolecular, pairs=none, kind=none[:, 0]))

    def blocks(self, n_frames: int, at_once: int) -> list[slice]:
        """Return slices that cut frames into blocks.

        Parameters
        ----------
        n_frames
            Number of frames.
        at_once
            Frames in a block, at most; fewer are taken where frames have many pairs between molecules.
        """
        step = max(1, min(at_once, PAIRS_AT_ONCE // max(1, len(self.intermolecular.pairs))))
        return [slice(start, start + step) for start in range(0, n_frames, step)]

    def evaluate(
        self, positions: FloatArray, cells: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return energies (n_frames,) in eV and forces (n_frames, n_atoms, 3) in eV/Å.

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
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
        """Return Σ_b 4 g_b (1 − g_b), shape (n_frames,): 0 with bonds intact or gone, 1 with one half broken.

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        stretch = pair_lengths(positions, cells, *self.topology.bonds.T) / self.mean_lengths
        return np.sum(1 - np.tanh((stretch - GATE_CENTER) / GATE_WIDTH) ** 2, axis=-1)

    @property
    def untabulated_bonds(self) -> IntArray:
        """The bonds without tabulated curve, shape (n, 2)."""
        return self.topology.bonds[~self.is_tabulated[self.bond_kind]]

    def untabulated_stretch(self, positions: FloatArray, cells: FloatArray | None = None) -> FloatArray:
        """Return the lengths of the `untabulated_bonds` over their mean lengths, shape (n_frames, n).

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        means = self.mean_lengths[~self.is_tabulated[self.bond_kind]]
        return pair_lengths(positions, cells, *self.untabulated_bonds.T) / means

    def covers(
        self, before: FloatArray, after: FloatArray, cells: FloatArray | None = None
    ) -> NDArray[np.bool_]:
        """Return which frames have all untabulated bonds near r̄, or as long as before, shape (n_frames,).

        Parameters
        ----------
        before, after
            Positions of the parents and of the displaced frames, Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        old, new = self.untabulated_stretch(before, cells), self.untabulated_stretch(after, cells)
        inside = (new > UNTABULATED_RANGE[0]) & (new < UNTABULATED_RANGE[1])
        return np.all(inside | (np.abs(new - old) < UNTABULATED_CHANGE), axis=1)

    def energy(self, positions: Tensor, parameters: Tensor, cells: Tensor | None = None) -> Tensor:
        """Return the energies (n_frames,) in eV, differentiable with respect to positions and parameters.

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        parameters
            As the attribute of that name.
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        n_linear, n_bond = self.n_linear, N_BOND_PARAMETERS * len(self.plateaus)
        coefficients, nonlinear = parameters[: self.terms.n_coefficients], parameters[n_linear:]
        own_shape = nonlinear[:n_bond].reshape(-1, N_BOND_PARAMETERS)[torch.as_tensor(self.bond_kind)]
        n_walls = len(nonlinear) - n_bond - len(self.intermolecular.contact)
        strengths = torch.exp(nonlinear[n_bond : n_bond + n_walls])[torch.as_tensor(self.pair_kind)]
        bonds, pairs = self.topology.bonds, self.topology.pairs
        r = lengths(positions, bonds, cells)
        d = lengths(positions, pairs, cells)
        repelled = strengths * torch.exp(
            -torch.as_tensor(self.steepness) * (d - torch.as_tensor(self.contact))
        )
        switch = self.pair_switch(d)
        plateaus, shapes = (torch.as_tensor(a[self.bond_kind]) for a in (self.plateaus, self.shapes))
        stretched = self.bond_energies(r, plateaus, shapes, own_shape)
        products = self._products(self._primitives(positions, r, d, cells), r)
        c = coefficients[torch.as_tensor(self.terms.parameter)]
        inside = stretched.sum(-1) + (switch * repelled).sum(-1) + products @ c
        if not len(self.intermolecular.pairs):
            return inside
        distances = lengths(positions, self.intermolecular.pairs, cells)
        between = parameters[self.terms.n_coefficients : n_linear]
        return inside + self.intermolecular.energy(distances, between, nonlinear[n_bond + n_walls :])

    def _primitives(self, positions: Tensor, r: Tensor, d: Tensor, cells: Tensor | None) -> Tensor:
        x = 1 - torch.exp(-STRETCH_SLOPE * (r - torch.as_tensor(self.mean_lengths)))
        u = bends(cosines(positions, self.topology.angles, cells), self.mean_cosines)
        far = np.flatnonzero(self.topology.separation >= 3)
        soft = torch.exp(-STRETCH_SLOPE * (d[:, far] - torch.as_tensor(self.contact[far])))
        soft = soft * self.pair_switch(d[:, far])
        one = torch.ones_like(r[:, :1])
        return torch.cat([x, u, torsion_terms(positions, self.topology.torsions, cells), soft, one], dim=1)

    def _products(self, primitives: Tensor, r: Tensor) -> Tensor:
        factors = torch.as_tensor(self.terms.factors)
        products = primitives[:, factors[:, 0]] * primitives[:, factors[:, 1]] * primitives[:, factors[:, 2]]
        return products * torch.exp(self.log_gates(r) @ torch.as_tensor(self.terms.gates.T.astype(float)))

    def log_gates(self, r: Tensor) -> Tensor:
        """Return ln g of bonds, shape (n_frames, n_bonds).

        Parameters
        ----------
        r
            Their lengths, Å, shape (n_frames, n_bonds).
        """
        stretch = r / torch.as_tensor(self.mean_lengths)
        gates = -torch.nn.functional.softplus(2 * (stretch - GATE_CENTER) / GATE_WIDTH)
        return gates + torch.log(self._switch(r, BONDS_SWITCHED_FROM).clamp_min(SMALLEST_SWITCH))

    def bond_energies(self, r: Tensor, plateaus: Tensor, shapes: Tensor, own_shape: Tensor) -> Tensor:
        """Return the energies of bonds, eV, shape (n_frames, n_bonds); parameters as of `expanded_morse`.

        Parameters
        ----------
        r
            Bond lengths, Å, shape (n_frames, n_bonds).
        plateaus, shapes, own_shape
            Of each bond.
        """
        well = expanded_morse(r, plateaus, shapes, own_shape) - plateaus
        return plateaus + self._switch(r, BONDS_SWITCHED_FROM) * well

    def pair_switch(self, d: Tensor) -> Tensor:
        """Return the factor of the energies of pairs of a molecule, 1 to 0 at the cutoff.

        Parameters
        ----------
        d
            Distances, Å.
        """
        return self._switch(d, PAIRS_SWITCHED_FROM)

    def _switch(self, d: Tensor, start: float) -> Tensor:
        return quintic_switch((d / self.cutoff - start) / (1 - start))


def expanded_morse(r: Tensor, plateaus: Tensor, shapes: Tensor, own_shape: Tensor) -> Tensor:
    """Return the expanded Morse oscillator V(r) of the module docstring, eV, shape (n_frames, n_bonds).

    (R. J. Le Roy in Demaison, Boggs, Császár (eds.), Equilibrium Molecular Structures, CRC Press 2011,
    chapter 6; z is Šurkus' variable.)

    Parameters
    ----------
    r
        Bond lengths, Å, shape (n_frames, n_bonds).
    plateaus
        D of each bond, eV, shape (n_bonds,).
    shapes
        Tabulated β0, β1, β2 of each bond, 1/Å, shape (n_bonds, 3).
    own_shape
        Fitted r0 (Å), δ0, δ1, δ2 (1/Å) of each bond, shape (n_bonds, 4).
    """
    beta0, beta1, beta2 = shapes.unbind(-1)
    r0, delta0, delta1, delta2 = own_shape.unbind(-1)
    z = (r - r0) / (r + r0)
    own = (delta0 + delta1 * z + delta2 * z**2) * torch.exp(-((torch.relu(z) / REACH) ** 4))
    beta = beta0 + beta1 * z + beta2 * z**2 + own
    return plateaus * (1 - torch.exp(-beta * (r - r0))) ** 2
