"""Langevin dynamics of a model in OpenMM: python openmm_md.py MODEL [STEPS]

Needs an OpenMM with PythonForce (pip install openmm; 8.6 was used). The force calls mdaug's ASE calculator,
and can be combined with the other forces of OpenMM, for example restraints and metadynamics.
"""

import sys

import numpy as np
import openmm
from openmm import unit

from mdaug import MDAugCalculator
from mdaug.frames import structure_from_json

KJ_MOL_PER_EV = 96.48533212331  # OpenMM: kJ/mol and nm


def main(model: str, n_steps: int = 100) -> float:
    """Run, and return the difference of OpenMM's potential energy from the calculator's, in kJ/mol."""
    calculator = MDAugCalculator(model)
    atoms = structure_from_json(calculator.manifest["training"]["reference_structure"])
    atoms.calc = calculator

    def compute(state: openmm.State) -> tuple[float, np.ndarray]:
        atoms.positions = state.getPositions(asNumpy=True).value_in_unit(unit.angstrom)
        forces = atoms.get_forces() * KJ_MOL_PER_EV * 10.0
        return atoms.get_potential_energy() * KJ_MOL_PER_EV, forces

    system = openmm.System()
    for mass in atoms.get_masses():
        system.addParticle(mass)
    system.addForce(openmm.PythonForce(compute))
    system.addForce(openmm.CMMotionRemover())
    integrator = openmm.LangevinMiddleIntegrator(300, 1.0 / unit.picosecond, 0.5 * unit.femtosecond)
    context = openmm.Context(system, integrator, openmm.Platform.getPlatformByName("Reference"))
    context.setPositions(atoms.positions * unit.angstrom)
    context.setVelocitiesToTemperature(300, 0)
    integrator.step(n_steps)
    state = context.getState(positions=True, energy=True)
    energy = state.getPotentialEnergy().value_in_unit(unit.kilojoule_per_mole)
    print(f"{n_steps} steps, potential energy {energy:.3f} kJ/mol")
    return energy - compute(state)[0]


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
