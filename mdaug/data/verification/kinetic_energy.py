"""Whether energies include the kinetic energy, as the total energy in the log of a thermostatted run does."""

import numpy as np

from mdaug.data.verification.energies_from_forces import PredictedEnergies
from mdaug.data.verification.regression import Regression
from mdaug.frames import FloatArray
from mdaug.verdicts import Verdict

RELIABLE = 0.75
"""Correlation of the energies of fits to either half of the forces from which on scatter is not theirs."""

EXPLAINED = (0.4, 0.8)
"""Correlation of given energies with predicted ones over the root of the reliability: 0.7 with a kinetic
energy that varies as much as the potential one, 0.95 and more in clean sets."""

SCATTER = (0.7, 2.0)
"""Standard deviation of the kinetic energy over that of the potential energy: 1 for harmonic vibrations, more
with translation and rotation."""

STANDARD_ERRORS = 2.0


def kinetic_energy_verdict(
    energies: FloatArray, fit: Regression, predicted: PredictedEnergies, between: float, name: str
) -> Verdict | None:
    """Return a warning if energies scatter about those implied by the forces as kinetic energies do.

    Parameters
    ----------
    energies
        Shape (n,), eV: given energies of the frames with a prediction.
    fit
        Their regression against the predicted ones.
    predicted
        Energies predicted from forces.
    between
        Correlation of given and predicted differences between similar frames: high where energies of regions
        differ by a constant, which is no scatter.
    name
        Of the verdict.
    """
    root = float(np.sqrt(max(predicted.reliability, 0.0)))
    if predicted.reliability < RELIABLE:
        return None
    explained = fit.correlation / root
    error = STANDARD_ERRORS * (1 - fit.correlation**2) / np.sqrt(len(energies)) / root
    scatter = float(np.sqrt(max(1 - explained**2, 0.0)) * energies.std())
    potential = float(predicted.energies.std())
    is_kinetic = EXPLAINED[0] < explained < EXPLAINED[1] - error and between < EXPLAINED[1]
    if not (is_kinetic and SCATTER[0] < scatter / potential < SCATTER[1]):
        return None
    text = (
        f"energies scatter by {scatter:.2g} eV about those that the forces imply, which vary by "
        f"{potential:.2g} eV (correlation {fit.correlation:.2f}, expected {root:.2f}): as much as a kinetic "
        "energy does; expected potential energies, not total energies of the dynamics"
    )
    return Verdict(name, "warning", scatter, potential, text)
