"""The moves of a step of replicas as operations on tensors, the same as in the C++ core."""

from collections.abc import Callable

import torch
from torch import Tensor

Move = Callable[[Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""From positions, momenta and noise, each (n, n_atoms, 3), to the positions and momenta of a step before its
new forces change the momenta."""


def free_step(
    masses: Tensor, timestep: float, positions: Tensor, momenta: Tensor, _: Tensor
) -> tuple[Tensor, Tensor]:
    """Move positions by a step without forces; a `Move`, once masses and time step are given.

    Parameters
    ----------
    masses
        Shape (n_atoms, 1), amu.
    timestep
        ASE units.
    positions, momenta
        State of n replicas, (n, n_atoms, 3); ASE units.
    """
    return positions + timestep * momenta / masses, momenta


def thermostatted_step(  # noqa: PLR0917
    masses: Tensor,
    timestep: float,
    kept: float,
    kT: float,
    positions: Tensor,
    momenta: Tensor,
    noise: Tensor,
) -> tuple[Tensor, Tensor]:
    """Move positions by half a step, change momenta by friction and noise, move positions by half a step.

    Parameters
    ----------
    masses, timestep, positions, momenta
        As for `free_step`.
    kept
        Share of the momenta that friction leaves.
    kT
        Thermal energy, eV.
    noise
        Standard normal numbers, (n, n_atoms, 3).
    """
    positions = positions + 0.5 * timestep * momenta / masses
    thermal = _without_rigid_motion(positions, masses, (masses * kT).sqrt() * noise)
    momenta = kept * momenta + (1.0 - kept**2) ** 0.5 * thermal
    return positions + 0.5 * timestep * momenta / masses, momenta


def _without_rigid_motion(positions: Tensor, masses: Tensor, momenta: Tensor) -> Tensor:
    """Return momenta (n, n_atoms, 3) without net momentum and angular momentum, as the core does."""
    mass = masses.sum()
    arms = positions - (masses * positions).sum(1, keepdim=True) / mass
    angular = torch.linalg.cross(arms, momenta).sum(1)
    squares = (masses * arms.square()).sum((1, 2))
    unit = torch.eye(3, dtype=arms.dtype, device=arms.device)
    inertia = squares[:, None, None] * unit - (masses * arms).transpose(1, 2) @ arms
    # Cramer's rule: a solver of torch would wait for the device to report singular matrices
    x, y, z = inertia.unbind(1)
    columns = torch.stack([torch.linalg.cross(y, z), torch.linalg.cross(z, x), torch.linalg.cross(x, y)], 2)
    omega = (columns @ angular.unsqueeze(-1)).squeeze(-1) / (x * columns[:, :, 0]).sum(-1, keepdim=True)
    drift = momenta.sum(1, keepdim=True) / mass
    return momenta - masses * (drift + torch.linalg.cross(omega.unsqueeze(1).expand_as(arms), arms))
