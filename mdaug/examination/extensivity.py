"""Extensivity: two copies far apart have twice the energy, and the same forces."""

import numpy as np
from ase import Atoms

from mdaug.examination.results import PartResult
from mdaug.examination.subject import Budget, Subject, displaced
from mdaug.verdicts import Level, Verdict

APART_A = 50.0
"""Distance of the two copies beyond their extent; dipoles of 2 D interact by 1e-3 kcal/mol there."""

LIMIT_KCAL_MOL = 0.05
"""Largest difference of the energy of two copies from twice that of one; of forces, per Å."""


def examine_extensivity(subject: Subject, budget: Budget) -> PartResult:
    """Compare two copies far apart with one.

    Parameters
    ----------
    subject
        The force field.
    budget
        Not used: two evaluations.
    """
    del budget
    if subject.start.pbc.any():
        return PartResult.not_run("Two copies far apart are possible for molecules without a cell only.")
    if subject.charge or subject.multiplicity != 1:
        return PartResult.not_run("Two copies of a charged or open-shell system have another charge or spin.")
    one = displaced(subject.minimum, np.random.default_rng(subject.seed))
    shift = np.ptp(one.positions, axis=0).max() + APART_A
    two = one + Atoms(one.numbers, one.positions + np.array([shift, 0.0, 0.0]))
    energy, forces = subject.evaluate(one)
    try:
        twice, both = subject.evaluate(two)
    except Exception as error:  # calculators for one molecule only raise errors of any kind
        return PartResult.not_run(
            f"The calculator does not evaluate two copies ({type(error).__name__}: {error})."
        )
    difference = abs(twice - 2.0 * energy)
    of_forces = float(np.abs(both - np.tile(forces, (2, 1))).max())
    worst = float(np.max([difference, of_forces]))
    text = (
        f"The energy of two copies {APART_A:g} Å apart differs by {difference:.1g} kcal/mol from twice that "
        f"of one, and their forces by up to {of_forces:.1g} kcal/mol/Å; the limit is {LIMIT_KCAL_MOL:g}."
    )
    level: Level = "ok" if worst <= LIMIT_KCAL_MOL else "error"
    figures = {"energy_difference_kcal_mol": difference, "largest_force_difference_kcal_mol_A": of_forces}
    return PartResult((Verdict("two copies", level, worst, LIMIT_KCAL_MOL, text),), figures)
