"""Molecular dynamics at one, two and three times the temperature of the frames: lives, causes of failures."""

import time
from dataclasses import dataclass
from typing import Any

from mdaug.analysis.stability_result import SHORTEST_PS
from mdaug.analysis.survival import SurvivalResult, survival
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult
from mdaug.examination.runs import core_of, run_all
from mdaug.md.options import DynamicsOptions
from mdaug.verdicts import Verdict

FACTORS = (1.0, 2.0, 3.0)
"""Temperatures, in units of that of the frames."""

TIMESTEP_FS = 0.5
"""Time step of all runs."""

RECORD_EVERY = 20
"""Steps between records: 10 fs."""

MOST_RUNS, MOST_PS, LEAST_PS = 8, 50.0, 0.5
"""Largest number of runs at one temperature, and limits of the length of each."""

ENOUGH_PS = 30.0
"""Time of all runs at one temperature without a failure that passes: by the rule of three a failure then
takes over 10 ps on average, with 95 % confidence."""

TRIAL_STEPS = 200
"""Steps of each run whose speed decides the length of the others."""

FEWEST = TRIAL_STEPS + len(FACTORS) * round(1000 * LEAST_PS / TIMESTEP_FS)
"""Fewest steps: the trial, and one run of least length at each temperature."""


@dataclass(frozen=True)
class Plan:
    """Number and length of the runs at each temperature.

    Parameters
    ----------
    n_runs
        Number of runs.
    length_ps
        Length of each.
    """

    n_runs: int
    length_ps: float


def folder_name(factor: float) -> str:
    """Return the name of the folder of the runs at a temperature.

    Parameters
    ----------
    factor
        Temperature over that of the frames.
    """
    return f"md-{factor:g}x"


def examine_dynamics(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Run Langevin dynamics from the minimum; momenta are thermal from the start.

    A run fails when a bond breaks, atoms collide, the temperature explodes, or the energy falls far below the
    minimum.

    Parameters
    ----------
    examined
        The force field.
    budget
        Decides number and length of the runs.
    """
    began = time.monotonic()
    plan = _plan(examined, budget)
    if plan.length_ps < LEAST_PS:
        text = (
            f"The time allows {plan.length_ps:.2g} ps at each temperature; expected {LEAST_PS:g} (--minutes)."
        )
        return PartResult.not_run(text)
    checks, results = [], []
    for k, factor in enumerate(FACTORS):
        until = began + budget.seconds * (k + 1) / len(FACTORS)
        result = _at(examined, factor, plan, until)
        checks.append(_check(result, has_minimum=examined.minimum_eV is not None))
        results.append({"factor": factor} | _figures(result))
    return PartResult(tuple(checks), {"temperatures": results})


def _plan(examined: ExaminedForceField, budget: Budget) -> Plan:
    """Decide number and length of the runs; the core advances all runs at once, other calculators one."""
    seconds, options = budget.seconds / len(FACTORS), _options(examined, 1.0, TRIAL_STEPS)
    in_core = core_of(examined, examined.minimum, options) is not None
    n_trial = MOST_RUNS if in_core else 1
    trial = run_all(examined, examined.minimum, options, examined.folder / "trial", n_trial)
    speed = sum(result.steps_per_second for result in trial) or 1.0 / budget.seconds_per_evaluation
    ps = seconds * speed * TIMESTEP_FS / 1000.0
    n_runs = int(min(MOST_RUNS, max(1, ps // SHORTEST_PS)))
    return Plan(n_runs, min(MOST_PS, ps / n_runs))


def _options(examined: ExaminedForceField, factor: float, n_steps: int) -> DynamicsOptions:
    return DynamicsOptions(
        ensemble="nvt",
        temperature=factor * examined.kelvin,
        timestep=TIMESTEP_FS,
        steps=n_steps,
        equilibration=0.0,  # a failure while the molecule heats up is to be seen, too
        frames_every=RECORD_EVERY,
        thermo_every=RECORD_EVERY,
        seed=examined.seed,
    )


def _at(examined: ExaminedForceField, factor: float, plan: Plan, until: float) -> SurvivalResult:
    """Run at one temperature."""
    options = _options(examined, factor, max(RECORD_EVERY, round(1000.0 * plan.length_ps / TIMESTEP_FS)))
    folder = examined.folder / folder_name(factor)
    ended = run_all(examined, examined.minimum, options, folder, plan.n_runs, until=until)
    return survival(
        [folder / f"replica-{k}" for k in range(len(ended))],
        [result.stopped_because for result in ended],
        examined.bonds(),
        temperature_K=factor * examined.kelvin,
        duration_ps=options.steps * TIMESTEP_FS / 1000.0,
        minimum_eV=examined.minimum_eV,
        frames_temperature_K=examined.kelvin,
    )


def _check(result: SurvivalResult, *, has_minimum: bool) -> Verdict:
    """Return the verdict on the survival; short runs without a failure do not decide it, nor do runs whose
    energies cannot be compared with that of a minimum."""
    verdict = result.verdict
    total = sum(life.lived_ps for life in result.lives)
    if verdict.verdict == "ok" and not has_minimum:
        text = f"{verdict.text} Falls below the minimum cannot be seen: the start structure does not relax."
        return _undecided(verdict, text)
    if verdict.verdict != "ok" or (result.duration_ps >= SHORTEST_PS and total >= ENOUGH_PS):
        return verdict
    text = (
        f"{verdict.text} {total:.3g} ps do not decide it; expected are {ENOUGH_PS:g} ps, in runs of at least "
        f"{SHORTEST_PS:g} ps."
    )
    return _undecided(verdict, text)


def _undecided(verdict: Verdict, text: str) -> Verdict:
    return Verdict(verdict.name, "cannot tell", verdict.value, verdict.limit, text)


def _figures(result: SurvivalResult) -> dict[str, Any]:
    return {key: value for key, value in result.to_json().items() if key != "verdicts"}
