"""Moves molecules with the C++ core: many copies at once, without Python in the step."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from ase import Atoms

from mdaug.calculators.core import Core, CoreUnavailableError
from mdaug.calculators.evaluators import make_core
from mdaug.calculators.species import species_of
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.rigid_motion import n_rigid_motions
from mdaug.md.loop import Engine
from mdaug.md.options import DynamicsOptions
from mdaug.options import Precision
from mdaug.units import BOLTZMANN_EV_K, FS

NOISE_STEPS = 1000
"""Steps whose noise is drawn at once."""

State = tuple[FloatArray, FloatArray, FloatArray]


class CoreEngine:
    """One molecule in motion: for a model.pt what `AseEngine` is for any calculator.

    Parameters
    ----------
    atoms
        Not periodic, with momenta; moved in place. For Langevin, not linear.
    core, species
        The model, and each atom's index among its elements.
    options
        Ensemble, time step, temperature and friction.
    rng
        Noise of the thermostat.
    forces
        At the current positions, eV/Å, where known; otherwise they are computed.
    """

    def __init__(  # noqa: PLR0917
        self,
        atoms: Atoms,
        core: Core,
        species: IntArray,
        options: DynamicsOptions,
        rng: np.random.Generator,
        forces: FloatArray | None = None,
    ) -> None:
        self.atoms, self.core, self.species, self.options, self.rng = atoms, core, species, options, rng
        energies, found = core.evaluate_molecules(species, atoms.get_positions()[None])
        self.potential_eV = float(energies[0])
        self.forces = found[0] if forces is None else forces

    def advance(self, n_steps: int) -> int:
        """Take `n_steps` steps and return how many were taken: fewer when forces are no longer finite."""
        return advance_together([self], n_steps)


def advance_together(engines: list[CoreEngine], n_steps: int) -> int:
    """Move copies of one molecule as a batch; each goes where it would go alone, to the last bit.

    Returns
    -------
    int
        Steps taken: fewer than `n_steps` when the forces on one of them are no longer finite.
    """
    positions = np.stack([engine.atoms.get_positions() for engine in engines])
    momenta = np.stack([engine.atoms.get_momenta() for engine in engines])
    forces = np.stack([engine.forces for engine in engines])
    move = _verlet if engines[0].options.ensemble == "nve" else _langevin
    done, energies = move(engines, n_steps, (positions, momenta, forces))
    for k, engine in enumerate(engines):
        engine.atoms.set_positions(positions[k])
        engine.atoms.set_momenta(momenta[k])
        engine.forces, engine.potential_eV = forces[k], float(energies[k])
    return done


def _verlet(engines: list[CoreEngine], n_steps: int, state: State) -> tuple[int, FloatArray]:
    one = engines[0]
    timestep = one.options.timestep * FS
    return one.core.verlet(one.species, one.atoms.get_masses(), timestep, n_steps, state)


def _langevin(engines: list[CoreEngine], n_steps: int, state: State) -> tuple[int, FloatArray]:
    one, options = engines[0], engines[0].options
    friction, kT = options.friction / (1000.0 * FS), BOLTZMANN_EV_K * options.temperature
    done, energies = 0, np.array([engine.potential_eV for engine in engines])
    while done < n_steps:
        asked = min(NOISE_STEPS, n_steps - done)
        noise = np.stack([engine.rng.standard_normal((asked, len(engine.atoms), 3)) for engine in engines])
        taken, energies = one.core.langevin(
            one.species, one.atoms.get_masses(), options.timestep * FS, (friction, kT, noise), state
        )
        done += taken
        if taken < asked:
            break
    return done, energies


def core_engines(
    model: Path,
    manifest: dict[str, Any],
    atoms: Atoms,
    *,
    ensemble: str,
    dtype: Precision | None,
    device: str,
) -> Callable[[Atoms, DynamicsOptions, np.random.Generator, FloatArray | None], Engine]:
    """Return what makes engines of one core, as `run_dynamics` wants it.

    Parameters
    ----------
    manifest
        Of the model.
    atoms
        The molecule that will move.

    Raises
    ------
    CoreUnavailableError
        The core cannot evaluate the model here, or moves no such system.
    """
    if atoms.pbc.any():
        raise CoreUnavailableError("it moves molecules; these atoms are periodic")
    if ensemble == "nvt" and n_rigid_motions(atoms) < 6:
        raise CoreUnavailableError("its thermostat knows no linear molecules")
    core = make_core(model, dtype, device, threads=1)
    species = species_of(atoms.numbers, manifest["elements"])

    def make(
        atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
    ) -> Engine:
        return CoreEngine(atoms, core, species, options, rng, forces)

    return make


def advance_replicas(engines: Sequence[Engine], n_steps: int) -> int:
    """Do `advance_together` with engines that `core_engines` made."""
    return advance_together(cast(list[CoreEngine], list(engines)), n_steps)
