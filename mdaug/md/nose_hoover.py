"""Nosé–Hoover dynamics with any ASE calculator or the C++ core, at one temperature or along a ramp."""

import math

import numpy as np
from ase import Atoms

from mdaug.frames import FloatArray
from mdaug.geometry.rigid_motion import degrees_of_freedom
from mdaug.md.ase_integrator import AseIntegrator
from mdaug.md.loop import Integrator, MakeIntegrator
from mdaug.md.options import DynamicsOptions
from mdaug.units import BOLTZMANN_EV_K, FS


class NoseHooverIntegrator:
    """Velocity Verlet with one Nosé–Hoover thermostat: ζ' = (2K − n k_B T) / Q with Q = n k_B T τ².

    A step is half a step of the thermostat, one of velocity Verlet, and half a step of the thermostat
    (Martyna et al., DOI 10.1080/00268979600100761, without a chain). Translation and rotation,
    absent at the start, remain absent, so that n is the number of internal degrees of freedom.

    Parameters
    ----------
    atoms
        Atoms with calculator and momenta; moved in place.
    options
        Time step, first temperature, and number of steps of a ramp.
    relaxation_fs
        τ, fs.
    last_K
        Temperature at the last step, linear in time; None for a constant one.
    verlet
        Moves the same atoms by velocity Verlet; their calculator does if None.
    """

    def __init__(
        self,
        atoms: Atoms,
        options: DynamicsOptions,
        relaxation_fs: float,
        last_K: float | None = None,
        verlet: Integrator | None = None,
    ) -> None:
        self.atoms, self.options = atoms, options
        self._verlet = verlet or AseIntegrator(atoms, "nve", options, np.random.default_rng())
        self.forces = self._verlet.forces
        self.zeta, self.heat_eV, self._done = 0.0, 0.0, 0
        self._timestep, self._relaxation = options.timestep * FS, relaxation_fs * FS
        self._n, self._last_K = degrees_of_freedom(atoms), last_K

    @property
    def rng(self) -> np.random.Generator | None:
        """None: there is no noise."""
        return None

    @property
    def potential_eV(self) -> float:
        """Potential energy at the current positions."""
        return self._verlet.potential_eV

    @property
    def extrapolation(self) -> FloatArray | None:
        """Extrapolation of each atom at the current positions; None for calculators that do not give it."""
        return self._verlet.extrapolation

    @property
    def target_K(self) -> float:
        """Temperature of the thermostat at the current step."""
        first, done = self.options.temperature, self._done / max(self.options.steps, 1)
        return first if self._last_K is None else first + (self._last_K - first) * min(done, 1.0)

    @property
    def conserved_eV(self) -> float:
        """Energy of atoms and thermostat, which is constant at a constant temperature."""
        return (
            self.potential_eV + float(self.atoms.get_kinetic_energy()) + 0.5 * self._mass * self.zeta**2
        ) + self.heat_eV

    def advance(self, n_steps: int) -> int:
        """Take steps; see `Integrator.advance`."""
        for done in range(n_steps):
            self._thermostat()
            self._verlet.advance(1)
            self.forces = self._verlet.forces
            self._thermostat()
            self._done += 1
            if not math.isfinite(self.forces.sum()):
                return done + 1
        return n_steps

    @property
    def _mass(self) -> float:
        return self._n * BOLTZMANN_EV_K * self.target_K * self._relaxation**2

    def _thermostat(self) -> None:
        """Take half a step of the thermostat: a quarter of ζ, half of the momenta, a quarter of ζ."""
        quarter, target = 0.25 * self._timestep, self._n * BOLTZMANN_EV_K * self.target_K
        self.zeta += quarter * (2.0 * self.atoms.get_kinetic_energy() - target) / self._mass
        self.atoms.set_momenta(self.atoms.get_momenta() * math.exp(-2.0 * quarter * self.zeta))
        self.heat_eV += 2.0 * quarter * target * self.zeta
        self.zeta += quarter * (2.0 * self.atoms.get_kinetic_energy() - target) / self._mass


def nose_hoover_integrators(
    relaxation_fs: float, last_K: float | None = None, verlet: MakeIntegrator | None = None
) -> MakeIntegrator:
    """Return a factory of integrators, for `run_dynamics`.

    Parameters
    ----------
    relaxation_fs
        Relaxation time τ of the thermostat, fs.
    last_K
        Temperature at the last step; None for a constant one.
    verlet
        Factory of integrators at constant energy; those of ASE if None.
    """

    def make(
        atoms: Atoms, options: DynamicsOptions, rng: np.random.Generator, forces: FloatArray | None
    ) -> NoseHooverIntegrator:
        nve = options.model_copy(update={"ensemble": "nve"})
        if verlet is None:
            mover: Integrator = AseIntegrator(atoms, "nve", nve, rng, forces)
        else:
            mover = verlet(atoms, nve, rng, forces)
        return NoseHooverIntegrator(atoms, options, relaxation_fs, last_K, mover)

    return make
