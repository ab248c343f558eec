"""What molecules do to each other: terms in the distance alone of atoms of different molecules.

E = Σ_p S(d_p) (A_k exp(−B_k (d_p − R_k)) + a_k exp(−2 (d_p − R_k)) + q_k e²/(4π ε₀ d_p)),

k the kind of the pair p (the classes of its two atoms), S one in a cluster; in a cell S goes smoothly to zero
at `reach`, as no pair has more than one image there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import quintic_switch
from mdaug.units import COULOMB_EV_A

SOFT_DECAY_PER_A = 2.0

WIDTHS = (0.1, 0.1)
"""Prior widths of a (eV) and q (e²)."""

LOG_WALL_WIDTH = 0.2
"""Prior width of ln A."""

SWITCHED_FROM = 0.6
"""Of the reach: where pairs of a cell begin to be switched off."""


@dataclass(frozen=True)
class Between:
    """Pairs of atoms of different molecules.

    Parameters
    ----------
    pairs
        Shape (n_pairs, 2).
    kind
        Shape (n_pairs,).
    strength, steepness, contact
        Tabulated A (eV), B (1/Å) and R (Å) of each kind.
    reach
        Å; None where all pairs count.
    """

    pairs: IntArray
    kind: IntArray
    strength: FloatArray
    steepness: FloatArray
    contact: FloatArray
    reach: float | None

    @property
    def n_coefficients(self) -> int:
        """Of the linear terms."""
        return len(WIDTHS) * len(self.contact)

    @property
    def widths(self) -> FloatArray:
        """Prior widths of the linear coefficients."""
        return np.tile(WIDTHS, len(self.contact))

    def energy(self, d: Tensor, coefficients: Tensor, log_walls: Tensor) -> Tensor:
        """Return the energies (n_frames,), eV, at the distances `d` (n_frames, n_pairs), Å.

        Coefficients in order of kinds, those of a kind together; `log_walls` are ln A of the kinds.
        """
        near = d - torch.as_tensor(self.contact[self.kind])
        c = coefficients.reshape(-1, len(WIDTHS))[torch.as_tensor(self.kind)]
        walls = torch.exp(log_walls)[torch.as_tensor(self.kind)]
        wall = walls * torch.exp(-torch.as_tensor(self.steepness[self.kind]) * near)
        soft = c[:, 0] * torch.exp(-SOFT_DECAY_PER_A * near)
        return ((wall + soft + c[:, 1] * COULOMB_EV_A / d) * self._switch(d)).sum(-1)

    def _switch(self, d: Tensor) -> Tensor:
        if self.reach is None:
            return torch.ones_like(d)
        return quintic_switch((d / self.reach - SWITCHED_FROM) / (1 - SWITCHED_FROM))
