"""Terms of a force-matched field in the distances of atoms of different molecules."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import quintic_switch
from mdaug.units import COULOMB_EV_A

SOFT_DECAY_PER_A = 2.0
"""Decay of the soft exponential between molecules."""

INTERMOLECULAR_WIDTHS = (0.1, 0.1)
"""Prior widths of a (eV) and q (e²)."""

LOG_REPULSION_WIDTH = 0.2
"""Prior width of ln A."""

SWITCHED_FROM = 0.6
"""Fraction of the reach at which pairs of a cell begin to be switched off."""


@dataclass(frozen=True, kw_only=True)
class IntermolecularTerms:
    """Terms in the distance of two atoms of different molecules.

    E = Σ_p S(d_p) [A_k exp(−B_k (d_p − R_k)) + a_k exp(−2 (d_p − R_k)) + q_k e²/(4π ε₀ d_p)], k the kind of
    the pair p (the classes of its two atoms); S is 1 without a cell, and in a cell goes smoothly to zero at
    `reach`, as no pair has more than one image there.

    Parameters
    ----------
    pairs
        Shape (n_pairs, 2).
    kind
        Shape (n_pairs,): pairs of equal classes have equal numbers, from 0.
    strength, steepness, contact
        Tabulated A (eV), B (1/Å) and R (Å) of each kind, shape (n_kinds,).
    reach
        Distance (Å) beyond which pairs of a cell have no energy; None where all pairs count.
    """

    pairs: IntArray
    kind: IntArray
    strength: FloatArray
    steepness: FloatArray
    contact: FloatArray
    reach: float | None

    @property
    def n_coefficients(self) -> int:
        """Number of linear coefficients, a and q of each kind."""
        return len(INTERMOLECULAR_WIDTHS) * len(self.contact)

    @property
    def widths(self) -> FloatArray:
        """Prior widths of the linear coefficients, shape (n_coefficients,)."""
        return np.tile(INTERMOLECULAR_WIDTHS, len(self.contact))

    def energy(self, d: Tensor, coefficients: Tensor, log_walls: Tensor) -> Tensor:
        """Return the energies (n_frames,) in eV.

        Parameters
        ----------
        d
            Distances, Å, shape (n_frames, n_pairs).
        coefficients
            a (eV) and q (e²) of each kind, those of a kind together, shape (n_coefficients,).
        log_walls
            ln(A/eV) of each kind, shape (n_kinds,).
        """
        beyond_contact = d - torch.as_tensor(self.contact[self.kind])
        c = coefficients.reshape(-1, len(INTERMOLECULAR_WIDTHS))[torch.as_tensor(self.kind)]
        walls = torch.exp(log_walls)[torch.as_tensor(self.kind)]
        wall = walls * torch.exp(-torch.as_tensor(self.steepness[self.kind]) * beyond_contact)
        soft = c[:, 0] * torch.exp(-SOFT_DECAY_PER_A * beyond_contact)
        return ((wall + soft + c[:, 1] * COULOMB_EV_A / d) * self._switch(d)).sum(-1)

    def _switch(self, d: Tensor) -> Tensor:
        if self.reach is None:
            return torch.ones_like(d)
        return quintic_switch((d / self.reach - SWITCHED_FROM) / (1 - SWITCHED_FROM))
