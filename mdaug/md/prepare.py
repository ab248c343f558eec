"""Preparation of a run: start structure or restart file, checks, guard, equilibration, integrator."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.calculators.applicability import mismatches
from mdaug.calculators.failures import calculator_failed
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md.ase_integrator import AseIntegrator
from mdaug.md.equilibration import Start, equilibrate
from mdaug.md.guard import Guard
from mdaug.md.loop import Advance, Integrator, MakeIntegrator, Run
from mdaug.md.options import DynamicsOptions
from mdaug.md.recorder import Recorder
from mdaug.md.restart import (
    RESTART_FILE,
    Restart,
    read_restart,
    refuse_other_files,
    resumed_start,
    write_start,
)

Progress = Callable[[str, int, int], None]
"""Called with (phase, steps done, steps in all); the phases are ``"equilibration"`` and ``"dynamics"``."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of the preparation of a run.

    Parameters
    ----------
    resume
        Continue the run in the folder; if there is none, begin one.
    about
        JSON-compatible record kept in ``config.json``: which model, at which precision.
    """

    resume: bool
    about: dict[str, Any]


@dataclass
class PreparedRun:
    """A run that is checked, but not equilibrated.

    Parameters
    ----------
    folder
        Output folder.
    start
        The start structure.
    moving
        Its atoms with calculator; with momenta if the run is resumed.
    options
        Options of the run.
    guard
        Checks every recorded state.
    rng
        Random numbers of momenta and noise.
    restart
        State of a resumed run; None for a new one.
    with_extrapolation
        Whether the calculator gives the extrapolation.
    stopped
        Why the equilibration ended early; None if it did not.
    """

    folder: Path
    start: Atoms
    moving: Atoms
    options: DynamicsOptions
    guard: Guard
    rng: np.random.Generator
    restart: Restart | None
    with_extrapolation: bool
    stopped: str | None = None


def make_ase_integrator(
    atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
) -> Integrator:
    """Return the integrator of `atoms` with their ASE calculator.

    Parameters
    ----------
    atoms
        Atoms with calculator and momenta; moved in place.
    options
        Ensemble, time step, temperature and friction.
    rng
        Noise of the thermostat.
    forces
        At the current positions, shape (n_atoms, 3), eV/Å; computed if None.
    """
    return AseIntegrator(atoms, options.ensemble, options, rng, forces)


def prepare_run(
    atoms: Atoms, calculator: Calculator, options: DynamicsOptions, folder: Path, settings: RunSettings
) -> PreparedRun:
    """Return a run at its start structure, or at the state of its restart file.

    Parameters
    ----------
    atoms
        Start structure; not changed.
    calculator
        Any ASE calculator with energy and forces.
    options
        Options of the run.
    folder
        Output folder; created if it does not exist.
    settings
        Settings of the preparation.

    Raises
    ------
    DataError
        If the structure cannot be simulated, the folder holds another run, or the restart does not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    start = resumed_start(folder, atoms, options) if settings.resume else atoms
    _check_structure(start)
    restart = _restart(folder, start, options, settings.resume)
    moving = Atoms(start.numbers, start.positions, masses=start.get_masses(), cell=start.cell, pbc=start.pbc)
    moving.calc = calculator
    guard = Guard(start, options, _training_bonds(calculator))
    rng = np.random.default_rng(options.seed)
    if restart is None:
        _check_calculator(moving)
    with_extrapolation = _gives_extrapolation(moving)
    _check_halt(options, with_extrapolation)
    write_start(folder, start, options, settings.about)
    if restart is not None:
        _find_molecules(calculator, start)  # bonds may have broken since
        moving.set_positions(restart.positions)
        moving.set_momenta(restart.momenta)
        if restart.random_state:
            rng.bit_generator.state = restart.random_state
    return PreparedRun(folder, start, moving, options, guard, rng, restart, with_extrapolation)


def equilibrate_runs(
    runs: Sequence[PreparedRun],
    make_integrator: MakeIntegrator,
    advance: Advance,
    progress: Callable[[int, int], None],
) -> None:
    """Equilibrate those of several runs that are not resumed, as one batch.

    Parameters
    ----------
    runs
        Runs with the same options but for the seed; their atoms move, and `stopped` is set.
    make_integrator
        Factory of the integrators of the thermostat.
    advance
        Advances several of these integrators at once.
    progress
        Called with (steps done, steps in all).
    """
    new = [run for run in runs if run.restart is None]
    if not new:
        return
    starts = [Start(run.moving, run.options, run.guard, run.rng) for run in new]
    for run, stopped in zip(new, equilibrate(starts, make_integrator, advance, progress), strict=True):
        run.stopped = stopped


def begin_run(prepared: PreparedRun, open_files: ExitStack, make_integrator: MakeIntegrator) -> Run:
    """Return a run at its first step, or at that of its restart file, with its files open.

    Parameters
    ----------
    prepared
        The run, equilibrated.
    open_files
        Context that closes the files of the run at its end.
    make_integrator
        Factory of the integrator.
    """
    moving, options, restart = prepared.moving, prepared.options, prepared.restart
    recorder = open_files.enter_context(
        Recorder(
            prepared.folder,
            prepared.start,
            options,
            restart,
            with_extrapolation=prepared.with_extrapolation,
        )
    )
    if prepared.stopped:
        recorder.frame(moving.get_positions())
        integrator = make_ase_integrator(moving, options, prepared.rng, np.zeros((len(moving), 3)))
    else:
        integrator = make_integrator(moving, options, prepared.rng, restart.forces if restart else None)
    run = Run(integrator, options, prepared.guard, recorder)
    run.unlike_training = tuple(mismatches(prepared.start, getattr(moving.calc, "manifest", {})))
    if prepared.stopped:
        run.stopped = prepared.stopped
    else:
        run.begin(restart.step if restart else None)
    return run


def _restart(folder: Path, atoms: Atoms, options: DynamicsOptions, resume: bool) -> Restart | None:
    if not resume:
        if (folder / RESTART_FILE).exists():
            raise DataError(
                f"{folder} holds another run; continue it with --resume, or give another folder with --out"
            )
        refuse_other_files(folder)
        return None
    restart = read_restart(folder, len(atoms))
    if restart is not None and restart.step > options.steps:
        raise DataError(
            f"{folder}: the run is at step {restart.step} already, beyond --steps {options.steps}"
        )
    return restart


def _training_bonds(calculator: Calculator) -> TrainingBonds | None:
    """Return the bonds in a model's manifest; None for other calculators and manifests without bonds."""
    try:
        return TrainingBonds.from_manifest(getattr(calculator, "manifest", {}))
    except DataError:
        return None


def _find_molecules(calculator: Calculator, start: Atoms) -> None:
    """Let a model with a baseline find its molecules in the start structure; do nothing for others."""
    find = getattr(calculator, "find_molecules", None)
    if find is not None:
        find(start)


def _check_structure(atoms: Atoms) -> None:
    if atoms.constraints:
        raise DataError(
            "the start structure has constraints (fixed atoms), which are not supported; remove them"
        )
    if not np.isfinite(atoms.positions).all():
        raise DataError("the start structure has positions that are not finite; give another one")
    if degrees_of_freedom(atoms) <= 0:
        raise DataError(f"{atoms.symbols}: a single atom has no internal motion; give at least two atoms")


def _gives_extrapolation(atoms: Atoms) -> bool:
    return getattr(atoms.calc, "gives_extrapolation", False)


def _check_halt(options: DynamicsOptions, with_extrapolation: bool) -> None:
    """Refuse a limit of the extrapolation for a calculator that does not give it."""
    if options.halt_above is not None and not with_extrapolation:
        raise DataError(
            f"--halt-above {options.halt_above:g}: the calculator gives no extrapolation; use a model.pt "
            "with statistics of its training frames (`mdaug export RUN` adds them to an earlier model)"
        )


def _check_calculator(atoms: Atoms) -> None:
    """Evaluate the start structure, so that a failing calculator is reported before the dynamics."""
    try:
        finite = np.isfinite(atoms.get_forces()).all() and np.isfinite(atoms.get_potential_energy())
    except Exception as error:
        if not calculator_failed(error, atoms.calc):
            raise
        raise DataError(f"the calculator cannot evaluate the start structure: {error}") from error
    if not finite:
        raise DataError(
            "the calculator gives energy or forces that are not finite at the start structure; give another "
            "one"
        )
