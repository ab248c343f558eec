"""Integrators of ASE atoms with any ASE calculator: velocity Verlet and Langevin."""

import math
from typing import Literal

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics
from ase.md.verlet import VelocityVerlet

from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import n_rigid_motions, thermal_momenta
from mdaug.md.options import DynamicsOptions
from mdaug.units import FS


class AseIntegrator:
    """Moves atoms by velocity Verlet (``"nve"``) or Langevin dynamics (``"nvt"``).

    A step evaluates the calculator once; energies are computed only when they are read.

    Parameters
    ----------
    atoms
        Atoms with calculator and momenta; moved in place.
    ensemble
        ``"nve"`` or ``"nvt"``; the ensemble of `options` is not used.
    options
        Time step, temperature and friction.
    rng
        Noise of the thermostat.
    forces
        At the current positions, shape (n_atoms, 3), eV/Å; computed if None.
    """

    def __init__(
        self,
        atoms: Atoms,
        ensemble: Literal["nve", "nvt"],
        options: DynamicsOptions,
        rng: np.random.Generator,
        forces: FloatArray | None = None,
    ) -> None:
        self.atoms = atoms
        self.rng = rng
        timestep = options.timestep * FS
        self._dynamics: VelocityVerlet | RigidFreeLangevin = (
            VelocityVerlet(atoms, timestep)
            if ensemble == "nve"
            else RigidFreeLangevin(
                atoms, timestep, options.temperature, options.friction / (1000.0 * FS), rng
            )
        )
        self.forces = atoms.get_forces() if forces is None else forces

    def advance(self, n_steps: int) -> int:
        """Take steps; see `Integrator.advance`."""
        step, forces = self._dynamics.step, self.forces
        done = 0
        while done < n_steps:
            forces = step(forces)
            done += 1
            if not math.isfinite(forces.sum()):
                break
        self.forces = forces
        return done

    @property
    def potential_eV(self) -> float:
        """Potential energy at the current positions."""
        return float(self.atoms.get_potential_energy())

    @property
    def extrapolation(self) -> FloatArray | None:
        """Extrapolation of each atom at the current positions; None for calculators that do not give it."""
        return extrapolation_of(self.atoms)


def extrapolation_of(atoms: Atoms) -> FloatArray | None:
    """Return the extrapolation of each atom, shape (n_atoms,); None for calculators that do not give it.

    Parameters
    ----------
    atoms
        Atoms with calculator.
    """
    atoms.get_potential_energy()  # the results are those of the current positions
    return getattr(atoms.calc, "extrapolation", None)


class RigidFreeLangevin(MolecularDynamics):
    """Langevin dynamics, BAOAB splitting (DOI 10.1093/amrx/abs010), without rigid motion.

    A step is half a change of momenta by the forces (B), half a change of positions (A), friction and noise
    (O), A, and B. The noise has no net momentum and no net angular momentum, and the other parts conserve
    both, so a molecule that starts without translation and rotation keeps 3N − 6 degrees of freedom, each
    with k_B T / 2.

    Parameters
    ----------
    atoms
        Atoms with calculator and momenta.
    timestep
        ASE units (``0.5 * mdaug.units.FS``).
    temperature_K
        Temperature of the thermostat, K.
    friction
        1 / ASE time unit.
    rng
        Source of the noise; its state belongs to the state of the run.
    """

    def __init__(
        self, atoms: Atoms, timestep: float, temperature_K: float, friction: float, rng: np.random.Generator
    ) -> None:
        super().__init__(atoms, timestep)
        self.temperature_K, self.rng = temperature_K, rng
        self.n_rigid = n_rigid_motions(atoms)
        self.kept = np.exp(-friction * timestep)

    def step(self, forces: FloatArray | None = None) -> FloatArray:
        """Advance by one time step.

        Parameters
        ----------
        forces
            At the current positions, shape (n_atoms, 3), eV/Å; computed if None.

        Returns
        -------
        FloatArray
            Forces at the new positions, eV/Å.
        """
        atoms, masses = self.atoms, self.masses
        if forces is None:
            forces = atoms.get_forces(md=True)
        momenta = atoms.get_momenta() + 0.5 * self.dt * forces
        positions = atoms.get_positions() + 0.5 * self.dt * momenta / masses
        noise = thermal_momenta(positions, masses[:, 0], self.temperature_K, self.n_rigid, self.rng)
        momenta = self.kept * momenta + np.sqrt(1.0 - self.kept**2) * noise
        atoms.set_positions(positions + 0.5 * self.dt * momenta / masses)
        forces = atoms.get_forces(md=True)
        atoms.set_momenta(momenta + 0.5 * self.dt * forces)
        return forces
