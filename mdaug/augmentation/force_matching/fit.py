"""Force matching: a force field is fitted to the forces of frames by regularized Gauss-Newton steps.

Minimized is Σ (F − F_M)²/w_F² + Σ ((θ − θ_table)/w)², over forces and parameters. Products are linear in
their coefficients, so their part of the Jacobian is computed once, that of bonds and repulsion at each
step. Then the plateaus D are set so that M, with a bond stretched to 2.5 times its length from M's own
minimum, has the tabulated energy, and the other parameters are fitted again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import minimize

from mdaug.augmentation.force_matching.derivatives import linear_jacobian, nonlinear_jacobian
from mdaug.augmentation.force_matching.force_field import CUTOFF_A, N_BOND_PARAMETERS, ForceField
from mdaug.augmentation.force_matching.initial_field import initial_force_field
from mdaug.augmentation.force_matching.intermolecular import LOG_REPULSION_WIDTH
from mdaug.augmentation.force_matching.redundant_angles import redundant_products
from mdaug.augmentation.force_matching.shared_parameters import Donor, shared_priors
from mdaug.augmentation.stretches import stretched
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import moving_side
from mdaug.geometry.molecules import count_molecules
from mdaug.units import EV_PER_KCAL_MOL

FORCE_WIDTH = 1.0 * EV_PER_KCAL_MOL
"""w_F, expected error of a force component, eV/Å."""

BOND_WIDTHS = (0.05, 0.5, 1.0, 2.0)
"""Prior widths of r0 (Å), δ0, δ1, δ2 (1/Å) about the mean length and 0."""

REPULSION_WIDTH = 0.2
"""Prior width of ln A; frames hardly determine A, as angle terms have the same effect near equilibrium."""

MAX_FRAMES = 300
"""Frames used in a fit, evenly spaced; more would not change the parameters."""

LEAST_FRAMES = 100
"""Frames of several molecules or of large ones used in a fit, at least, if there are as many."""

MOST_NUMBERS = 30_000_000
"""Numbers in the Jacobian of a fit, at most, unless it has `LEAST_FRAMES` only."""

MAX_STEPS, HALVINGS, LEAST_GAIN = 12, 8, 1e-3
PLATEAU_ROUNDS = 2

PLATEAU_LENGTHS = 2.5
"""Multiple of a bond's length at which the tabulated plateau is reached."""


def match_forces(
    frames: FrameSet,
    width_factors: FloatArray | None = None,
    cutoff: float = CUTOFF_A,
    donors: Sequence[Donor] = (),
) -> ForceField:
    """Return a force field fitted to the forces of `frames`.

    Parameters
    ----------
    frames
        Frames of molecules near equilibrium, with all bonds intact.
    width_factors
        Factors on the prior widths of the terms' coefficients, shape (n_coefficients,), below 1 where a term
        is to be fitted with a tighter prior; None for 1. Those of other frames are refused where the bonds
        differ.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs of a molecule have no energy.
    donors
        Fields of other systems, whose parameters of equal chemical environments are the prior.

    Raises
    ------
    DataError
        If the frames are of a crystal, of a cell too narrow, or without bonds, or if `width_factors` are of
        other terms.
    """
    few = _frames_for_fit(frames)
    field = initial_force_field(few, cutoff)
    if width_factors is not None and len(width_factors) != field.terms.n_coefficients:
        raise DataError(
            f"{frames.name}: a force field is fitted to molecules whose bonds last, and here some bonds are "
            "there in about half of the frames: leave out frames of broken molecules"
        )
    few = few.evenly_spaced(max(LEAST_FRAMES, MOST_NUMBERS // (3 * few.n_atoms * len(field.parameters))))
    linear = linear_jacobian(field, few)
    prior, widths = field.parameters, _widths(field, width_factors)
    if donors:
        free = np.ones(field.terms.n_coefficients) if width_factors is None else width_factors
        prior, widths = shared_priors(field, donors, widths, free == 1.0)
    sums = redundant_products(field, *_lowest(few))
    fit = _Fit(few, prior, widths, linear, linear.T @ linear, sums.T @ sums)
    field = fit.run(field.with_parameters(prior))
    for _ in range(PLATEAU_ROUNDS):
        field = fit.run(set_plateaus(field, *_lowest(few)))
    return field


@dataclass(frozen=True)
class _Fit:
    """A least-squares problem: frames, priors and their widths, the constant part J of the Jacobian, JᵀJ, and
    a quadratic form of the parameters that is to be small."""

    frames: FrameSet
    prior: FloatArray
    widths: FloatArray
    linear: FloatArray
    squared: FloatArray
    penalty: FloatArray

    def run(self, field: ForceField) -> ForceField:
        """Return `field` with the parameters that fit best at fixed plateaus."""
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
        """Return the function that is minimized, and the residual forces, flat."""
        residual = (
            self.frames.forces - field.evaluate(self.frames.positions, self.frames.periodic_cells)[1]
        ).ravel()
        away = (field.parameters - self.prior) / self.widths
        penalty = float(field.parameters @ self.penalty @ field.parameters)
        return float(residual @ residual) / FORCE_WIDTH**2 + float(away @ away) + penalty, residual

    def step(self, field: ForceField, residual: FloatArray) -> FloatArray:
        """Return the Gauss-Newton step."""
        nonlinear = nonlinear_jacobian(field, self.frames)
        mixed = self.linear.T @ nonlinear
        normal = np.block([[self.squared, mixed], [mixed.T, nonlinear.T @ nonlinear]]) / FORCE_WIDTH**2
        normal += np.diag(self.widths**-2.0) + self.penalty
        pull = np.concatenate([self.linear.T @ residual, nonlinear.T @ residual]) / FORCE_WIDTH**2
        pull -= (field.parameters - self.prior) / self.widths**2 + self.penalty @ field.parameters
        return np.linalg.solve(normal, pull).astype(np.float64)


def set_plateaus(field: ForceField, start: FloatArray, cell: FloatArray | None = None) -> ForceField:
    """Return `field` with D such that each kind of bond reaches its tabulated energy; rings keep theirs.

    Parameters
    ----------
    field
        The force field; its terms between molecules are left out here.
    start
        Positions from which the minimum is searched, Å, shape (n_atoms, 3).
    cell
        Cell vectors in rows, Å, shape (3, 3); None for no cell.
    """
    topology = field.topology
    all_bonds = np.concatenate([topology.bonds, topology.changing])
    isolated = field.without_intermolecular()
    minimum = minimized(isolated, start, cell)
    cells = None if cell is None else np.stack([cell, cell])
    plateaus = field.plateaus.copy()
    for kind in range(len(plateaus)):
        bond = tuple(field.topology.bonds[np.flatnonzero(field.bond_kind == kind)[0]].tolist())
        moving = moving_side(topology.atomic_numbers, all_bonds, bond)
        if moving is None:
            continue
        far = stretched(minimum, bond, moving, PLATEAU_LENGTHS, cell)
        low, high = isolated.evaluate(np.stack([minimum, far]), cells)[0]
        plateaus[kind] += field.tabulated[kind] - (high - low)
    return replace(field, plateaus=plateaus)


def minimized(field: ForceField, start: FloatArray, cell: FloatArray | None = None) -> FloatArray:
    """Return the positions of the nearest minimum, Å, shape (n_atoms, 3).

    Parameters
    ----------
    field
        The force field.
    start
        Positions, Å, shape (n_atoms, 3).
    cell
        Cell vectors in rows, Å, shape (3, 3); None for no cell.
    """

    def energy_and_slope(flat: FloatArray) -> tuple[float, FloatArray]:
        energies, forces = field.evaluate(flat.reshape(1, -1, 3), None if cell is None else cell[None])
        return float(energies[0]), -forces[0].ravel()

    optimum = minimize(
        energy_and_slope, start.ravel(), jac=True, method="L-BFGS-B", options={"gtol": 1e-4, "maxiter": 2000}
    )
    return optimum.x.reshape(-1, 3)


def _widths(field: ForceField, factors: FloatArray | None = None) -> FloatArray:
    """Return the prior widths of all parameters."""
    n_repulsions = (
        len(field.parameters)
        - field.n_linear
        - N_BOND_PARAMETERS * len(field.plateaus)
        - len(field.intermolecular.contact)
    )
    bonds = np.tile(BOND_WIDTHS, len(field.plateaus))
    walls = np.full(n_repulsions, REPULSION_WIDTH)
    intermolecular = np.full(len(field.intermolecular.contact), LOG_REPULSION_WIDTH)
    terms = field.terms.widths if factors is None else factors * field.terms.widths
    return np.concatenate([terms, field.intermolecular.widths, bonds, walls, intermolecular])


def _frames_for_fit(frames: FrameSet) -> FrameSet:
    """Return the frames used in a fit: fewer if each holds many molecules."""
    n_molecules = count_molecules(frames)
    return frames.evenly_spaced(max(MAX_FRAMES // n_molecules, min(MAX_FRAMES, LEAST_FRAMES)))


def _lowest(frames: FrameSet) -> tuple[FloatArray, FloatArray | None]:
    """Return positions and cell of the frame of the lowest energy."""
    lowest, cells = frames.energies.argmin(), frames.periodic_cells
    return frames.positions[lowest], None if cells is None else cells[lowest]
