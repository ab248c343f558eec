"""Conservation of the energy at two time steps, and its fluctuation as the time step squared."""

from dataclasses import replace
from typing import Any

from mdaug.analysis.drift import DriftResult, energy_drift, timestep_scaling
from mdaug.analysis.thermo_log import ThermoLog, read_thermo
from mdaug.errors import DataError
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult
from mdaug.examination.runs import run_all
from mdaug.md.options import DynamicsOptions
from mdaug.verdicts import Verdict

TIMESTEPS_FS = (0.5, 0.25)
"""Time steps of the two runs."""

FEWEST, MOST = 1200, 60_000
"""Limits of the number of steps at both time steps together; the most are 10 ps."""

SAME_PS = 1.0
"""The fluctuations of the first picosecond are compared: later the two trajectories differ, and so does the
energy of their vibrations."""

NVE_K = 300.0
"""Temperature of the runs; at a higher one a large molecule exchanges energy more slowly than the run
lasts."""

TRIAL_STEPS = 100
"""Steps of the run whose speed decides the length of the others."""

RECORD_FS = 2.0
"""Time between two records of the energy; the fastest vibrations have periods of 9 fs."""

MOST_POINTS = 400
"""Largest number of energies that the report draws."""


def examine_conservation(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Run at constant energy from the minimum, with momenta of twice the temperature.

    Half of their energy becomes potential, so that no equilibration is needed.

    Parameters
    ----------
    examined
        The force field.
    budget
        Decides the length of the runs.
    """
    kelvin = min(NVE_K, examined.kelvin)
    steps = _affordable_steps(examined, kelvin, budget)
    duration_fs = steps / sum(1.0 / timestep for timestep in TIMESTEPS_FS)
    results: list[DriftResult] = []
    first: list[DriftResult] = []
    for timestep in TIMESTEPS_FS:
        options = _options(examined, kelvin, timestep, round(duration_fs / timestep))
        folder = examined.folder / f"nve-{timestep:g}fs"
        (ended,) = run_all(examined, examined.minimum, options, folder, 1)
        try:
            if ended.stopped_because:
                raise DataError(ended.stopped_because)
            log = read_thermo(folder / "replica-0")
            results.append(energy_drift(log))
            first.append(energy_drift(_beginning(log)))
        except DataError as error:
            text = f"A run at constant energy and {timestep:g} fs came to an early end: {error}."
            return PartResult((Verdict("energy drift", "error", None, None, text),), {})
    checks = [
        replace(result.verdict, name=f"energy drift at {timestep:g} fs")
        for timestep, result in zip(TIMESTEPS_FS, results, strict=True)
    ]
    scaling = timestep_scaling(first)
    if scaling is not None:
        checks.append(scaling.verdict)
    figures = {
        "temperature_K": kelvin,
        "runs": [_figures(result) for result in results],
        "timestep_scaling": None if scaling is None else scaling.to_json(),
    }
    return PartResult(tuple(checks), figures)


def _options(examined: ExaminedForceField, kelvin: float, timestep: float, n_steps: int) -> DynamicsOptions:
    return DynamicsOptions(
        timestep=timestep,
        temperature=2.0 * kelvin,
        steps=n_steps,
        equilibration=0.0,
        thermo_every=max(1, round(RECORD_FS / timestep)),
        frames_every=1000,
        seed=examined.seed,
    )


def _affordable_steps(examined: ExaminedForceField, kelvin: float, budget: Budget) -> int:
    """Return the number of steps at both time steps that the time allows, by the speed of a short run."""
    options = _options(examined, kelvin, TIMESTEPS_FS[0], TRIAL_STEPS)
    (trial,) = run_all(examined, examined.minimum, options, examined.folder / "trial", 1)
    per_step = 1.0 / trial.steps_per_second if trial.steps_per_second else budget.seconds_per_evaluation
    return replace(budget, seconds_per_evaluation=per_step).evaluations(at_least=FEWEST, at_most=MOST)


def _beginning(log: ThermoLog) -> ThermoLog:
    """Return the rows of the first `SAME_PS`."""
    kept = log.time_ps <= SAME_PS
    columns = {name: getattr(log, name)[kept] for name in ("time_ps", "total_eV", "kinetic_eV")}
    shadow = None if log.shadow_eV is None else log.shadow_eV[kept]
    return replace(log, shadow_eV=shadow, **columns)


def _figures(result: DriftResult) -> dict[str, Any]:
    """Return the measured numbers, and the energy against time for the report."""
    left_out = ("verdicts", "thermo")
    numbers = {key: value for key, value in result.to_json().items() if key not in left_out}
    every = max(1, len(result.time_ps) // MOST_POINTS)
    return numbers | {
        "time_ps": result.time_ps[::every].tolist(),
        "energy_meV_per_atom": result.energy_meV_per_atom[::every].tolist(),
    }
