"""Forces and stress against the slope of the energy."""

from collections.abc import Callable, Iterator

import numpy as np
from ase import Atoms
from ase.calculators.calculator import PropertyNotImplementedError

from mdaug.examination.force_field import Budget, ExaminedForceField, displaced
from mdaug.examination.results import PartResult, limited
from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import rigid_basis
from mdaug.units import KCAL_MOL_PER_EV

FORCE_LIMIT_KCAL_MOL_A = 0.2
"""Largest difference between the force and the slope of the energy along one direction, in which the
displacements of all atoms have unit norm; self-consistent methods reach 0.05."""

STRESS_LIMIT_EV_A3 = 1e-3
"""Largest difference between the stress and the slope of the energy: 0.16 GPa."""

N_STRUCTURES, N_DIRECTIONS = 3, 4
"""Displaced structures, and random directions in each."""

STEP_A, STRAIN = 0.005, 1e-3
"""Steps of central differences; the slope is extrapolated from these and half of them."""


def examine_gradient(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Compare forces, and for a cell the stress, with central differences of the energy.

    Parameters
    ----------
    examined
        The force field.
    budget
        Not used: about 125 evaluations, with a cell 105.
    """
    del budget
    rng = np.random.default_rng(examined.seed + 1)
    structures = [displaced(examined.minimum, rng) for _ in range(N_STRUCTURES)]
    errors = [error for atoms in structures for error in _force_errors(examined, atoms, rng)]
    text = (
        "Force and slope of the energy differ by up to {value:.2g} kcal/mol/Å along translations, rotations "
        "and random directions; the limit is {limit:g}."
    )
    checks = [limited("force = −gradient", _largest(errors), FORCE_LIMIT_KCAL_MOL_A, text)]
    figures: dict[str, object] = {"force_minus_gradient_kcal_mol_A": errors}
    stresses = list(_stress_errors(examined, structures[0], rng))
    if stresses:
        text = "Stress and slope of the energy differ by up to {value:.2g} eV/Å³; the limit is {limit:g}."
        checks.append(limited("stress by strain", _largest(stresses), STRESS_LIMIT_EV_A3, text))
        figures["stress_minus_slope_eV_A3"] = stresses
    return PartResult(tuple(checks), figures)


def _largest(errors: list[float]) -> float:
    return float(np.max(errors))


def _slope(energy: Callable[[float], float], step: float) -> float:
    """Return the derivative at zero from four energies, without the error of third order in the step."""
    coarse = (energy(step) - energy(-step)) / (2 * step)
    fine = (energy(step / 2) - energy(-step / 2)) / step
    return (4.0 * fine - coarse) / 3.0


def _force_errors(examined: ExaminedForceField, atoms: Atoms, rng: np.random.Generator) -> Iterator[float]:
    """Yield |F·u + dE/ds| for unit vectors u of all coordinates: the largest of any translation, of any
    rotation, and those along random directions."""
    _, forces = examined.evaluate(atoms)

    def error(direction: FloatArray) -> float:
        unit = direction / np.linalg.norm(direction)

        def energy(length: float) -> float:
            moved = atoms.copy()
            moved.positions += length * unit
            return examined.evaluate(moved)[0]

        return float((forces * unit).sum()) + _slope(energy, STEP_A)

    for motions in _rigid_motions(atoms):
        yield float(np.linalg.norm([error(motion) for motion in motions]))
    for direction in rng.normal(size=(N_DIRECTIONS, *atoms.positions.shape)):
        yield abs(error(direction))


def _rigid_motions(atoms: Atoms) -> list[list[FloatArray]]:
    """Return orthogonal translations of all atoms, and without a cell their rotations.

    Random directions of many atoms hardly contain them, so a net force or torque is not seen along those.
    """
    basis = rigid_basis(atoms.positions, np.ones(len(atoms)), 3 if atoms.pbc.any() else None)
    rotations = [motion for motion in basis[3:] if motion.any()]
    return [list(basis[:3]), rotations] if rotations else [list(basis[:3])]


def _stress_errors(examined: ExaminedForceField, atoms: Atoms, rng: np.random.Generator) -> Iterator[float]:
    """Yield |σ:ε − dE/ds / V| for random symmetric strains ε of unit norm; nothing without cell or stress."""
    if not atoms.pbc.all():
        return
    asked = atoms.copy()
    asked.calc = examined.calculator
    try:
        stress = asked.get_stress(voigt=False)
    except (PropertyNotImplementedError, NotImplementedError):
        return
    for _ in range(N_DIRECTIONS):
        strain = rng.normal(size=(3, 3))
        strain = (strain + strain.T) / np.linalg.norm(strain + strain.T)

        def energy(length: float, strain: np.ndarray = strain) -> float:
            moved = atoms.copy()
            moved.set_cell(atoms.cell.array @ (np.eye(3) + length * strain), scale_atoms=True)
            return examined.evaluate(moved)[0] / KCAL_MOL_PER_EV

        yield abs(float((stress * strain).sum()) - _slope(energy, STRAIN) / atoms.get_volume())
