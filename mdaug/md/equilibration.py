"""Equilibration of one or several runs by the thermostat, before their first step."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from mdaug.calculators.failures import calculator_failed
from mdaug.geometry.rigid_motion import n_rigid_motions, thermal_momenta
from mdaug.md.guard import Guard
from mdaug.md.loop import Advance, Integrator, MakeIntegrator
from mdaug.md.options import DynamicsOptions

OBSERVE_EVERY = 10
"""Steps of the equilibration between checks of the guard."""


class Start(NamedTuple):
    """Start of a run.

    Parameters
    ----------
    atoms
        Atoms with calculator; positions and momenta change.
    options
        Time step, temperature, friction, seed and length of the equilibration.
    guard
        Checks the state every `OBSERVE_EVERY` steps.
    rng
        Random numbers of momenta and noise.
    """

    atoms: Atoms
    options: DynamicsOptions
    guard: Guard
    rng: np.random.Generator


def equilibrate(
    starts: Sequence[Start],
    make_integrator: MakeIntegrator,
    advance: Advance,
    progress: Callable[[int, int], None],
) -> list[str | None]:
    """Give atoms thermal momenta and run the thermostat for ``options.equilibration``, in place.

    The total energy in the canonical ensemble scatters by √(3N − 6) k_B T, and an NVE run keeps the energy of
    its first step: the mean temperature of a run of ethanol would be off by a fifth. Before NVE the
    thermostat therefore continues (at most as long again) until the total energy crosses its mean over the
    second half.

    Parameters
    ----------
    starts
        One for each run; their options are the same but for the seed.
    make_integrator
        Factory of the integrators of the thermostat.
    advance
        Advances several of these integrators at once.
    progress
        Called with (steps done, steps in all).

    Returns
    -------
    list of str or None
        For each run the violation that the guard detected, which ends its equilibration; None without one.
    """
    for start in starts:
        positions, masses = start.atoms.get_positions(), start.atoms.get_masses()
        kelvin, n_rigid = start.options.temperature, n_rigid_motions(start.atoms)
        start.atoms.set_momenta(thermal_momenta(positions, masses, kelvin, n_rigid, start.rng))
    options = starts[0].options
    n_steps = round(1000.0 * options.equilibration / options.timestep)
    if n_steps == 0:
        return [None] * len(starts)
    equilibration = _Equilibration(starts, advance, n_steps)
    try:
        equilibration.run(make_integrator, progress)
    except Exception as error:
        if not calculator_failed(error, starts[0].atoms.calc):
            raise
        equilibration.stop_all(error)
    return equilibration.stopped


class _Equilibration:
    """Runs that are equilibrated together, and what the guard has stopped."""

    def __init__(self, starts: Sequence[Start], advance: Advance, n_steps: int) -> None:
        self.starts, self.advance, self.n_steps, self.done = starts, advance, n_steps, 0
        self.stopped: list[str | None] = [None] * len(starts)
        self._timestep = starts[0].options.timestep
        self._constant_energy = starts[0].options.ensemble == "nve"
        self._energies: list[list[float]] = [[] for _ in starts]
        self._integrators: list[Integrator] = []

    def run(self, make_integrator: MakeIntegrator, progress: Callable[[int, int], None]) -> None:
        for start in self.starts:
            thermostat = start.options.model_copy(update={"ensemble": "nvt"})
            self._integrators.append(make_integrator(start.atoms, thermostat, start.rng, None))
        while self.done < self.n_steps and self._running:
            self._advance(self._running, self._steps_at_once())
            if self._constant_energy and 2 * self.done > self.n_steps:
                for k in self._running:
                    self._energies[k].append(self._total_energy(k))
            if self.done % OBSERVE_EVERY == 0 or self.done == self.n_steps:
                progress(self.done, self.n_steps)
                self._observe()
        if self._constant_energy:
            self._advance_to_mean_energies()

    def stop_all(self, error: Exception) -> None:
        reason = f"the calculator failed {self.done * self._timestep:g} fs into the equilibration: {error}"
        for k in self._running:
            self.stopped[k] = reason

    @property
    def _running(self) -> list[int]:
        return [k for k, reason in enumerate(self.stopped) if reason is None]

    def _advance(self, runs: list[int], n_steps: int) -> None:
        integrators = [self._integrators[k] for k in runs]
        self.done += self.advance(integrators, n_steps)
        if not all(np.isfinite(integrator.forces).all() for integrator in integrators):
            self._observe()  # before the next step, which may fail for such momenta

    def _steps_at_once(self) -> int:
        """Return the steps to the next check of the guard, or one where energies of all steps are needed."""
        if self._constant_energy and 2 * (self.done + 1) > self.n_steps:
            return 1
        last = self.n_steps // 2 if self._constant_energy else self.n_steps
        return min((self.done // OBSERVE_EVERY + 1) * OBSERVE_EVERY, last) - self.done

    def _observe(self) -> None:
        for k in self._running:
            atoms, integrator = self.starts[k].atoms, self._integrators[k]
            violation = self.starts[k].guard.violation(
                atoms.get_positions(),
                integrator.potential_eV,
                atoms.get_kinetic_energy(),
                integrator.extrapolation,
            )
            if violation:
                self.stopped[k] = f"{violation}, {self.done * self._timestep:g} fs into the equilibration"

    def _total_energy(self, k: int) -> float:
        return float(self._integrators[k].potential_eV + self.starts[k].atoms.get_kinetic_energy())

    def _advance_to_mean_energies(self) -> None:
        """Advance each run until its total energy crosses the mean, at most `n_steps` steps."""
        mean = {k: float(np.mean(self._energies[k])) for k in self._running}
        above = {k: self._energies[k][-1] > mean[k] for k in self._running}
        waiting = self._running
        for _ in range(self.n_steps):
            if not waiting:
                return
            self._advance(waiting, 1)
            running = set(self._running)
            waiting = [k for k in waiting if k in running and (self._total_energy(k) > mean[k]) == above[k]]
