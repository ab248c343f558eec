"""`mdaug nve`: molecular dynamics with a trained model."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from ase import Atoms
from cyclopts import Parameter
from cyclopts.validators import Number
from rich.progress import TaskID

from mdaug.cli.common import OutputOptions, find_model, open_run
from mdaug.cli.progress import console, make_progress
from mdaug.engines.ase_calculator import MDAugCalculator
from mdaug.engines.core import CoreUnavailableError
from mdaug.errors import DataError
from mdaug.simulate import DynamicsOptions, DynamicsResult, run_dynamics
from mdaug.simulate.core_engine import advance_replicas, core_engines
from mdaug.simulate.dynamics import MakeEngine, Progress
from mdaug.simulate.lammps_engine import lammps_engines
from mdaug.simulate.replicas import run_replicas
from mdaug.simulate.start_record import read_start
from mdaug.workflow.use_model import start_structure


def nve(
    model: Path | None = None,
    *,
    structure: str | None = None,
    dtype: Literal["float32", "float64"] | None = None,
    device: Literal["cpu", "cuda"] = "cpu",
    engine: Literal["auto", "core", "ase", "lammps"] = "auto",
    replicas: Annotated[int, Parameter(validator=Number(gte=1))] = 1,
    resume: Annotated[bool, Parameter(negative="")] = False,
    dynamics: Annotated[DynamicsOptions, Parameter(name="*")] = DynamicsOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run molecular dynamics: equilibrate at the temperature, then conserve the energy (or not: nvt).

    Writes thermo.csv, trajectory.dcd with topology.pdb, restart.npz and nve.json. Translation and rotation
    of a molecule are taken out, and temperatures count 3N − 6 degrees of freedom. A run that blows up is
    stopped with the reason in nve.json, and is no error.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    structure
        Start from this structure file or SMILES [default: the lowest training frame].
    dtype
        Precision of the model [default: that of the file].
    device
        Where the model is evaluated.
    engine
        What moves the atoms. core: our own velocity Verlet in C++, for molecules at constant energy on a CPU;
        ase: ASE's integrators, for everything; lammps: LAMMPS (`pip install 'mdaug[lammps]'`), at constant
        energy, the same files; auto: core where it can.
    replicas
        Independent copies of a molecule with seeds of their own, moved as one batch, each into a folder
        replica-0, replica-1, …
    resume
        Go on with the run in --out, or the newest unfinished one, with its settings (--steps may grow).
    """
    with open_run(output, command="nve", resume=resume) as run:
        begun = (read_start(run.path) or read_start(run.path / "replica-0")) if resume else None
        if begun is not None:
            start, before, about = begun
            options = before.model_copy(update=dynamics.model_dump(exclude_unset=True))
            calculator, path = _same_model(about, model)
        else:
            path = find_model(model).resolve()
            calculator = MDAugCalculator(path, device=device, dtype=dtype)
            start, options = start_structure(calculator.manifest, path, structure), dynamics
            about = {
                "model": str(path),
                "weights_sha256": calculator.manifest["weights_sha256"],
                "dtype": dtype,
                "device": device,
                "engine": engine,
                "replicas": replicas,
            }
        make_engine = _make_engine(calculator.manifest, path, start, options, about)
        if about.get("engine") != "lammps":
            about["engine"] = "core" if make_engine else "ase"
        with _shown(options) as progress:
            shared = {"resume": resume, "progress": progress, "about": about}
            results = _run(start, calculator, options, run.path, make_engine, shared)
    for k, result in enumerate(results):
        _print_summary(run.path / f"replica-{k}" if len(results) > 1 else run.path, result)


def _make_engine(
    manifest: dict[str, Any], model: Path, start: Atoms, options: DynamicsOptions, about: dict[str, Any]
) -> MakeEngine | None:
    """Return what makes the core's engines, None for ASE's."""
    asked = about.get("engine", "ase")
    if asked == "lammps":
        if options.ensemble != "nve" or about.get("replicas", 1) > 1:
            raise DataError("engine lammps takes one run at constant energy; use --engine auto")
        return lammps_engines(model, about["dtype"])
    if asked == "ase":
        reason = "ase was asked for"
    else:
        try:
            return core_engines(
                model,
                manifest,
                start,
                ensemble=options.ensemble,
                dtype=about["dtype"],
                device=about["device"],
            )
        except CoreUnavailableError as error:
            reason = str(error)
    if asked == "core":
        raise DataError(f"engine core cannot serve: {reason}; use --engine ase")
    if about.get("replicas", 1) > 1:
        raise DataError(f"replicas need the engine core, which cannot serve: {reason}")
    return None


def _run(  # noqa: PLR0917
    start: Atoms,
    calculator: MDAugCalculator,
    options: DynamicsOptions,
    folder: Path,
    make_engine: MakeEngine | None,
    shared: dict[str, Any],
) -> list[DynamicsResult]:
    n_replicas = shared["about"].get("replicas", 1)
    if n_replicas == 1:
        return [run_dynamics(start, calculator, options, folder, make_engine=make_engine, **shared)]
    assert make_engine is not None
    return run_replicas(
        start,
        calculator,
        options,
        folder,
        n_replicas,
        make_engine=make_engine,
        advance=advance_replicas,
        **shared,
    )


def _same_model(about: dict[str, Any], model: Path | None) -> tuple[MDAugCalculator, Path]:
    """Return the model that the run to resume began with, and where it is now."""
    path = Path(about["model"]) if model is None else find_model(model)
    calculator = MDAugCalculator(path, device=about["device"], dtype=about["dtype"])
    if calculator.manifest["weights_sha256"] != about["weights_sha256"]:
        raise DataError(f"{path}: not the model that this run began with; name that one as MODEL")
    return calculator, path


@contextmanager
def _shown(options: DynamicsOptions) -> Iterator[Progress]:
    """Show a bar a phase, with steps/s and ns/day."""
    with make_progress() as bar:
        tasks: dict[str, TaskID] = {}

        def update(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                tasks[phase] = bar.add_task(phase, total=total, completed=done, text="")
            task = bar.tasks[tasks[phase]]
            text = ""
            if task.speed:
                text = f"{task.speed:.0f} steps/s  {task.speed * options.timestep * 86400e-6:.2f} ns/day"
            bar.update(task.id, completed=done, text=text)

        yield update


def _print_summary(folder: Path, result: DynamicsResult) -> None:
    duration = result.completed_steps * result.options.timestep / 1000.0
    print(f"{result.completed_steps} steps, {duration:g} ps in {folder}")
    if result.mean_temperature_K is not None:
        freedom = f"{result.degrees_of_freedom} degrees of freedom"
        print(f"mean temperature {result.mean_temperature_K:.0f} K over {freedom}")
    if result.steps_per_second:
        print(f"{result.steps_per_second:.0f} steps/s, {result.ns_per_day:.2f} ns/day")
    if result.stopped_because:
        console.print(f"stopped: {result.stopped_because}", style="bold yellow", soft_wrap=True)
