"""Runs of a published protocol, as many as the time allows, and their verdict."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from mdaug.analysis.survival import FALL_KCAL_MOL, Life, SurvivalResult
from mdaug.analysis.thermo_log import thermo_rows
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.options import ProtocolName
from mdaug.examination.protocols import PROTOCOLS, Failure, Protocol
from mdaug.examination.results import PartResult
from mdaug.examination.runs import core_of, run_all
from mdaug.md.nose_hoover import nose_hoover_integrators
from mdaug.md.options import DynamicsOptions
from mdaug.units import KCAL_MOL_PER_EV
from mdaug.verdicts import Verdict

AT_ONCE = 8
"""Replicas that the core advances as one batch."""

TRIAL_STEPS = 200
"""Steps of the runs whose speed decides how many of full length there is time for."""

MAX_STRETCH = 2.0
"""A run goes on until a bond has doubled its length, well beyond the 0.5 Å of the criteria."""


def examine_protocol(name: ProtocolName) -> Callable[[ExaminedForceField, Budget], PartResult]:
    """Return the part of a protocol.

    Parameters
    ----------
    name
        Key of `PROTOCOLS`.
    """
    return lambda examined, budget: _examine(PROTOCOLS[name], name, examined, budget)


def _examine(protocol: Protocol, name: str, examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Run at each temperature, and judge every run by the criterion of the protocol."""
    until, folder = time.monotonic() + budget.seconds, examined.folder / name
    n_temperatures = len(protocol.temperatures_K)
    at_once, seconds = _fewer(*_speed(protocol, examined, folder), budget.seconds / n_temperatures)
    if seconds * n_temperatures > budget.seconds:
        minutes = seconds * n_temperatures / 60.0
        return PartResult.not_run(
            f"One run of {protocol.length_ps:g} ps at each temperature would take "
            f"{float(f'{minutes:.2g}'):g} minutes; {budget.seconds / 60.0:.2g} are left (--minutes)."
        )
    checks, entries = [], []
    for k, kelvin in enumerate(protocol.temperatures_K):
        now = time.monotonic()
        ends = now + (until - now) / (n_temperatures - k)
        runs = _runs(protocol, examined, kelvin, folder / f"{kelvin:g}K", (at_once, seconds, ends))
        failures = list(runs.values())
        survival = _survival(protocol, kelvin, failures)
        fell = [_fell_at_ps(place, examined.minimum_eV) for place in runs]
        checks.append(_check(protocol, survival, fell))
        entries.append(_entry(protocol, survival, failures) | {"fell_at_ps": fell})
    figures = {"protocol": name, "doi": protocol.doi, "title": protocol.title, "temperatures": entries}
    return PartResult(tuple(checks), figures)


def _options(
    protocol: Protocol, examined: ExaminedForceField, kelvin: float, n_steps: int
) -> DynamicsOptions:
    return DynamicsOptions(
        ensemble="nvt",
        temperature=kelvin,
        timestep=protocol.timestep_fs,
        steps=n_steps,
        equilibration=0.0,
        friction=protocol.friction_per_ps or 0.0,
        frames_every=protocol.record_every,
        thermo_every=protocol.record_every,
        guard=protocol.last_K is None and not protocol.has_score,
        max_stretch=MAX_STRETCH,
        seed=examined.seed,
    )


def _run(
    protocol: Protocol, examined: ExaminedForceField, options: DynamicsOptions, folder: Path, n: int
) -> None:
    make = None
    if protocol.relaxation_fs is not None:
        nve = options.model_copy(update={"ensemble": "nve"})
        core = core_of(examined, examined.minimum, nve)
        make = nose_hoover_integrators(protocol.relaxation_fs, protocol.last_K, core)
    run_all(examined, examined.minimum, options, folder, n, make_integrator=make)


def _speed(protocol: Protocol, examined: ExaminedForceField, folder: Path) -> tuple[int, float]:
    """Return how many runs go at once, and the seconds that so many take, from a short trial."""
    options = _options(protocol, examined, protocol.temperatures_K[0], TRIAL_STEPS)
    in_core = protocol.relaxation_fs is None and core_of(examined, examined.minimum, options) is not None
    at_once = min(protocol.n_runs, AT_ONCE) if in_core else 1
    began = time.monotonic()
    _run(protocol, examined, options, folder / "trial", at_once)
    return at_once, (time.monotonic() - began) * protocol.n_steps / TRIAL_STEPS


def _fewer(at_once: int, seconds: float, left: float) -> tuple[int, float]:
    """Return how many runs at once fit into the seconds left, at least one, and the seconds they take."""
    n = max(1, min(at_once, int(at_once * left / seconds)))
    return n, seconds * n / at_once


def _runs(
    protocol: Protocol,
    examined: ExaminedForceField,
    kelvin: float,
    folder: Path,
    pace: tuple[int, float, float],
) -> dict[Path, Failure | None]:
    """Run batches at one temperature while the time allows, and return folder and failure of each run."""
    at_once, seconds, ends = pace
    bonds, failures = examined.bonds(), dict[Path, Failure | None]()
    while len(failures) < protocol.n_runs and (not failures or time.monotonic() + seconds <= ends):
        options = _options(protocol, examined, kelvin, protocol.n_steps)
        seeded = options.model_copy(update={"seed": examined.seed + len(failures)})
        n, batch = min(at_once, protocol.n_runs - len(failures)), folder / f"runs-{len(failures)}"
        _run(protocol, examined, seeded, batch, n)
        for k in range(n):
            place = batch / f"replica-{k}"
            failures[place] = protocol.criterion(place, bonds, protocol.length_ps)
    return failures


def _survival(protocol: Protocol, kelvin: float, failures: list[Failure | None]) -> SurvivalResult:
    lives = [
        Life(protocol.length_ps) if failure is None else Life(failure.time_ps, failure.text)
        for failure in failures
    ]
    return SurvivalResult(kelvin, protocol.length_ps, tuple(lives))


def _fell_at_ps(folder: Path, minimum_eV: float | None) -> float | None:
    """Return when a run fell below the minimum, which no protocol judges; None if it did not."""
    if minimum_eV is None:
        return None
    thermo = thermo_rows(folder)
    below = (minimum_eV - thermo["potential_eV"]) * KCAL_MOL_PER_EV > FALL_KCAL_MOL
    return float(thermo["time_fs"][below.argmax()]) / 1000.0 if below.any() else None


def _check(protocol: Protocol, survival: SurvivalResult, fell_at_ps: list[float | None]) -> Verdict:
    """Return whether all runs of the protocol survived; fewer runs than it asks for do not decide that."""
    verdict = survival.verdict
    if verdict.verdict == "ok" and len(survival.lives) < protocol.n_runs:
        text = f"{verdict.text} The protocol asks for {protocol.n_runs} runs (--minutes)."
        verdict = Verdict(verdict.name, "cannot tell", verdict.value, verdict.limit, text)
    times = [time_ps for time_ps in fell_at_ps if time_ps is not None]
    if not times:
        return verdict
    text = (
        f"{verdict.text} Not judged by the protocol: {len(times)} of {len(fell_at_ps)} runs fell "
        f"{FALL_KCAL_MOL:g} kcal/mol below the minimum, the first after {min(times):.3g} ps."
    )
    return replace(verdict, text=text)


def _entry(protocol: Protocol, survival: SurvivalResult, failures: list[Failure | None]) -> dict[str, Any]:
    """Return the numbers of the runs at one temperature."""
    entry = {key: value for key, value in survival.to_json().items() if key not in ("verdicts", "causes")}
    scores = [1.0 if failure is None else failure.score for failure in failures]
    mean_life = sum(life.lived_ps for life in survival.lives) / len(survival.lives)
    entry |= {"n_planned": protocol.n_runs, "mean_lived_ps": mean_life}
    return entry | {"scores": scores if protocol.has_score else None}
