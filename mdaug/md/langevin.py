"""A thermostat that leaves translation and rotation of the whole alone."""

import numpy as np
from ase import Atoms
from ase.md.md import MolecularDynamics

from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import n_rigid_motions, thermal_momenta


class RigidFreeLangevin(MolecularDynamics):
    """Langevin dynamics, BAOAB splitting (DOI 10.1093/amrx/abs010), without rigid motion.

    A step is half a kick (B), half a drift (A), friction and noise (O), half a drift, half a kick. The noise
    has no net momentum and no net angular momentum, and the other parts conserve both, so a molecule that
    starts without translation and rotation keeps 3N − 6 degrees of freedom, each with k_B T / 2.

    Parameters
    ----------
    atoms
        With calculator and momenta.
    timestep
        ASE units (``0.5 * mdaug.units.FS``).
    temperature_K
        Of the thermostat.
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
        """Advance by one time step from known `forces`; return those at the new positions."""
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
