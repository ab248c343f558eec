"""Harmonic frequencies of a molecule by phonopy: python phonopy_modes.py MODEL

Needs phonopy (pip install phonopy). The molecule is relaxed and put into a large box; for a crystal give its
primitive cell and a supercell instead of the box.
"""

import sys

import numpy as np
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from mdaug import MDAugCalculator
from mdaug.analysis.relax import relax
from mdaug.frames import structure_from_json

PER_CM_PER_THZ = 33.35641
BOX_A = 30.0


def main(model: str, displacement_A: float = 0.005) -> np.ndarray:
    """Print and return the frequencies in 1/cm, imaginary ones negative, without translation and rotation."""
    calculator = MDAugCalculator(model, dtype="float64")
    start = structure_from_json(calculator.manifest["training"]["reference_structure"])
    molecule = relax(calculator, start).atoms
    molecule.set_cell(np.eye(3) * BOX_A)
    molecule.center()
    cell = PhonopyAtoms(numbers=molecule.numbers, positions=molecule.positions, cell=molecule.cell.array)
    phonopy = Phonopy(cell, np.eye(3, dtype=int), primitive_matrix="P")
    phonopy.generate_displacements(distance=displacement_A)
    forces = []
    for displaced in phonopy.supercells_with_displacements:
        atoms = Atoms(displaced.numbers, displaced.positions, calculator=calculator)
        forces.append(atoms.get_forces())
    phonopy.forces = forces
    phonopy.produce_force_constants()
    phonopy.run_qpoints([[0, 0, 0]])
    frequencies = phonopy.qpoints.frequencies[0] * PER_CM_PER_THZ
    vibrations = np.sort(frequencies[np.argsort(abs(frequencies))][6:])
    print("1/cm:", *(f"{frequency:.1f}" for frequency in vibrations))
    return vibrations


if __name__ == "__main__":
    main(sys.argv[1])
