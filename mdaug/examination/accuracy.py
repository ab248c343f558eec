"""Accuracy on held-out frames."""

from dataclasses import replace
from functools import partial

import numpy as np

from mdaug.analysis.accuracy import FORCE_LIMIT_KCAL_MOL_A, accuracy
from mdaug.errors import DataError
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult, limited
from mdaug.quantum.calculators import calculate_frames
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

ENERGY_LIMIT_KCAL_MOL = 1.0
"""Largest acceptable mean absolute error of the energies without their mean error: chemical accuracy."""

FEWEST, MOST = 20, 1000
"""Limits of the number of frames."""

MOST_POINTS = 4000
"""Largest number of force components that the report draws."""


def examine_accuracy(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Compare energies without their mean error, and forces, with held-out frames.

    The zero of energy differs between levels of theory, so that only differences of energies are compared.

    Parameters
    ----------
    examined
        The force field.
    budget
        Decides the number of frames.
    """
    if examined.frames is None:
        return PartResult.not_run("There are no held-out frames; name some as DATA.")
    frames = examined.frames.evenly_spaced(budget.evaluations(at_least=FEWEST, at_most=MOST))
    try:
        result = accuracy(partial(calculate_frames, examined.calculator), frames)
    except DataError as error:
        if error.__cause__ is not None:  # the calculator failed
            raise
        return PartResult(
            (limited("held-out frames", np.inf, 0.0, f"The frames cannot be evaluated: {error}."),), {}
        )
    centered = result.centered()
    errors, n = centered.to_json(), len(frames)
    checks = []
    if result.has_forces:
        text = f"The MAE of the forces is {{value:.2g}} kcal/mol/Å on {n} frames; the limit is {{limit:g}}."
        checks.append(limited("forces", errors["force_mae_kcal_mol_A"], FORCE_LIMIT_KCAL_MOL_A, text))
    text = (
        f"The MAE of the centered energies is {{value:.2g}} kcal/mol on {n} frames; the limit is {{limit:g}}."
    )
    checks.append(limited("centered energies", errors["energy_mae_kcal_mol"], ENERGY_LIMIT_KCAL_MOL, text))
    figures = {
        "data": frames.name,
        "level_of_theory": frames.level_of_theory,
        "as_they_are": result.to_json(),
        "centered": errors,
        "energy_errors_kcal_mol": centered.energy_errors_kcal_mol.tolist(),
        "energies_kcal_mol": _relative(centered.energies_eV),
        "force_errors_kcal_mol_A": _sample(result.force_errors_kcal_mol_A) if result.has_forces else [],
    }
    return PartResult(tuple(_undecided(check, examined, n) for check in checks), figures)


def _undecided(check: Verdict, examined: ExaminedForceField, n_frames: int) -> Verdict:
    """Return the check, which does not pass on frames of the training, and of energies not on one frame."""
    if check.verdict != "ok":
        return check
    if examined.may_be_trained_on:
        more = " The model may have been trained on these frames: which it left out is not recorded."
    elif n_frames == 1 and check.name == "centered energies":
        more = " Differences of energies need at least two frames."
    else:
        return check
    return replace(check, verdict="cannot tell", text=check.text + more)


def _relative(energies_eV: np.ndarray) -> list[float]:
    return ((energies_eV - energies_eV.mean()) * KCAL_MOL_PER_EV).tolist()


def _sample(values: np.ndarray) -> list[float]:
    """Return evenly spaced ones of the values, rounded."""
    flat = values.ravel()
    return np.round(flat[:: max(1, len(flat) // MOST_POINTS)], 4).tolist()
