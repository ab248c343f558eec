"""The rule `gfn2-xtb`: GFN2-xTB's change of energy and forces, on the parent's own slope.

A second level of theory makes these labels, not the frames: they are an alternative to the matched force
field, to be compared with it, and never part of it. Needs tblite (pip install 'mdaug[xtb]').
"""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.potential_labels import corrected_labels
from mdaug.augmentation.spring_labels import Labels
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import GFN2, charged_calculator


class SemiempiricalRule:
    """Labels by differences of a calculator's energies and forces."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator

    def __call__(self, displaced: Displacements) -> Labels:
        parents, shift = displaced.parents, displaced.displacements
        before = evaluate(self.calculator, parents, parents.positions)
        after = evaluate(self.calculator, parents, parents.positions + shift)
        return corrected_labels(parents, shift, before, after)


def semiempirical_rule(frames: FrameSet) -> SemiempiricalRule:
    """Return the rule for frames of this charge and multiplicity.

    Raises
    ------
    MissingDependencyError
        If tblite is not installed.
    """
    return SemiempiricalRule(charged_calculator(GFN2, frames.charge, frames.multiplicity))


def evaluate(
    calculator: Calculator,
    frames: FrameSet,
    positions: FloatArray,
    *,
    allow_failures: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return energies (n_frames,) in eV and forces (n_frames, n_atoms, 3) in eV/Å of `positions`.

    Raises
    ------
    DataError
        If the calculator fails on a frame, unless failures are allowed (then NaN).
    """
    energies, forces = np.full(len(positions), np.nan), np.full_like(positions, np.nan)
    for n, one in enumerate(positions):
        cell = None if frames.cells is None else frames.cells[n]
        atoms = Atoms(frames.atomic_numbers, one, cell=cell, pbc=frames.pbc)
        atoms.calc = calculator
        try:
            energies[n], forces[n] = atoms.get_potential_energy(), atoms.get_forces()
        except CalculationFailed as error:
            calculator.reset()
            if not allow_failures:
                raise DataError(
                    f"{frames.name}: {type(calculator).__name__} fails on displaced frame {n}; use smaller "
                    "displacements or another label rule"
                ) from error
        if progress:
            progress(n + 1, len(positions))
    return energies, forces
