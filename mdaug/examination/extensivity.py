"""Extensivity: two equal molecules far apart have twice the energy of one, and the same forces."""

import numpy as np
from ase import Atoms

from mdaug.calculators.failures import calculator_failed
from mdaug.examination.force_field import Budget, ExaminedForceField, displaced
from mdaug.examination.results import PartResult
from mdaug.verdicts import Level, Verdict

APART_A = 50.0
"""Distance of the two molecules beyond their extent; dipoles of 2 D interact by 1e-3 kcal/mol there."""

LIMIT_KCAL_MOL = 0.05
"""Largest difference of the energy of two molecules from twice that of one; of forces, per Å."""


def examine_extensivity(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Compare two equal molecules far apart with one.

    Parameters
    ----------
    examined
        The force field.
    budget
        Not used: two evaluations.
    """
    del budget
    if examined.start.pbc.any():
        return PartResult.not_run("Two molecules far apart are possible without a cell only.")
    if examined.charge or examined.multiplicity != 1:
        return PartResult.not_run(
            "Two molecules of a charged or open-shell system have another charge or spin."
        )
    one = displaced(examined.minimum, np.random.default_rng(examined.seed))
    shift = np.ptp(one.positions, axis=0).max() + APART_A
    two = one + Atoms(one.numbers, one.positions + np.array([shift, 0.0, 0.0]))
    energy, forces = examined.evaluate(one)
    try:
        twice, both = examined.evaluate(two)
    except Exception as error:  # some calculators are for one molecule only
        if not calculator_failed(error, examined.calculator):
            raise
        return PartResult.not_run(
            f"The calculator does not evaluate two molecules ({type(error).__name__}: {error})."
        )
    difference = abs(twice - 2.0 * energy)
    of_forces = float(np.abs(both - np.tile(forces, (2, 1))).max())
    worst = float(np.max([difference, of_forces]))
    text = (
        f"The energy of two molecules {APART_A:g} Å apart differs by {difference:.2g} kcal/mol from twice "
        f"that of one, their forces by up to {of_forces:.2g} kcal/mol/Å; the limit is {LIMIT_KCAL_MOL:g}."
    )
    level: Level = "ok" if worst <= LIMIT_KCAL_MOL else "error"
    figures = {"energy_difference_kcal_mol": difference, "largest_force_difference_kcal_mol_A": of_forces}
    return PartResult((Verdict("two molecules", level, worst, LIMIT_KCAL_MOL, text),), figures)
