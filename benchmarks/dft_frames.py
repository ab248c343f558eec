"""Frames with energies and forces of a density functional, by PySCF with density fitting.

    python benchmarks/dft_frames.py frames.xyz --basis def2-SVP --charge 0 --temperature 500 --out dft.xyz

The geometries are those of the file. An output file that exists is continued.
"""

import argparse
from pathlib import Path

import ase.io
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree
from pyscf import dft, gto

from mdaug.frames import FloatArray

GRID_LEVEL = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("--functional", default="pbe")
    parser.add_argument("--basis", required=True)
    parser.add_argument("--charge", type=int, default=0)
    parser.add_argument("--temperature", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    done = len(ase.io.read(given.out, ":")) if given.out.exists() else 0
    density: FloatArray | None = None
    for atoms in ase.io.read(given.frames, f"{done}:"):
        frame = Atoms(atoms.numbers, atoms.positions)
        frame.info = {"charge": given.charge, "temperature": given.temperature}
        energy, forces, density = labels(frame, given, density)
        frame.calc = SinglePointCalculator(frame, energy=energy, forces=forces)
        ase.io.write(given.out, frame, format="extxyz", append=True)


def labels(
    frame: Atoms, given: argparse.Namespace, density: FloatArray | None
) -> tuple[float, FloatArray, FloatArray]:
    """Return energy (eV), forces (eV/Å) and density of a frame, starting from the density of the last."""
    symbols = frame.get_chemical_symbols()
    molecule = gto.M(
        atom=list(zip(symbols, frame.positions, strict=True)),
        basis=given.basis,
        charge=given.charge,
        verbose=0,
    )
    field = dft.RKS(molecule, xc=given.functional).density_fit()
    field.grids.level = GRID_LEVEL
    energy = field.kernel(dm0=density)
    if not field.converged:
        raise SystemExit(f"the SCF does not converge at {frame.positions.tolist()}; remove this frame")
    gradient = field.nuc_grad_method()
    gradient.grid_response = True
    return energy * Hartree, -gradient.kernel() * Hartree / Bohr, field.make_rdm1()


if __name__ == "__main__":
    main()
