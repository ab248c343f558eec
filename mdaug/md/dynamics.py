"""Molecular dynamics runs, one or several replicas, from a structure to their files."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.md.loop import Advance, Integrator, MakeIntegrator, Run, run_all
from mdaug.md.options import DynamicsOptions
from mdaug.md.prepare import (
    Progress,
    RunSettings,
    begin_run,
    equilibrate_runs,
    make_ase_integrator,
    prepare_run,
)


@dataclass(frozen=True)
class DynamicsResult:
    """Result of a run.

    Parameters
    ----------
    completed_steps
        Number of steps on disk, including those before a resume.
    stopped_because
        Reason why the run ended early; None for a complete run.
    steps_per_second, ns_per_day
        Speed by wall time, in this process, without the equilibration.
    mean_temperature_K
        Over all rows of the thermo table; None without rows.
    n_atoms
        Atoms of the system.
    degrees_of_freedom
        Number of degrees of freedom in the temperature: 3N − 6 for a molecule.
    options
        Options of the run.
    unlike_training
        How the start structure differs from the model's training frames, each a sentence; empty if it does
        not and for other calculators.
    """

    completed_steps: int
    stopped_because: str | None
    steps_per_second: float
    ns_per_day: float
    mean_temperature_K: float | None
    n_atoms: int
    degrees_of_freedom: int
    options: DynamicsOptions
    unlike_training: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the content of ``nve.json`` (``nvt.json``)."""
        return {
            "completed_steps": self.completed_steps,
            "stopped_because": self.stopped_because,
            "steps_per_second": self.steps_per_second,
            "ns_per_day": self.ns_per_day,
            "mean_temperature_K": self.mean_temperature_K,
            "n_atoms": self.n_atoms,
            "degrees_of_freedom": self.degrees_of_freedom,
            "options": self.options.model_dump(),
            "unlike_training": list(self.unlike_training),
        }


def run_dynamics(
    atoms: Atoms,
    calculator: Calculator,
    options: DynamicsOptions,
    folder: Path | str,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    about: dict[str, Any] | None = None,
    make_integrator: MakeIntegrator | None = None,
    equilibrate_with: MakeIntegrator | None = None,
) -> DynamicsResult:
    """Equilibrate `atoms` and run molecular dynamics, writing into `folder` on the way.

    The folder gets ``config.json``, ``thermo.csv``, ``topology.pdb`` and ``trajectory.dcd``, ``restart.npz``
    and, at the end, ``nve.json`` or ``nvt.json``. ``resume=True`` continues a killed run: the files are
    truncated to the restart file, and the result is that of an uninterrupted run, bit for bit if the forces
    depend on positions alone. A run killed before its first restart file starts again from the same seed.

    Parameters
    ----------
    atoms
        Start structure; not changed. Its momenta are not used.
    calculator
        Any ASE calculator with energy and forces, also used in the equilibration. For a model the guard uses
        the ranges of the bonds in the training frames.
    options
        Ensemble, temperature, length, and how often results are written.
    folder
        Output folder; created if it does not exist.
    resume
        Continue the run in `folder`; if there is none, begin one.
    progress
        Called with (phase, steps done, steps in all).
    about
        JSON-compatible record kept in ``config.json`` for resuming: which model, at which precision.
    make_integrator
        Factory of the integrator after the equilibration; ASE's integrators if None.
    equilibrate_with
        Factory of the integrator of the equilibration; ASE's if None.

    Returns
    -------
    DynamicsResult
        The result; ``stopped_because`` is set if the guard stopped the run.

    Raises
    ------
    DataError
        If the structure cannot be simulated, the folder holds another run, or the restart does not fit.

    Examples
    --------
    >>> atoms = ase.io.read("ethanol.xyz")
    >>> calculator = MDAugCalculator("runs/latest/model.pt")
    >>> options = DynamicsOptions(ensemble="nve", steps=20_000, timestep=0.5, temperature=300)
    >>> result = run_dynamics(atoms, calculator, options, "nve-300K")
    >>> result.stopped_because is None  # no bond broke
    True
    """
    report, make = progress or _no_progress, make_integrator or make_ase_integrator
    settings = RunSettings(resume=resume, about=about or {})
    prepared = prepare_run(atoms, calculator, options, Path(folder), settings)
    thermostat = equilibrate_with or make_ase_integrator
    equilibrate_runs([prepared], thermostat, _advance_one, partial(report, "equilibration"))
    with ExitStack() as open_files:
        run = begin_run(prepared, open_files, make)
        run_all([run], _advance_one, partial(report, "dynamics"))
    return _write_result(run, Path(folder))


def run_replicas(
    atoms: Atoms,
    calculator: Calculator,
    options: DynamicsOptions,
    folder: Path,
    n_replicas: int,
    *,
    make_integrator: MakeIntegrator,
    advance: Advance,
    equilibrate_with: MakeIntegrator | None = None,
    resume: bool = False,
    progress: Progress | None = None,
    about: dict[str, Any] | None = None,
) -> list[DynamicsResult]:
    """Run independent replicas of one molecule, each equilibrated with its own seed.

    Replica k writes the files of `run_dynamics` with seed ``options.seed + k`` into ``replica-k``. If a
    replica fails, the others continue. ``nve.json`` (``nvt.json``) in `folder` summarizes all.

    Parameters
    ----------
    atoms, calculator, options, resume, progress, about
        As for `run_dynamics`.
    folder
        Output folder; each replica has a folder in it.
    n_replicas
        Number of replicas.
    make_integrator
        Factory of the integrator of each replica.
    advance
        Advances several of these integrators at once.
    equilibrate_with
        Factory of the integrators of the equilibration, which `advance` advances, too; if None, ASE's
        integrators equilibrate one replica after another.

    Raises
    ------
    DataError
        As for `run_dynamics`.
    """
    report = progress or _no_progress
    folders = [folder / f"replica-{k}" for k in range(n_replicas)]
    for replica_folder in folders:
        if replica_folder.is_symlink():
            raise DataError(f"{replica_folder}: a symbolic link; expected a folder of this run or none")
    settings = RunSettings(resume=resume, about=about or {})
    own_options = [options.model_copy(update={"seed": options.seed + k}) for k in range(n_replicas)]
    prepared = [
        prepare_run(atoms, calculator, own, replica_folder, settings)
        for own, replica_folder in zip(own_options, folders, strict=True)
    ]
    with ExitStack() as open_files:
        runs = []
        if equilibrate_with is not None:
            equilibrate_runs(prepared, equilibrate_with, advance, partial(report, "equilibration"))
        for k, run in enumerate(prepared):
            if equilibrate_with is None:
                of_replica = partial(_progress_of_replica(report, k, n_replicas), "equilibration")
                equilibrate_runs([run], make_ase_integrator, _advance_one, of_replica)
            runs.append(begin_run(run, open_files, make_integrator))
        run_all(runs, advance, partial(report, "dynamics"))
    results = [_write_result(run, replica) for run, replica in zip(runs, folders, strict=True)]
    write_summary(results, options, folder)
    return results


def write_summary(results: Sequence[DynamicsResult], options: DynamicsOptions, folder: Path) -> None:
    """Write ``nve.json`` or ``nvt.json`` of all replicas.

    Parameters
    ----------
    results
        One for each replica.
    options
        Options of the replicas, with the seed of the first one.
    folder
        Folder of the replicas.
    """
    summary = {
        "n_replicas": len(results),
        "completed_steps": [result.completed_steps for result in results],
        "stopped_because": [result.stopped_because for result in results],
        "steps_per_second": sum(result.steps_per_second for result in results),
        "options": options.model_dump(),
        "unlike_training": list(results[0].unlike_training),
    }
    write_json(folder / f"{options.ensemble}.json", summary)


def _write_result(run: Run, folder: Path) -> DynamicsResult:
    """Write ``nve.json`` or ``nvt.json`` of a run that has ended, and return its content."""
    options = run.options
    result = DynamicsResult(
        completed_steps=run.step,
        stopped_because=run.stopped,
        steps_per_second=run.steps_per_second,
        ns_per_day=run.steps_per_second * options.timestep * 86400e-6,
        mean_temperature_K=run.recorder.mean_temperature_K,
        n_atoms=len(run.integrator.atoms),
        degrees_of_freedom=run.n_degrees,
        options=options,
        unlike_training=run.unlike_training,
    )
    write_json(folder / f"{options.ensemble}.json", result.to_json())
    return result


def _advance_one(integrators: Sequence[Integrator], n_steps: int) -> int:
    return integrators[0].advance(n_steps)


def _no_progress(phase: str, done: int, total: int) -> None:
    pass


def _progress_of_replica(report: Progress, k: int, n_replicas: int) -> Progress:
    """Report the steps of replica k as part of those of all replicas, which are prepared one after
    another."""
    return lambda phase, done, total: report(phase, k * total + done, n_replicas * total)
