"""Advances one or several runs from one look to the next: rows, frames, guard, restart files."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError

from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K
from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions
from mdaug.md.recorder import Recorder, State


class Engine(Protocol):
    """Atoms in motion, whatever moves them.

    Parameters
    ----------
    atoms
        Positions and momenta are those of the last step taken.
    forces
        At these positions, eV/Å.
    rng
        Of the thermostat's noise, which the restart file keeps; None where there is none.
    """

    atoms: Atoms
    forces: FloatArray

    @property
    def rng(self) -> np.random.Generator | None:
        """See above; read only, so that an engine may promise one."""

    def advance(self, n_steps: int) -> int:
        """Take `n_steps` steps and return how many were taken: fewer when forces are no longer finite."""

    @property
    def potential_eV(self) -> float:
        """Potential energy at the current positions."""


class Run:
    """One run: what moves its atoms, who looks at them, and where that is written.

    Attributes
    ----------
    step
        Steps taken, those before a resume included.
    stopped
        What ended the run early, or None.
    steps_per_second
        Of wall time in `drive`.
    """

    def __init__(self, engine: Engine, options: DynamicsOptions, guard: Guard, recorder: Recorder) -> None:
        self.engine, self.options, self.guard, self.recorder = engine, options, guard, recorder
        self.n_degrees = degrees_of_freedom(engine.atoms)
        self.step, self.stopped, self.steps_per_second = 0, None, 0.0  # type: int, str | None, float

    def begin(self, resumed_at: int | None) -> None:
        """Record the first state, or go on at a step whose state is on the disk."""
        if resumed_at is None:
            self.look()
            if not self.stopped:
                self.checkpoint()
        else:
            self.step = resumed_at
        self._first = self.step

    @property
    def ended(self) -> bool:
        """Whether no step is left to take."""
        return self.stopped is not None or self.step >= self.options.steps

    def look(self) -> None:
        """Record the state if it is time to, or if it is broken, which stops the run."""
        potential, kinetic = self.engine.potential_eV, float(self.engine.atoms.get_kinetic_energy())
        positions = self.engine.atoms.get_positions()
        broken = self.guard.complaint(positions, potential, kinetic)
        if broken or self.step % self.options.thermo_every == 0:
            temperature = temperature_K(kinetic, self.n_degrees)
            self.recorder.row(self.step, potential, kinetic, temperature, self.engine.forces)
        if broken or self.step % self.options.frames_every == 0:
            self.recorder.frame(positions)
        if broken:
            self.stopped = f"{broken}, at step {self.step}"

    def checkpoint(self) -> None:
        """Put all files on the disk."""
        engine = self.engine
        momenta, positions = engine.atoms.get_momenta(), engine.atoms.get_positions()
        noise: dict[str, Any] = {} if engine.rng is None else dict(engine.rng.bit_generator.state)
        self.recorder.checkpoint(State(self.step, positions, momenta, engine.forces, noise))

    def end(self, seconds: float) -> None:
        """Put the last state on the disk, unless it is broken; the steps took so many seconds."""
        if self.step > self._first:
            self.steps_per_second = (self.step - self._first) / seconds
            if not self.stopped:
                self.checkpoint()


def drive(
    runs: list[Run],
    advance: Callable[[list[Engine], int], int],
    progress: Callable[[int, int], None],
) -> None:
    """Take every run to its last step, or to where its guard stops it; the others go on without it.

    Parameters
    ----------
    runs
        All with the same options, but for the seed. Runs at different steps (they were killed) wait for the
        last one.
    advance
        Moves several engines by so many steps at once.
    progress
        Told the steps that the last one has done, and of how many.
    """
    began = written = time.perf_counter()
    while going := [run for run in runs if not run.ended]:
        step = min(run.step for run in going)
        together = [run for run in going if run.step == step]
        _advance(together, advance, min([_next_look(together[0]), *(r.step for r in going if r.step > step)]))
        progress(together[0].step, together[0].options.steps)
        if time.perf_counter() - written >= together[0].options.checkpoint_every:
            for run in together:
                if not run.stopped:
                    run.checkpoint()
            written = time.perf_counter()
        for run in together:
            if run.ended:
                run.end(time.perf_counter() - began)


def _advance(runs: list[Run], advance: Callable[[list[Engine], int], int], wanted: int) -> None:
    try:
        done = advance([run.engine for run in runs], wanted - runs[0].step)
    except CalculatorError as error:
        for run in runs:
            run.stopped = f"the calculator failed after step {run.step}: {error}"
        return
    for run in runs:
        run.step += done
        try:
            run.look()
        except CalculatorError as error:
            run.stopped = f"the calculator failed after step {run.step}: {error}"


def _next_look(run: Run) -> int:
    """The next step that anyone wants to look at."""
    options = run.options
    return min(
        *((run.step // every + 1) * every for every in (options.thermo_every, options.frames_every)),
        options.steps,
    )
