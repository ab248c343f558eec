"""Matching a force field to the forces of frames: regularised Gauss-Newton.

Minimised is Σ (F − F_M)²/w_F² + Σ ((θ − θ_table)/w)², over forces and parameters. Products are linear in
their coefficients, so that their part of the Jacobian is made once; that of bonds and repulsion at each
step. Then the plateaus D are set so that the molecule at M's own minimum, a bond stretched to 2.5 times
its length, has the tabulated energy, and the rest is fitted again.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.optimize import minimize

from mdaug.augmentation.force_matching.assemble import initial_force_field
from mdaug.augmentation.force_matching.force_field import N_BOND_PARAMETERS, ForceField
from mdaug.augmentation.force_matching.intermolecular import LOG_WALL_WIDTH
from mdaug.augmentation.stretches import stretched
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import moving_side
from mdaug.geometry.molecules import count_molecules
from mdaug.units import EV_PER_KCAL_MOL

FORCE_WIDTH = 1.0 * EV_PER_KCAL_MOL
"""w_F, eV/Å: what a force component may be off."""

BOND_WIDTHS = (0.05, 0.5, 1.0, 2.0)
"""Of r0 (Å), δ0, δ1, δ2 (1/Å): what frames know of length, stiffness and anharmonicity."""

REPULSION_WIDTH = 0.2
"""Of ln A: frames hardly know it, as angles do the same near equilibrium."""

MAX_FRAMES = 300
"""More frames than this, evenly chosen, would not change the parameters."""

LEAST_FRAMES = 100
"""Of several molecules at least so many are taken, if there are."""

MAX_STEPS, HALVINGS, LEAST_GAIN = 12, 8, 1e-3
PLATEAU_ROUNDS = 2
FRAMES_AT_ONCE = 250

PLATEAU_LENGTHS = 2.5
"""Multiple of a bond's length at which the tabulated plateau is reached."""


def match(frames: FrameSet) -> ForceField:
    """Match a force field to the forces of `frames`.

    Parameters
    ----------
    frames
        Of molecules, near equilibrium, all bonds intact.

    Raises
    ------
    DataError
        If the frames are not of molecules, or a bond is not tabulated.
    """
    few = _enough(frames)
    field = initial_force_field(few)
    fit = _Fit(few, field.parameters, _widths(field), linear_jacobian(field, few))
    field = fit.run(field)
    for _ in range(PLATEAU_ROUNDS):
        field = fit.run(level_plateaus(field, *_lowest(few)))
    return field


@dataclass(frozen=True)
class _Fit:
    """The problem: frames, priors and their widths, and the constant part of the Jacobian."""

    frames: FrameSet
    prior: FloatArray
    widths: FloatArray
    linear: FloatArray

    def run(self, field: ForceField) -> ForceField:
        """Return `field` with the parameters that fit best, its plateaus held."""
        cost, residual = self.cost(field)
        for _ in range(MAX_STEPS):
            step = self.step(field, residual)
            for _ in range(HALVINGS):
                tried = field.with_parameters(field.parameters + step)
                new_cost, new_residual = self.cost(tried)
                if new_cost < cost:
                    break
                step = step / 2
            else:
                return field
            gain, field, cost, residual = 1 - new_cost / cost, tried, new_cost, new_residual
            if gain < LEAST_GAIN:
                break
        return field

    def cost(self, field: ForceField) -> tuple[float, FloatArray]:
        """Return what is minimised, and the residual forces, flat."""
        residual = (
            self.frames.forces - field.evaluate(self.frames.positions, self.frames.periodic_cells)[1]
        ).ravel()
        away = (field.parameters - self.prior) / self.widths
        return float(residual @ residual) / FORCE_WIDTH**2 + float(away @ away), residual

    def step(self, field: ForceField, residual: FloatArray) -> FloatArray:
        """Return the Gauss-Newton step."""
        bent = jacobian(field, self.frames, slice(field.n_linear, None))
        design = np.concatenate([self.linear, bent], axis=1)
        normal = design.T @ design / FORCE_WIDTH**2 + np.diag(self.widths**-2.0)
        pull = design.T @ residual / FORCE_WIDTH**2 - (field.parameters - self.prior) / self.widths**2
        return np.linalg.solve(normal, pull)


def linear_jacobian(field: ForceField, frames: FrameSet) -> FloatArray:
    """Return the part of the Jacobian that no parameter changes."""
    return jacobian(field, frames, slice(0, field.n_linear))


def jacobian(field: ForceField, frames: FrameSet, chosen: slice) -> FloatArray:
    """Return ∂F/∂θ of the chosen parameters, shape (n_frames · n_atoms · 3, n_chosen).

    u·∂F/∂θ is linear in u, so its derivative with respect to u is a column: two backward passes.
    """
    theta = torch.as_tensor(field.parameters).clone().requires_grad_()
    blocks, cells = [], frames.periodic_cells
    for part in field.blocks(len(frames), FRAMES_AT_ONCE):
        positions = torch.as_tensor(frames.positions[part]).clone().requires_grad_()
        energy = field.energy(positions, theta, None if cells is None else torch.as_tensor(cells[part])).sum()
        (slope,) = torch.autograd.grad(energy, positions, create_graph=True)
        u = torch.zeros_like(slope, requires_grad=True)
        (pulled,) = torch.autograd.grad(-slope, theta, grad_outputs=u, create_graph=True)
        columns = [torch.autograd.grad(one, u, retain_graph=True)[0].flatten() for one in pulled[chosen]]
        blocks.append(
            np.stack([c.numpy() for c in columns], axis=1) if columns else np.zeros((slope.numel(), 0))
        )
    return np.concatenate(blocks)


def level_plateaus(field: ForceField, start: FloatArray, cell: FloatArray | None = None) -> ForceField:
    """Return `field` with D such that each kind of bond reaches its tabulated energy; rings keep theirs.

    `start` (n_atoms, 3) is where the minimum is searched from; molecules do not feel each other there.
    """
    alone = field.apart()
    minimum = relaxed(alone, start, cell)
    cells = None if cell is None else np.stack([cell, cell])
    plateaus = field.plateaus.copy()
    for kind in range(len(plateaus)):
        bond = tuple(field.topology.bonds[np.flatnonzero(field.bond_kind == kind)[0]].tolist())
        moving = moving_side(field.topology.atomic_numbers, field.topology.bonds, bond)
        if moving is None:
            continue
        far = stretched(minimum, bond, moving, PLATEAU_LENGTHS, cell)
        low, high = alone.evaluate(np.stack([minimum, far]), cells)[0]
        plateaus[kind] += field.tabulated[kind] - (high - low)
    return replace(field, plateaus=plateaus)


def relaxed(field: ForceField, start: FloatArray, cell: FloatArray | None = None) -> FloatArray:
    """Return the positions (n_atoms, 3) of the minimum next to `start`."""

    def energy_and_slope(flat: FloatArray) -> tuple[float, FloatArray]:
        energies, forces = field.evaluate(flat.reshape(1, -1, 3), None if cell is None else cell[None])
        return float(energies[0]), -forces[0].ravel()

    found = minimize(energy_and_slope, start.ravel(), jac=True, method="L-BFGS-B", options={"gtol": 1e-4})
    return found.x.reshape(-1, 3)


def _widths(field: ForceField) -> FloatArray:
    n_repulsions = (
        len(field.parameters)
        - field.n_linear
        - N_BOND_PARAMETERS * len(field.plateaus)
        - len(field.between.contact)
    )
    bonds = np.tile(BOND_WIDTHS, len(field.plateaus))
    walls = np.full(n_repulsions, REPULSION_WIDTH)
    between = np.full(len(field.between.contact), LOG_WALL_WIDTH)
    return np.concatenate([field.terms.widths, field.between.widths, bonds, walls, between])


def _enough(frames: FrameSet) -> FrameSet:
    """Return as many frames as it takes: fewer of many molecules, as each has them all."""
    n_molecules = count_molecules(frames)
    return frames.evenly_spaced(max(MAX_FRAMES // n_molecules, min(MAX_FRAMES, LEAST_FRAMES)))


def _lowest(frames: FrameSet) -> tuple[FloatArray, FloatArray | None]:
    """Return positions and cell of the frame of the lowest energy."""
    lowest, cells = frames.energies.argmin(), frames.periodic_cells
    return frames.positions[lowest], None if cells is None else cells[lowest]
