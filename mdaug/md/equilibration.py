"""From a structure at rest to a state that is typical of the temperature."""

from collections.abc import Callable

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError

from mdaug.geometry.rigid_motion import n_rigid_motions, thermal_momenta
from mdaug.md.ase_integrator import AseEngine
from mdaug.md.guard import Guard
from mdaug.md.options import DynamicsOptions

LOOK_EVERY = 10
"""Steps between looks of the guard."""


def equilibrate(
    atoms: Atoms,
    options: DynamicsOptions,
    guard: Guard,
    rng: np.random.Generator,
    progress: Callable[[int, int], None],
) -> str | None:
    """Give `atoms` thermal momenta and run the thermostat for the asked time, in place.

    A canonical state has a total energy that scatters by √(3N − 6) k_B T, and NVE would keep whatever it
    began with: the mean temperature of a run of ethanol would be off by a fifth. So for NVE the thermostat
    then goes on (at most as long again) until the total energy next crosses its mean over the second half.

    Returns
    -------
    str or None
        What the guard complained of, which ends the equilibration.
    """
    momenta = thermal_momenta(
        atoms.get_positions(), atoms.get_masses(), options.temperature, n_rigid_motions(atoms), rng
    )
    atoms.set_momenta(momenta)
    n_steps = round(1000.0 * options.equilibration / options.timestep)
    if n_steps == 0:
        return None
    engine = AseEngine(atoms, "nvt", options, rng)
    done, energies = 0, []
    try:
        for done in range(1, n_steps + 1):
            engine.advance(1)
            if 2 * done > n_steps:
                energies.append(_total_energy(engine))
            if done % LOOK_EVERY == 0 or done == n_steps:
                progress(done, n_steps)
                complaint = guard.complaint(
                    atoms.get_positions(), engine.potential_eV, atoms.get_kinetic_energy()
                )
                if complaint:
                    return f"{complaint}, {done * options.timestep:g} fs into the equilibration"
        if options.ensemble == "nve":
            _reach(engine, float(np.mean(energies)), energies[-1], n_steps)
    except CalculatorError as error:
        return f"the calculator failed {done * options.timestep:g} fs into the equilibration: {error}"
    return None


def _reach(engine: AseEngine, target: float, energy: float, at_most: int) -> None:
    """Advance until the total energy crosses `target`."""
    above = energy > target
    for _ in range(at_most):
        engine.advance(1)
        if (_total_energy(engine) > target) != above:
            return


def _total_energy(engine: AseEngine) -> float:
    return float(engine.potential_eV + engine.atoms.get_kinetic_energy())
