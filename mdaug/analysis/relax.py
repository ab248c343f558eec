"""Minimum of a structure and its harmonic frequencies."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ase.units
import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.optimize import BFGS, FIRE

from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.geometry.bonds import bond_name, find_bonds
from mdaug.geometry.rigid_motion import internal_basis
from mdaug.units import KCAL_MOL_PER_EV

_EV_PER_FREQUENCY = ase.units._hbar * 1e10 / np.sqrt(ase.units._e * ase.units._amu)
"""ħω in eV for ω² = 1 eV/Å²/amu."""


@dataclass(frozen=True)
class RelaxResult:
    """A relaxed structure.

    Parameters
    ----------
    atoms
        The structure, without calculator.
    energy_eV
        Its energy.
    max_force_eV_A
        Largest norm of the force on an atom.
    converged
        Whether `max_force_eV_A` is below the limit.
    n_steps
        Optimizer steps taken.
    """

    atoms: Atoms
    energy_eV: float
    max_force_eV_A: float
    converged: bool
    n_steps: int


@dataclass(frozen=True)
class Vibrations:
    """Harmonic vibrations about a structure.

    Parameters
    ----------
    frequencies_cm1
        Ascending, one for each degree of freedom except translations (and, for a molecule, rotations), which
        are projected out. Imaginary frequencies are negative numbers.
    modes
        Shape (n_modes, n_atoms, 3): Cartesian displacements of unit norm.
    """

    frequencies_cm1: FloatArray
    modes: FloatArray

    @property
    def n_imaginary(self) -> int:
        """Number of imaginary frequencies."""
        return int((self.frequencies_cm1 < 0).sum())

    @property
    def zero_point_energy_eV(self) -> float:
        """½ Σ ħω over the real frequencies."""
        real = self.frequencies_cm1[self.frequencies_cm1 > 0]
        return float(0.5 * real.sum() * ase.units.invcm)


def relax(
    calculator: Calculator,
    atoms: Atoms,
    *,
    fmax_eV_A: float = 1e-4,
    max_steps: int = 1000,
) -> RelaxResult:
    """Return the minimum nearest to a structure, with the cell fixed.

    BFGS needs tens of steps; FIRE follows if BFGS has not converged after half of `max_steps`.

    Parameters
    ----------
    calculator
        Any ASE calculator with energy and forces.
    atoms
        Start structure; not changed.
    fmax_eV_A
        Converged when the force on every atom is below this.
    max_steps
        Largest number of steps.

    Raises
    ------
    DataError
        If energies or forces stop being finite.
    """
    moving = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
    n_steps = 0

    def refuse_nonfinite() -> None:
        if not np.isfinite(_largest_force(moving) + moving.get_potential_energy()):
            raise DataError(
                "energy or forces became nonfinite during the relaxation; start from another structure"
            )

    for optimize in (BFGS, FIRE):
        optimizer = optimize(moving, logfile=None)
        optimizer.attach(refuse_nonfinite)
        converged = bool(optimizer.run(fmax=fmax_eV_A, steps=max_steps // 2))
        n_steps += optimizer.nsteps
        if converged:
            break
    energy, largest = float(moving.get_potential_energy()), _largest_force(moving)
    moving.calc = None
    return RelaxResult(moving, energy, largest, converged, n_steps)


def vibrations(
    calculator: Calculator,
    atoms: Atoms,
    *,
    step_A: float = 0.005,
    progress: Callable[[int, int], None] | None = None,
) -> Vibrations:
    """Return the harmonic frequencies of a structure (Γ point for a cell).

    The Hessian is computed by central differences of the forces. The mass-weighted Hessian is diagonalized in
    the space orthogonal to translations and, for a molecule, infinitesimal rotations, so a molecule has 3N −
    6
    frequencies (3N − 5 if linear), a cell 3N − 3.

    Parameters
    ----------
    calculator
        Any ASE calculator with forces.
    atoms
        Structure, as a rule a minimum; not changed.
    step_A
        Displacement of the central differences, Å.
    progress
        Called with (displaced coordinates done, coordinates in all).

    Raises
    ------
    DataError
        If forces are not finite.
    """
    hessian = numerical_hessian(calculator, atoms, step_A=step_A, progress=progress)
    inverse_root_mass = np.repeat(atoms.get_masses(), 3) ** -0.5
    weighted = hessian * np.outer(inverse_root_mass, inverse_root_mass)
    basis = internal_basis(atoms.positions, atoms.get_masses(), 3 if atoms.pbc.any() else None)
    basis = basis.reshape(len(basis), -1).T
    eigenvalues, vectors = np.linalg.eigh(basis.T @ weighted @ basis)
    energies = _EV_PER_FREQUENCY * np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues))
    modes = (basis @ vectors).T * inverse_root_mass
    modes /= np.linalg.norm(modes, axis=1, keepdims=True)
    return Vibrations(energies / ase.units.invcm, modes.reshape(-1, len(atoms), 3))


def numerical_hessian(
    calculator: Calculator,
    atoms: Atoms,
    *,
    step_A: float = 0.005,
    progress: Callable[[int, int], None] | None = None,
) -> FloatArray:
    """Return the Hessian ∂²E/∂r∂r from central differences of forces.

    Parameters
    ----------
    calculator
        Any ASE calculator with forces.
    atoms
        Structure; not changed.
    step_A
        Displacement, Å.
    progress
        Called with (displaced coordinates done, coordinates in all).

    Returns
    -------
    FloatArray
        Shape (3 n_atoms, 3 n_atoms), eV/Å², symmetric.

    Raises
    ------
    DataError
        If forces are not finite.
    """
    moved = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc, calculator=calculator)
    n = 3 * len(atoms)
    hessian = np.empty((n, n))
    for k in range(n):
        forces = []
        for sign in (1.0, -1.0):
            moved.positions = atoms.positions
            moved.positions[k // 3, k % 3] += sign * step_A
            forces.append(moved.get_forces().ravel())
        hessian[k] = -(forces[0] - forces[1]) / (2 * step_A)
        if not np.isfinite(hessian[k]).all():
            raise DataError(f"the forces are not finite where atom {k // 3} is displaced by {step_A:g} Å")
        if progress is not None:
            progress(k + 1, n)
    return 0.5 * (hessian + hessian.T)


def relax_summary(relaxed: RelaxResult, vibration: Vibrations) -> dict[str, Any]:
    """Return the content of ``relax.json``.

    Parameters
    ----------
    relaxed
        The minimum.
    vibration
        Its vibrations.
    """
    atoms = relaxed.atoms
    return {
        "energy_eV": relaxed.energy_eV,
        "max_force_eV_A": relaxed.max_force_eV_A,
        "converged": relaxed.converged,
        "n_steps": relaxed.n_steps,
        "frequencies_cm1": [float(f) for f in vibration.frequencies_cm1],
        "n_imaginary": vibration.n_imaginary,
        "zero_point_energy_kcal_mol": vibration.zero_point_energy_eV * KCAL_MOL_PER_EV,
        "bond_lengths_A": {
            bond_name(atoms.numbers, bond): float(
                atoms.get_distance(bond[0], bond[1], mic=bool(atoms.pbc.any()))
            )
            for bond in find_bonds(atoms)
        },
    }


def _largest_force(atoms: Atoms) -> float:
    return float(np.linalg.norm(atoms.get_forces(), axis=1).max())
