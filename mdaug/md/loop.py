"""Loop over the steps of one or several runs, up to the next step that is recorded, checked or saved."""

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from ase import Atoms

from mdaug.calculators.failures import calculator_failed
from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom, temperature_K
from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions
from mdaug.md.recorder import Recorder, State


class Integrator(Protocol):
    """Moves the atoms of a run.

    Parameters
    ----------
    atoms
        Positions and momenta are those of the last step taken.
    forces
        At these positions, shape (n_atoms, 3), eV/Å.
    rng
        Noise of the thermostat, whose state the restart file contains; None without a thermostat.
    """

    atoms: Atoms
    forces: FloatArray

    @property
    def rng(self) -> np.random.Generator | None:
        """Noise of the thermostat; read-only, so that integrators may narrow the type."""

    def advance(self, n_steps: int) -> int:
        """Take steps.

        Parameters
        ----------
        n_steps
            Number of steps.

        Returns
        -------
        int
            Steps taken: fewer than `n_steps` when forces are no longer finite.
        """

    @property
    def potential_eV(self) -> float:
        """Potential energy at the current positions."""

    @property
    def extrapolation(self) -> FloatArray | None:
        """Extrapolation of each atom at the current positions, shape (n_atoms,); None if it is not known."""


PAUSE_FACTOR = 9.0
"""Least time between restart files, in units of the time that writing them takes."""

MakeIntegrator = Callable[[Atoms, DynamicsOptions, np.random.Generator, FloatArray | None], Integrator]
"""Factory of an integrator, called with atoms (with calculator and momenta), options, noise, and forces if
known (eV/Å)."""

Advance = Callable[[list[Integrator], int], int]
"""Advances several integrators by a number of steps at once and returns the number of steps taken."""


class Run:
    """One run: its integrator, its guard, and its files.

    Parameters
    ----------
    integrator
        Moves the atoms.
    options
        Length of the run and intervals of its records.
    guard
        Checks every recorded state.
    recorder
        Writes the files.

    Attributes
    ----------
    step
        Steps taken, including those before a resume.
    stopped
        Reason why the run ended early, or None.
    steps_per_second
        Speed by wall time in `run_all`.
    unlike_training
        How the start structure differs from the model's training frames, each a sentence.
    """

    def __init__(
        self, integrator: Integrator, options: DynamicsOptions, guard: Guard, recorder: Recorder
    ) -> None:
        self.integrator, self.options, self.guard, self.recorder = integrator, options, guard, recorder
        self.n_degrees = degrees_of_freedom(integrator.atoms)
        self.step, self.stopped, self.steps_per_second = 0, None, 0.0  # type: int, str | None, float
        self.unlike_training: tuple[str, ...] = ()

    def begin(self, resumed_at: int | None) -> None:
        """Record the first state, or continue at a step whose state is on the disk.

        Parameters
        ----------
        resumed_at
            Step of the restart file; None for a new run.
        """
        if resumed_at is None:
            self.observe()
            if not self.stopped:
                self.checkpoint()
        else:
            self.step = resumed_at
        self._first = self.step

    @property
    def ended(self) -> bool:
        """Whether no step is left to take."""
        return self.stopped is not None or self.step >= self.options.steps

    def observe(self) -> None:
        """Check the state, which may stop the run, and record it if a record is due or the run was
        stopped."""
        potential, kinetic = self.integrator.potential_eV, float(self.integrator.atoms.get_kinetic_energy())
        positions = self.integrator.atoms.get_positions()
        extrapolation = self.integrator.extrapolation
        violation = self.guard.violation(positions, potential, kinetic, extrapolation)
        if violation or self.step % self.options.thermo_every == 0:
            temperature = temperature_K(kinetic, self.n_degrees)
            largest = None if extrapolation is None else float(extrapolation.max())
            self.recorder.row(
                self.step, potential, kinetic, temperature, self.integrator.forces, extrapolation=largest
            )
        if violation or self.step % self.options.frames_every == 0:
            self.recorder.frame(positions)
        if violation:
            self.stopped = f"{violation}, at step {self.step}"

    def checkpoint(self) -> None:
        """Write all buffered data to disk."""
        atoms, rng = self.integrator.atoms, self.integrator.rng
        noise: dict[str, Any] = {} if rng is None else dict(rng.bit_generator.state)
        self.recorder.checkpoint(
            State(self.step, atoms.get_positions(), atoms.get_momenta(), self.integrator.forces, noise)
        )

    def end(self, seconds: float) -> None:
        """Write the last state to disk, unless the guard stopped the run.

        Parameters
        ----------
        seconds
            Wall time of the steps.
        """
        if self.step > self._first:
            self.steps_per_second = (self.step - self._first) / seconds
            if not self.stopped:
                self.checkpoint()


def run_all(runs: list[Run], advance: Advance, progress: Callable[[int, int], None]) -> None:
    """Advance every run to its last step or until its guard stops it; the other runs continue.

    Parameters
    ----------
    runs
        Runs with the same options except the seed. If they are at different steps (after a kill), those ahead
        wait for the last one.
    advance
        Advances several integrators at once.
    progress
        Called with (steps done by the last run, steps in all).
    """
    began = written = time.perf_counter()
    pause_s = runs[0].options.checkpoint_every if runs else 0.0
    while unfinished := [run for run in runs if not run.ended]:
        step = min(run.step for run in unfinished)
        together = [run for run in unfinished if run.step == step]
        ahead = [run.step for run in unfinished if run.step > step]
        _advance(together, advance, min([_next_observed_step(together[0]), *ahead]))
        progress(together[0].step, together[0].options.steps)
        before = time.perf_counter()
        if before - written >= pause_s:
            for run in together:
                if not run.stopped:
                    run.checkpoint()
            written = time.perf_counter()
            if pause_s > 0.0:  # files of hundreds of replicas take seconds
                pause_s = max(together[0].options.checkpoint_every, PAUSE_FACTOR * (written - before))
        for run in together:
            if run.ended:
                run.end(time.perf_counter() - began)


def _advance(runs: list[Run], advance: Advance, target: int) -> None:
    """Advance runs that are at the same step to the step `target` and observe them."""
    try:
        done = advance([run.integrator for run in runs], target - runs[0].step)
    except Exception as error:
        if not calculator_failed(error, runs[0].integrator.atoms.calc):
            raise
        for run in runs:
            run.stopped = f"the calculator failed after step {run.step}: {error}"
        return
    for run in runs:
        run.step += done
        try:
            run.observe()
        except Exception as error:
            if not calculator_failed(error, run.integrator.atoms.calc):
                raise
            run.stopped = f"the calculator failed after step {run.step}: {error}"


def _next_observed_step(run: Run) -> int:
    """Return the next step that is recorded, or the last one."""
    options = run.options
    return min(
        *((run.step // every + 1) * every for every in (options.thermo_every, options.frames_every)),
        options.steps,
    )
