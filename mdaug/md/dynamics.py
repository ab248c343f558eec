"""One molecular dynamics run, from a structure to its files."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError

from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom
from mdaug.md.ase_integrator import AseEngine
from mdaug.md.equilibration import equilibrate
from mdaug.md.guard import Guard
from mdaug.md.loop import Engine, Run, drive
from mdaug.md.options import DynamicsOptions
from mdaug.md.recorder import Recorder
from mdaug.md.restart import RESTART_FILE, Restart, read_restart
from mdaug.md.start_record import resumed_start, write_start

Progress = Callable[[str, int, int], None]
"""Called with (phase, steps done, steps in all); the phases are ``"equilibration"`` and ``"dynamics"``."""


MakeEngine = Callable[[Atoms, DynamicsOptions, np.random.Generator, FloatArray | None], Engine]


@dataclass(frozen=True)
class DynamicsResult:
    """How a run ended.

    Parameters
    ----------
    completed_steps
        Steps on disk, those before a resume included.
    stopped_because
        The guard's reason, None for a run that took all its steps.
    steps_per_second
        Of wall time, in this process, without the equilibration.
    mean_temperature_K
        Over all rows of the thermo table.
    """

    completed_steps: int
    stopped_because: str | None
    steps_per_second: float
    ns_per_day: float
    mean_temperature_K: float | None
    n_atoms: int
    degrees_of_freedom: int
    options: DynamicsOptions

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
    make_engine: MakeEngine | None = None,
) -> DynamicsResult:
    """Equilibrate `atoms` and run molecular dynamics, writing into `folder` as it goes.

    The folder gets ``config.json``, ``thermo.csv``, ``topology.pdb`` and ``trajectory.dcd``, ``restart.npz``
    and, at the end, ``nve.json`` or ``nvt.json``. After a kill, ``resume=True`` continues: the files are cut
    back to the restart file and the run goes on as if it had never ended, bit for bit if the calculator
    depends on positions alone. A run killed before its first restart file begins anew, from the same seed.

    Parameters
    ----------
    atoms
        Start structure; not changed. Its momenta are not used.
    calculator
        Any ASE calculator with energy and forces; it equilibrates.
    about
        Kept in ``config.json`` for whoever resumes: which model, at which precision.
    make_engine
        What moves the atoms after the equilibration, made of atoms (with calculator and momenta), options,
        noise and known forces; ASE's integrators if None.

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
    report = progress or (lambda phase, done, total: None)
    with ExitStack() as open_files:
        run = prepare(
            atoms,
            calculator,
            options,
            Path(folder),
            open_files,
            resume=resume,
            progress=report,
            about=about,
            make_engine=make_engine or with_ase,
        )
        drive([run], lambda engines, n_steps: engines[0].advance(n_steps), partial(report, "dynamics"))
    return finish(run, Path(folder))


def prepare(
    atoms: Atoms,
    calculator: Calculator,
    options: DynamicsOptions,
    folder: Path,
    open_files: ExitStack,
    *,
    resume: bool,
    progress: Progress,
    about: dict[str, Any] | None,
    make_engine: MakeEngine,
) -> Run:
    """Return a run at its first step, or at that of its restart file; parameters as for `run_dynamics`."""
    folder.mkdir(parents=True, exist_ok=True)
    start = resumed_start(folder, atoms, options) if resume else atoms
    _check_structure(start)
    restart = _restart(folder, start, options, resume)
    write_start(folder, start, options, about or {})
    moving = Atoms(start.numbers, start.positions, masses=start.get_masses(), cell=start.cell, pbc=start.pbc)
    moving.calc = calculator
    guard = Guard(start, options)
    stopped = None
    rng = np.random.default_rng(options.seed)
    if restart is None:
        _check_calculator(moving)
        stopped = equilibrate(moving, options, guard, rng, partial(progress, "equilibration"))
    else:
        moving.set_positions(restart.positions)
        moving.set_momenta(restart.momenta)
        if restart.random_state:
            rng.bit_generator.state = restart.random_state
    recorder = open_files.enter_context(Recorder(folder, start, options, restart))
    if stopped:
        recorder.frame(moving.get_positions())
        run = Run(with_ase(moving, options, rng, np.zeros((len(moving), 3))), options, guard, recorder)
        run.stopped = stopped
        return run
    engine = make_engine(moving, options, rng, restart.forces if restart else None)
    run = Run(engine, options, guard, recorder)
    run.begin(restart.step if restart else None)
    return run


def with_ase(
    atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
) -> Engine:
    """Return what moves `atoms` with their ASE calculator."""
    return AseEngine(atoms, options.ensemble, options, rng, forces)


def finish(run: Run, folder: Path) -> DynamicsResult:
    """Write ``nve.json`` or ``nvt.json`` of a run that has ended, and return its content."""
    options = run.options
    result = DynamicsResult(
        completed_steps=run.step,
        stopped_because=run.stopped,
        steps_per_second=run.steps_per_second,
        ns_per_day=run.steps_per_second * options.timestep * 86400e-6,
        mean_temperature_K=run.recorder.mean_temperature_K,
        n_atoms=len(run.engine.atoms),
        degrees_of_freedom=run.n_degrees,
        options=options,
    )
    write_json(folder / f"{options.ensemble}.json", result.to_json())
    return result


def _restart(folder: Path, atoms: Atoms, options: DynamicsOptions, resume: bool) -> Restart | None:
    if not resume:
        if (folder / RESTART_FILE).exists():
            raise DataError(f"{folder} holds another run; resume it, or choose another folder")
        return None
    restart = read_restart(folder, len(atoms))
    if restart is not None and restart.step > options.steps:
        raise DataError(
            f"{folder}: the run is at step {restart.step} already, beyond --steps {options.steps}"
        )
    return restart


def _check_structure(atoms: Atoms) -> None:
    if atoms.constraints:
        raise DataError(
            "the start structure has constraints (fixed atoms), which are not supported; remove them"
        )
    if not np.isfinite(atoms.positions).all():
        raise DataError("the start structure has positions that are not finite")
    if degrees_of_freedom(atoms) <= 0:
        raise DataError(
            f"{atoms.symbols}: nothing is left to move without translation; give at least two atoms"
        )


def _check_calculator(atoms: Atoms) -> None:
    """Evaluate the start structure, so that a calculator which cannot do so says it before anything moves."""
    try:
        finite = np.isfinite(atoms.get_forces()).all() and np.isfinite(atoms.get_potential_energy())
    except CalculatorError as error:
        raise DataError(f"the calculator cannot evaluate the start structure: {error}") from error
    if not finite:
        raise DataError("the calculator gives energy or forces that are not finite at the start structure")
