"""Moves atoms with an ASE integrator and any ASE calculator."""

import math
from typing import Literal

import numpy as np
from ase import Atoms
from ase.md.verlet import VelocityVerlet

from mdaug.frames import FloatArray
from mdaug.md.langevin import RigidFreeLangevin
from mdaug.md.options import DynamicsOptions
from mdaug.units import FS


class AseEngine:
    """Atoms in motion: velocity Verlet (``"nve"``) or Langevin (``"nvt"``).

    One evaluation of the calculator a step, and nothing else: energies are asked for when they are read.

    Parameters
    ----------
    atoms
        With calculator and momenta; moved in place.
    ensemble
        What moves them.
    options
        Time step, temperature and friction.
    rng
        Noise of the thermostat.
    forces
        At the current positions, eV/Å, where known; otherwise they are computed.
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
        """Take `n_steps` steps and return how many were taken: fewer when forces are no longer finite."""
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
