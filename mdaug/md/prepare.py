"""Preparation of a run: start structure or restart file, checks, guard, equilibration, integrator."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError

from mdaug.calculators.applicability import mismatches
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md.ase_integrator import AseIntegrator, equilibrate
from mdaug.md.guard import Guard
from mdaug.md.loop import Integrator, MakeIntegrator, Run
from mdaug.md.options import DynamicsOptions
from mdaug.md.recorder import Recorder
from mdaug.md.restart import RESTART_FILE, Restart, read_restart, resumed_start, write_start

Progress = Callable[[str, int, int], None]
"""Called with (phase, steps done, steps in all); the phases are ``"equilibration"`` and ``"dynamics"``."""


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Settings of the preparation of a run.

    Parameters
    ----------
    resume
        Continue the run in the folder; if there is none, begin one.
    progress
        Called with (phase, steps done, steps in all).
    about
        JSON-compatible record kept in ``config.json``: which model, at which precision.
    make_integrator
        Factory of the integrator after the equilibration.
    """

    resume: bool
    progress: Progress
    about: dict[str, Any]
    make_integrator: MakeIntegrator


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
    atoms: Atoms,
    calculator: Calculator,
    options: DynamicsOptions,
    folder: Path,
    *,
    open_files: ExitStack,
    settings: RunSettings,
) -> Run:
    """Return a run at its first step, or at that of its restart file.

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
    open_files
        Context that closes the files of the run at its end.
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
    stopped = None
    rng = np.random.default_rng(options.seed)
    if restart is None:
        _check_calculator(moving)
    with_extrapolation = _gives_extrapolation(moving)
    _check_halt(options, with_extrapolation)
    write_start(folder, start, options, settings.about)
    if restart is None:
        stopped = equilibrate(moving, options, guard, rng, partial(settings.progress, "equilibration"))
    else:
        _find_molecules(calculator, start)  # bonds may have broken since
        moving.set_positions(restart.positions)
        moving.set_momenta(restart.momenta)
        if restart.random_state:
            rng.bit_generator.state = restart.random_state
    recorder = open_files.enter_context(
        Recorder(folder, start, options, restart, with_extrapolation=with_extrapolation)
    )
    if stopped:
        recorder.frame(moving.get_positions())
        no_forces = np.zeros((len(moving), 3))
        integrator = make_ase_integrator(moving, options, rng, no_forces)
    else:
        integrator = settings.make_integrator(moving, options, rng, restart.forces if restart else None)
    run = Run(integrator, options, guard, recorder)
    run.unlike_training = tuple(mismatches(start, getattr(calculator, "manifest", {})))
    if stopped:
        run.stopped = stopped
    else:
        run.begin(restart.step if restart else None)
    return run


def _restart(folder: Path, atoms: Atoms, options: DynamicsOptions, resume: bool) -> Restart | None:
    if not resume:
        if (folder / RESTART_FILE).exists():
            raise DataError(
                f"{folder} holds another run; continue it with --resume, or give another folder with --out"
            )
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
        raise DataError("the start structure has positions that are not finite")
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
    except CalculatorError as error:
        raise DataError(f"the calculator cannot evaluate the start structure: {error}") from error
    if not finite:
        raise DataError("the calculator gives energy or forces that are not finite at the start structure")
