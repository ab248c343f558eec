"""GFN2-xTB's own minimum, bond scans and frequencies of ethanol, and the frequencies of models beside them.

    python benchmarks/gfn2_ethanol.py ours=RUN raw=RUN … --out FOLDER

Writes ethanol.xyz and bond-NAME.csv, which `bond_scans.py --structure FOLDER/ethanol.xyz --references FOLDER`
takes, and modes.json; each model is relaxed to its own minimum.
"""

import argparse
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.analysis.relax import relax, vibrations
from mdaug.analysis.scan import bond_scan, scan_distances
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.data import load_frames
from mdaug.files import atomic_path, write_json, write_text
from mdaug.geometry.bonds import find_bonds
from mdaug.quantum.calculators import calculator_factory

STEP_A = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", metavar="LABEL=RUN")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    truth, frames = calculator_factory("GFN2-xTB")(), load_frames("ethanol")
    lowest = Atoms(frames.atomic_numbers, frames.positions[frames.energies.argmin()])
    atoms, frequencies = minimum_and_modes(truth, lowest)
    given.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(given.out / "ethanol.xyz") as path:
        atoms.write(path, format="extxyz")
    write_scans(truth, atoms, given.out)
    modes = {"GFN2-xTB": frequencies.tolist()}
    print("| model | run | mean difference (cm⁻¹) | largest |\n|---|---|---|---|")
    for text in given.models:
        label, _, run = text.partition("=")
        _, own = minimum_and_modes(MDAugCalculator(Path(run) / "model.pt", dtype="float64"), atoms)
        modes[Path(run).name] = own.tolist()
        off = np.abs(own - frequencies)
        print(f"| {label} | {Path(run).name} | {off.mean():.1f} | {off.max():.1f} |", flush=True)
    write_json(given.out / "modes.json", modes)


def minimum_and_modes(calculator: Calculator, start: Atoms) -> tuple[Atoms, np.ndarray]:
    relaxed = relax(calculator, start)
    return relaxed.atoms, vibrations(calculator, relaxed.atoms).frequencies_cm1


def write_scans(truth: Calculator, atoms: Atoms, folder: Path) -> None:
    """Write the scan of every bond from 0.6 to 2.5 times its length; what does not converge is left out."""
    for i, j in find_bonds(atoms):
        length = atoms.get_distance(i, j)
        grid = scan_distances(0.6 * length, 2.5 * length, STEP_A)
        made = bond_scan(truth, atoms, (int(i), int(j)), grid, label="GFN2-xTB", allow_failures=True)
        known = np.isfinite(made.energy_kcal_mol)
        points = zip(made.distances_A[known], made.energy_kcal_mol[known], strict=True)
        rows = ["distance_A,energy_kcal_mol", *(f"{d:.6f},{e:.6f}" for d, e in points)]
        write_text(folder / f"bond-{made.name}.csv", "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
