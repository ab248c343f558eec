"""One molecular dynamics run, from a structure to its files."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, CalculatorError

from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.simulate.ase_engine import AseEngine
from mdaug.simulate.equilibration import equilibrate
from mdaug.simulate.guard import Guard
from mdaug.simulate.options import DynamicsOptions
from mdaug.simulate.recorder import Recorder, State
from mdaug.simulate.restart import RESTART_FILE, Restart, read_restart
from mdaug.simulate.rigid_body import degrees_of_freedom, temperature_K
from mdaug.simulate.start_record import resumed_start, write_start

Progress = Callable[[str, int, int], None]
"""Called with (phase, steps done, steps in all); the phases are ``"equilibration"`` and ``"dynamics"``."""


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
        """Return the content of ``nve.json``."""
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
) -> DynamicsResult:
    """Equilibrate `atoms` and run molecular dynamics, writing into `folder` as it goes.

    The folder gets ``config.json``, ``thermo.csv``, ``topology.pdb`` and ``trajectory.dcd``, ``restart.npz``
    and, at the end, ``nve.json``. After a kill, ``resume=True`` continues: the files are cut back to the
    restart file and the run goes on as if it had never ended, bit for bit if the calculator depends on
    positions alone. A run killed before its first restart file begins anew, from the same seed.

    Parameters
    ----------
    atoms
        Start structure; not changed. Its momenta are not used.
    calculator
        Any ASE calculator with energy and forces.
    about
        Kept in ``config.json`` for whoever resumes: which model, at which precision.

    Raises
    ------
    DataError
        If the structure cannot be simulated, the folder holds another run, or the restart does not fit.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    start = resumed_start(folder, atoms, options) if resume else atoms
    _check_structure(start)
    restart = _restart(folder, start, options, resume)
    write_start(folder, start, options, about or {})
    moving = Atoms(start.numbers, start.positions, masses=start.get_masses(), cell=start.cell, pbc=start.pbc)
    moving.calc = calculator
    guard = Guard(start, options)
    report = progress or (lambda phase, done, total: None)
    stopped = None
    rng = np.random.default_rng(options.seed)
    if restart is None:
        _check_calculator(moving)
        stopped = equilibrate(moving, options, guard, rng, partial(report, "equilibration"))
    else:
        moving.set_positions(restart.positions)
        moving.set_momenta(restart.momenta)
        rng.bit_generator.state = restart.random_state
    with Recorder(folder, start, options, restart) as recorder:
        if stopped:
            recorder.frame(moving.get_positions())
            result = _result(recorder, options, start, (0, stopped, 0.0))
        else:
            engine = AseEngine(moving, options.ensemble, options, rng, restart.forces if restart else None)
            result = _Loop(engine, options, guard, recorder, partial(report, "dynamics")).run(restart)
    write_json(folder / "nve.json", result.to_json())
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


class _Loop:
    """Advances the engine from one look to the next: rows, frames, guard, restart file."""

    def __init__(
        self,
        engine: AseEngine,
        options: DynamicsOptions,
        guard: Guard,
        recorder: Recorder,
        progress: Callable[[int, int], None],
    ) -> None:
        self.engine, self.options, self.guard = engine, options, guard
        self.recorder, self.progress = recorder, progress
        self.n_degrees = degrees_of_freedom(engine.atoms)

    def run(self, restart: Restart | None) -> DynamicsResult:
        """Go to the last step, or to where the guard stops."""
        step, stopped = (restart.step, None) if restart else (0, self._look(0))
        if restart is None and not stopped:
            self._checkpoint(0)
        first = step
        began = written = time.perf_counter()
        while step < self.options.steps and not stopped:
            step, stopped = self._advance(step)
            self.progress(step, self.options.steps)
            if not stopped and time.perf_counter() - written >= self.options.checkpoint_every:
                self._checkpoint(step)
                written = time.perf_counter()
        rate = (step - first) / (time.perf_counter() - began) if step > first else 0.0
        if step > first and not stopped:
            self._checkpoint(step)
        return _result(self.recorder, self.options, self.engine.atoms, (step, stopped, rate))

    def _advance(self, step: int) -> tuple[int, str | None]:
        """Go on to the next step that anyone wants to look at."""
        options = self.options
        wanted = min(_next(step, options.thermo_every), _next(step, options.frames_every), options.steps)
        try:
            step += self.engine.advance(wanted - step)
            return step, self._look(step)
        except CalculatorError as error:
            return step, f"the calculator failed after step {step}: {error}"

    def _look(self, step: int) -> str | None:
        """Record the state if it is time to, or if it is broken; return what is wrong with it."""
        potential, kinetic = self.engine.potential_eV, self.engine.kinetic_eV
        positions = self.engine.atoms.get_positions()
        broken = self.guard.complaint(positions, potential, kinetic)
        if broken or step % self.options.thermo_every == 0:
            self.recorder.row(step, potential, kinetic, temperature_K(kinetic, self.n_degrees))
        if broken or step % self.options.frames_every == 0:
            self.recorder.frame(positions)
        return f"{broken}, at step {step}" if broken else None

    def _checkpoint(self, step: int) -> None:
        engine = self.engine
        momenta, positions = engine.atoms.get_momenta(), engine.atoms.get_positions()
        self.recorder.checkpoint(State(step, positions, momenta, engine.forces, engine.random_state))


def _result(
    recorder: Recorder, options: DynamicsOptions, atoms: Atoms, ending: tuple[int, str | None, float]
) -> DynamicsResult:
    step, stopped, steps_per_second = ending
    return DynamicsResult(
        completed_steps=step,
        stopped_because=stopped,
        steps_per_second=steps_per_second,
        ns_per_day=steps_per_second * options.timestep * 86400e-6,
        mean_temperature_K=recorder.mean_temperature_K,
        n_atoms=len(atoms),
        degrees_of_freedom=degrees_of_freedom(atoms),
        options=options,
    )


def _next(step: int, every: int) -> int:
    return (step // every + 1) * every
