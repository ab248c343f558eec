"""`mdaug nve` and `mdaug nvt`: molecular dynamics with a trained model."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from mdaug.cli.arguments import MODEL_OPTIONS, check_calculator, given_options, refuse, subject_of
from mdaug.cli.progress import console, print_next, progress_bars, warn
from mdaug.md.options import DynamicsOptions
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import CalculatorOptions, ClusterOptions, OutputOptions
from mdaug.workflows.settings.workflow_options import ModelRunOptions

if TYPE_CHECKING:
    from mdaug.md import DynamicsResult

HEATED = 1.6
"""Ratio of mean temperature to equilibration temperature above which an NVE run has reached a spurious
minimum."""


def nve(
    model: Path | None = None,
    *,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    settings: Annotated[ModelRunOptions, Parameter(name="*")] = ModelRunOptions(),
    dynamics: Annotated[DynamicsOptions, Parameter(name="*")] = DynamicsOptions(),
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run molecular dynamics at constant energy (NVE), after an equilibration at --temperature.

    Writes thermo.csv, trajectory.dcd with topology.pdb, restart.npz and nve.json. Translation and rotation
    of a molecule are removed, and temperatures count 3N − 6 degrees of freedom. A run that blows up stops,
    with the reason in nve.json; the exit code is 0. `mdaug nvt` runs at constant temperature.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    """
    _run("nve", model, settings, dynamics, output, calculator=calculator, cluster=cluster)


def nvt(
    model: Path | None = None,
    *,
    calculator: Annotated[CalculatorOptions, Parameter(name="*")] = CalculatorOptions(),
    settings: Annotated[ModelRunOptions, Parameter(name="*")] = ModelRunOptions(),
    dynamics: Annotated[DynamicsOptions, Parameter(name="*")] = DynamicsOptions(),
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Run molecular dynamics at constant temperature (Langevin, BAOAB; DOI 10.1093/amrx/abs010).

    Options and files are those of `mdaug nve`, except that nvt.json replaces nve.json. The random forces do
    not move or rotate the molecule as a whole. The energy is not conserved, so `mdaug drift` refuses these
    runs.

    Parameters
    ----------
    model
        A model.pt or a run folder [default: the latest run].
    """
    _run("nvt", model, settings, dynamics, output, calculator=calculator, cluster=cluster)


def _run(
    ensemble: Literal["nve", "nvt"],
    model: Path | None,
    settings: ModelRunOptions,
    dynamics: DynamicsOptions,
    output: OutputOptions,
    *,
    calculator: CalculatorOptions,
    cluster: ClusterOptions,
) -> None:
    from mdaug.workflows.dynamics import prepare_run, run_model
    from mdaug.workflows.replica_jobs import run_replica_jobs

    on_cluster = cluster.scheduler is not None
    options = dynamics.model_copy(update={"ensemble": ensemble})
    if settings.resume:
        fixed = given_options(settings, without=("resume", "extxyz", "model_devi"))
        refuse(fixed, "with --resume, which continues with the settings of the run")
    model_options = [name for name in given_options(settings) if name in MODEL_OPTIONS]
    check_calculator(calculator, models=model is not None, model_options=model_options)
    inputs = [model, settings.structure]
    subject = subject_of([] if model is None else [model], calculator)
    with open_run(output, command=ensemble, resume=settings.resume, subject=subject, inputs=inputs) as folder:
        run = prepare_run(model, settings, options, folder.path, calculator=calculator, on_cluster=on_cluster)
        with progress_bars(_speed(run.options.timestep)) as progress:
            if on_cluster:
                results = run_replica_jobs(run, folder.path, cluster.where(), progress)
            else:
                results = run_model(run, folder.path, progress)
    for k, result in enumerate(results):
        _print_summary(folder.path / f"replica-{k}" if len(results) > 1 else folder.path, result)
    drift = f"mdaug drift {folder.path}  fits the energy drift"
    print_next(f"mdaug stability {folder.path}  tests whether a bond broke", *([drift] * (ensemble == "nve")))


def _speed(timestep_fs: float) -> Callable[[float], str]:
    return lambda speed: f"{speed:.0f} steps/s  {speed * timestep_fs * 86400e-6:.2f} ns/day"


def _print_summary(folder: Path, result: "DynamicsResult") -> None:
    duration = result.completed_steps * result.options.timestep / 1000.0
    print_text(f"{result.completed_steps} steps, {duration:g} ps in {folder}")
    if result.mean_temperature_K is not None:
        freedom = f"{result.degrees_of_freedom} degrees of freedom"
        print_text(f"mean temperature {result.mean_temperature_K:.0f} K over {freedom}")
        if result.mean_temperature_K > HEATED * result.options.temperature:
            warn(
                f"much hotter than the {result.options.temperature:g} K of the equilibration: the run fell "
                "far below the energy at which it started, probably into a spurious minimum of the force "
                "field (`mdaug stability` compares bonds)"
            )
    if result.steps_per_second:
        print_text(f"{result.steps_per_second:.0f} steps/s, {result.ns_per_day:.2f} ns/day")
    if result.stopped_because:
        console.print(f"stopped: {result.stopped_because}", style="bold yellow", soft_wrap=True, markup=False)
