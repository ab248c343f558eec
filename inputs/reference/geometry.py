"""Makes ethanol.xyz, the start geometry of the scans: anti ethanol of Cs symmetry, relaxed at DF-MP2/cc-pVTZ.

Newton steps along the symmetric normal modes of GFN2-xTB, with slopes and curvatures from energies, until no
atom would move by 0.0003 Å. Run as `python inputs/reference/geometry.py`; it takes some minutes.
"""

import numpy as np
from ase import Atoms
from ase.build import molecule
from ase.io import write
from ase.units import Hartree

from mdaug.quantum import Level
from mdaug.quantum.calculators import calculator_factory
from mdaug.quantum.single_point import single_point

ORDER = [1, 0, 2, 4, 5, 6, 7, 8, 3]  # ASE's ethanol in the order of the sets: CH2, CH3, O, H of CH2, CH3, OH
MIRROR = [0, 1, 2, 4, 3, 5, 7, 6, 8]
STEP, ENOUGH = 0.02, 3e-4  # Å
LEVEL = Level(method="df-mp2", basis="cc-pVTZ")


def symmetric(vectors: np.ndarray) -> np.ndarray:
    return 0.5 * (vectors + vectors[MIRROR] * [1, 1, -1])


def symmetric_modes(atoms: Atoms) -> np.ndarray:
    """Return the 13 symmetric vibrations (13, n_atoms, 3), each of unit length."""
    atoms = atoms.copy()
    atoms.calc = calculator_factory("GFN2-xTB")()
    hessian = []
    for k in range(3 * len(atoms)):
        forces = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions.flat[k] += sign * 0.005
            moved.calc = atoms.calc
            forces.append(moved.get_forces().ravel())
        hessian.append((forces[1] - forces[0]) / 0.01)
    values, vectors = np.linalg.eigh(0.5 * (np.array(hessian) + np.array(hessian).T))
    modes = vectors.T.reshape(-1, len(atoms), 3)
    kept = [k for k in np.argsort(np.abs(values))[6:] if np.linalg.norm(symmetric(modes[k])) > 0.9]
    return np.array([symmetric(modes[k]) for k in kept])


def energy(atoms: Atoms, step: np.ndarray) -> float:
    moved = Atoms(atoms.numbers, atoms.positions + step)
    return single_point(moved, LEVEL, unrestricted=False)["energy_Eh"] * Hartree


atoms = molecule("CH3CH2OH")[ORDER]
atoms.positions = symmetric(atoms.positions)
modes = symmetric_modes(atoms)
largest = np.inf
while largest > ENOUGH:
    middle = energy(atoms, np.zeros((9, 3)))
    total = np.zeros((9, 3))
    for mode in modes:
        up, down = energy(atoms, STEP * mode), energy(atoms, -STEP * mode)
        slope, curvature = (up - down) / (2 * STEP), (up + down - 2 * middle) / STEP**2
        total -= slope / curvature * mode
    largest = float(np.abs(total).max())
    atoms.positions = symmetric(atoms.positions + total)
    print(f"{middle:.6f} eV, largest step {largest:.5f} Å", flush=True)
atoms.positions = symmetric(atoms.positions.round(6)).round(6)
write("inputs/reference/ethanol.xyz", atoms, format="extxyz")
