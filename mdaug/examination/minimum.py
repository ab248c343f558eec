"""Relaxation of the start structure, and harmonic frequencies."""

import numpy as np

from mdaug.analysis.relax import relax_summary, vibrations
from mdaug.errors import DataError
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult
from mdaug.geometry.bonds import find_bonds
from mdaug.verdicts import Verdict

IMAGINARY_CM1 = 30.0
"""Imaginary frequencies below this are those of a flat minimum and of round-off."""

HIGHEST_CM1 = 4800.0
"""Higher frequencies do not exist: that of H2, the highest, is 4401 cm⁻¹ (DOI 10.18434/T4D303)."""


def examine_minimum(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Relax the start structure and compute frequencies.

    Parameters
    ----------
    examined
        The force field.
    budget
        Not used: 6 evaluations for each atom, and those of the relaxation.
    """
    del budget
    try:
        relaxed = examined.relaxed
    except DataError as error:
        return PartResult((Verdict("relaxation", "error", None, None, f"There is no minimum: {error}."),), {})
    if not np.array_equal(find_bonds(relaxed.atoms), find_bonds(examined.start)):
        text = "Bonds break or form in the relaxation of the start structure."
        return PartResult((Verdict("relaxation", "error", None, None, text),), {})
    if not relaxed.converged:
        text = f"The start structure does not relax: a force of {relaxed.max_force_eV_A:.2g} eV/Å is left."
        return PartResult((Verdict("relaxation", "error", relaxed.max_force_eV_A, None, text),), {})
    text = f"The start structure relaxes in {relaxed.n_steps} steps to a minimum with the same bonds."
    vibration = vibrations(examined.calculator, relaxed.atoms)
    checks = (Verdict("relaxation", "ok", None, None, text), *_frequency_checks(vibration.frequencies_cm1))
    return PartResult(checks, relax_summary(relaxed, vibration))


def _frequency_checks(frequencies: np.ndarray) -> tuple[Verdict, ...]:
    if not len(frequencies):
        return ()
    lowest, highest = float(frequencies[0]), float(frequencies[-1])
    imaginary = max(0.0, -lowest)
    real = imaginary <= IMAGINARY_CM1
    text = (
        "No imaginary frequency" if imaginary == 0.0 else f"An imaginary frequency of {imaginary:.0f}i cm⁻¹"
    )
    text += "." if real else ": the forces vanish, but the structure is no minimum."
    bound = highest <= HIGHEST_CM1
    limit = f"The highest frequency is {highest:.0f} cm⁻¹; the limit, {HIGHEST_CM1:g}, is above that of H₂."
    return (
        Verdict("imaginary frequencies", "ok" if real else "error", imaginary, IMAGINARY_CM1, text),
        Verdict("highest frequency", "ok" if bound else "error", highest, HIGHEST_CM1, limit),
    )
