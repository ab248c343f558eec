"""MD that tests a model: energy drift, stability, survival at high temperature."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from mdaug.analysis.drift import energy_drift
from mdaug.analysis.relax import relax
from mdaug.analysis.stability import stability
from mdaug.analysis.survival import SurvivalResult, survival
from mdaug.analysis.thermo_log import read_thermo
from mdaug.analysis.trajectory import open_trajectory, structures_before
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FrameSet, structure_from_json
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.jobs import Failure, Where, error_of
from mdaug.md import DynamicsOptions, DynamicsResult
from mdaug.reports.demo_model import ModelDynamics
from mdaug.reports.molecule import MoleculeView
from mdaug.workflows.dynamics import ModelRun, integrators_of, prepare_run, run_model
from mdaug.workflows.progress import Progress
from mdaug.workflows.replica_jobs import replicas_as_jobs
from mdaug.workflows.settings.workflow_options import ModelRunOptions, ValidationOptions


def validate(
    model: Path,
    frames: FrameSet,
    folder: Path,
    options: ValidationOptions,
    *,
    label: str,
    where: Where = Where(),
    progress: Progress,
) -> ModelDynamics:
    """Run MD with a model at three conditions, and compare it with the training frames.

    Parameters
    ----------
    model
        The model.pt.
    frames
        Its training frames.
    folder
        Folder for the runs ``nve/``, ``nvt/`` and ``hot/`` and the results as JSON.
    options
        Lengths and temperatures of the runs.
    label
        Name of the model, for legends.
    where
        With a scheduler the hot runs are jobs of its workers, which see `folder`; without one they run as one
        batch in this process. A job without a result is left out, with a warning.
    progress
        Called with (what, done, total).

    Raises
    ------
    MDAugError
        No job of the hot runs has a result, or the scheduler is lost.
    """
    bonds = TrainingBonds.from_frames(frames)
    conditions: dict[str, Any] = {"length_ps": options.nve_ps, "temperature": options.nve_temperature}
    run = _prepared(model, folder / "nve", options, ensemble="nve", **conditions)
    (nve,) = _run(run, folder / "nve", progress)
    conditions = {"length_ps": options.nvt_ps, "temperature": frames.temperature_K or options.nve_temperature}
    (nvt,) = _run(_prepared(model, folder / "nvt", options, **conditions), folder / "nvt", progress)
    judged = stability(open_trajectory(folder / "nvt"), bonds, frames=frames)
    write_json(folder / "stability.json", judged.to_json())
    drift = None
    if not nve.stopped_because:
        drift = replace(energy_drift(read_thermo(folder / "nve")), source=label)
        write_json(folder / "drift.json", drift.to_json())
    conditions = {"length_ps": options.hot_ps, "temperature": options.hot_temperature}
    run = _prepared(model, folder / "hot", options, replicas=options.hot_replicas, **conditions)
    hot = _hot_runs(run, folder / "hot", where, progress)
    lives, failure = _survival(run, hot, folder / "hot", bonds, options) if hot else (None, None)
    return ModelDynamics(
        drift=drift,
        stability=judged,
        survival=lives,
        nve_stopped=nve.stopped_because,
        nvt_stopped=nvt.stopped_because,
        failure=failure,
    )


def _prepared(
    model: Path,
    folder: Path,
    options: ValidationOptions,
    *,
    length_ps: float,
    temperature: float,
    ensemble: Literal["nve", "nvt"] = "nvt",
    replicas: int = 1,
) -> ModelRun:
    """Return dynamics from the lowest training frame in `folder`."""
    dynamics = DynamicsOptions(
        ensemble=ensemble,
        steps=round(1000.0 * length_ps / options.timestep),
        timestep=options.timestep,
        temperature=temperature,
        equilibration=options.equilibration,
    )
    return prepare_run(model, ModelRunOptions(dtype="float64", replicas=replicas), dynamics, folder)


def _run(run: ModelRun, folder: Path, progress: Progress) -> list[DynamicsResult]:
    return run_model(run, folder, lambda phase, done, total: progress(f"{folder.name} {phase}", done, total))


def _hot_runs(run: ModelRun, folder: Path, where: Where, progress: Progress) -> dict[int, DynamicsResult]:
    """Run replicas at the high temperature; return none where replicas are not possible."""
    try:
        integrators_of(run, together=True)
    except DataError:  # periodic, or a linear molecule: the core cannot integrate several replicas
        return {}
    if where.scheduler is None:
        return dict(enumerate(_run(run, folder, progress)))
    return _hot_jobs(run, folder, where, progress)


def _hot_jobs(run: ModelRun, folder: Path, where: Where, progress: Progress) -> dict[int, DynamicsResult]:
    """Return the results of the hot runs on a cluster by their numbers, without jobs that failed."""
    ended = replicas_as_jobs(run, folder, where, lambda what, *n: progress(f"{folder.name} {what}", *n))
    failures = [result for result in ended if isinstance(result, Failure)]
    error = error_of(failures, "the other runs are judged") if failures else None
    if error is not None and len(failures) == len(ended):
        raise error
    if error is not None:
        warnings.warn(str(error), stacklevel=2)
    return {k: result for k, result in enumerate(ended) if isinstance(result, DynamicsResult)}


def _survival(
    run: ModelRun,
    hot: dict[int, DynamicsResult],
    folder: Path,
    bonds: TrainingBonds,
    options: ValidationOptions,
) -> tuple[SurvivalResult, MoleculeView | None]:
    """Return the survival of the hot runs, and the last structures of the one that failed first."""
    training, places = run.manifest["training"], [folder / f"replica-{k}" for k in hot]
    relaxed = relax(run.calculator, structure_from_json(training["reference_structure"]))
    lives = survival(
        places,
        [result.stopped_because for result in hot.values()],
        bonds,
        temperature_K=options.hot_temperature,
        duration_ps=options.hot_ps,
        minimum_eV=relaxed.energy_eV if relaxed.converged else None,
        frames_temperature_K=training.get("temperature_K"),
    )
    write_json(folder.parent / "survival.json", lives.to_json())
    if lives.first_failure is None:
        return lives, None
    life = lives.lives[lives.first_failure]
    structures = structures_before(open_trajectory(places[lives.first_failure]), life.lived_ps)
    drawn = bonds.bonds if life.broken_bond is not None else find_bonds(structures[-1])
    text = f"{life.failure}, after {life.lived_ps:.3g} ps."
    return lives, MoleculeView(structures, drawn, life.broken_bond, text)
