"""Integrators of molecules: many replicas as one batch, in the C++ core or by TorchScript on any device."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from ase import Atoms

from mdaug.calculators.core import State
from mdaug.calculators.core_library import CoreUnavailableError
from mdaug.calculators.evaluators import find_molecules, make_core, set_molecules
from mdaug.calculators.structures import elements_of
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.rigid_motion import NONLINEAR, n_rigid_motions
from mdaug.md.loop import Integrator, MakeIntegrator
from mdaug.md.options import DynamicsOptions
from mdaug.md.scripted_molecules import ScriptedMolecules
from mdaug.options import Precision
from mdaug.units import BOLTZMANN_EV_K, FS

NOISE_STEPS = 1000
"""Number of steps whose noise is drawn at once."""


class MoleculeCore(Protocol):
    """What moves replicas of a molecule: `Core`, where the methods are documented, or `ScriptedMolecules`."""

    def evaluate_molecules(self, species: IntArray, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return energies and forces."""

    def extrapolation(self, *shape: int) -> FloatArray | None:
        """Return the extrapolation in the last evaluation."""

    def verlet(
        self, species: IntArray, masses: FloatArray, timestep: float, n_steps: int, state: State
    ) -> tuple[int, FloatArray]:
        """Integrate by velocity Verlet."""

    def langevin(
        self,
        species: IntArray,
        masses: FloatArray,
        timestep: float,
        thermostat: tuple[float, float, FloatArray],
        state: State,
    ) -> tuple[int, FloatArray]:
        """Integrate by Langevin dynamics."""


class CoreIntegrator:
    """Moves one molecule with a model.pt; see `advance_together` for several.

    Parameters
    ----------
    atoms
        Not periodic, with momenta; moved in place. For Langevin, not linear.
    core
        The model.
    species
        Index of each atom's element among the elements of the model, shape (n_atoms,).
    options
        Ensemble, time step, temperature and friction.
    rng
        Noise of the thermostat.
    forces
        At the current positions, shape (n_atoms, 3), eV/Å; computed if None.
    """

    def __init__(  # noqa: PLR0917
        self,
        atoms: Atoms,
        core: MoleculeCore,
        species: IntArray,
        options: DynamicsOptions,
        rng: np.random.Generator,
        forces: FloatArray | None = None,
    ) -> None:
        self.atoms, self.core, self.species, self.options, self.rng = atoms, core, species, options, rng
        energies, computed = core.evaluate_molecules(species, atoms.get_positions()[None])
        self.potential_eV = float(energies[0])
        self.extrapolation: FloatArray | None = core.extrapolation(len(atoms))
        self.forces = computed[0] if forces is None else forces

    def advance(self, n_steps: int) -> int:
        """Take steps; see `Integrator.advance`."""
        return advance_together([self], n_steps)


def advance_together(integrators: Sequence[Integrator], n_steps: int) -> int:
    """Advance replicas of one molecule as a batch; in the core each is bit for bit what it is alone.

    Parameters
    ----------
    integrators
        `CoreIntegrator` of the same molecule and model, with the same options but for the seed.
    n_steps
        Number of steps.

    Returns
    -------
    int
        Steps taken: fewer than `n_steps` when the forces on one of the replicas are no longer finite.
    """
    replicas = cast(Sequence[CoreIntegrator], integrators)
    positions = np.stack([replica.atoms.get_positions() for replica in replicas])
    momenta = np.stack([replica.atoms.get_momenta() for replica in replicas])
    forces = np.stack([replica.forces for replica in replicas])
    move = _verlet if replicas[0].options.ensemble == "nve" else _langevin
    done, energies = move(replicas, n_steps, (positions, momenta, forces))
    extrapolation = replicas[0].core.extrapolation(*positions.shape[:2]) if done else None
    for k, replica in enumerate(replicas):
        replica.atoms.set_positions(positions[k])
        replica.atoms.set_momenta(momenta[k])
        replica.forces, replica.potential_eV = forces[k], float(energies[k])
        if extrapolation is not None:
            replica.extrapolation = extrapolation[k]
    return done


def _verlet(replicas: Sequence[CoreIntegrator], n_steps: int, state: State) -> tuple[int, FloatArray]:
    """Advance positions, momenta and forces in place; return the steps taken and the potential energies."""
    one = replicas[0]
    timestep = one.options.timestep * FS
    return one.core.verlet(one.species, one.atoms.get_masses(), timestep, n_steps, state)


def _langevin(replicas: Sequence[CoreIntegrator], n_steps: int, state: State) -> tuple[int, FloatArray]:
    """Like `_verlet`, with noise from each replica's own generator."""
    one, options = replicas[0], replicas[0].options
    friction, kT = options.friction / (1000.0 * FS), BOLTZMANN_EV_K * options.temperature
    done, energies = 0, np.array([replica.potential_eV for replica in replicas])
    while done < n_steps:
        wanted = min(NOISE_STEPS, n_steps - done)
        noise = np.stack(
            [replica.rng.standard_normal((wanted, len(replica.atoms), 3)) for replica in replicas]
        )
        taken, energies = one.core.langevin(
            one.species, one.atoms.get_masses(), options.timestep * FS, (friction, kT, noise), state
        )
        done += taken
        if taken < wanted:
            break
    return done, energies


def core_integrators(
    model: Path,
    manifest: dict[str, Any],
    atoms: Atoms,
    *,
    ensemble: str,
    dtype: Precision | None,
    device: str,
) -> MakeIntegrator:
    """Return a factory of integrators that share one core, for `run_dynamics` and `run_replicas`.

    Parameters
    ----------
    model
        A model.pt.
    manifest
        Its manifest.
    atoms
        The molecule that will move.
    ensemble
        ``"nve"`` or ``"nvt"``.
    dtype
        Precision of the network; the model's if None.
    device
        Where the model is evaluated.

    Raises
    ------
    CoreUnavailableError
        If the core cannot evaluate the model here, or does not support such a system.
    """
    _check_molecule(atoms, ensemble)
    core = make_core(model, dtype, device, threads=1)
    if core.has_extrapolation:
        core.compute_extrapolation()
    set_molecules(core, find_molecules(manifest, atoms))
    return _maker(core, elements_of(atoms.numbers, manifest["elements"]))


def script_integrators(
    model: Path,
    manifest: dict[str, Any],
    atoms: Atoms,
    *,
    ensemble: str,
    dtype: Precision | None,
    device: str,
) -> MakeIntegrator:
    """Return a factory of integrators that share one TorchScript model, as `core_integrators` does.

    Parameters
    ----------
    model, manifest, atoms, ensemble, dtype, device
        As for `core_integrators`.

    Raises
    ------
    CoreUnavailableError
        If such a system is not supported.
    """
    _check_molecule(atoms, ensemble)
    shared = ScriptedMolecules(model, dtype, device, find_molecules(manifest, atoms))
    return _maker(shared, elements_of(atoms.numbers, manifest["elements"]))


def _check_molecule(atoms: Atoms, ensemble: str) -> None:
    if atoms.pbc.any():
        raise CoreUnavailableError("it supports molecules only, and these atoms are periodic")
    if ensemble == "nvt" and n_rigid_motions(atoms) != NONLINEAR:
        raise CoreUnavailableError("its thermostat does not support linear molecules")


def _maker(core: MoleculeCore, species: IntArray) -> MakeIntegrator:
    def make(
        atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
    ) -> Integrator:
        return CoreIntegrator(atoms, core, species, options, rng, forces)

    return make
