"""Errors of models against GFN2-xTB along their own trajectories.

    python benchmarks/trajectory_errors.py ours=MD ours=MD … raw=MD … --out FOLDER

MD are run folders of `mdaug nve` or `nvt`, of one run or of replicas, whose model was trained on GFN2-xTB
energies (as of `benchmarks/survival.py` and `distributions.py`). Frames are taken evenly from every replica
and recomputed by GFN2-xTB; frames where it does not converge are counted.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator

from mdaug.analysis.trajectory import atomic_numbers, blocks, open_trajectory
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.files import write_json
from mdaug.quantum.calculators import calculator_factory
from mdaug.units import KCAL_MOL_PER_EV


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", metavar="LABEL=MD")
    parser.add_argument("--frames", type=int, default=20, help="of each replica")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    truth, rows = calculator_factory()(), []
    print("| model | run | frames | energy error (kcal/mol): rms | largest | force error: rms | no SCF |")
    print("|---|---|---|---|---|---|---|")
    for text in given.runs:
        label, _, folder = text.partition("=")
        row = {"model": label, "run": Path(folder).name} | compare(Path(folder), truth, given.frames)
        rows.append(row)
        columns = ("n_frames", "energy_rms", "energy_largest", "force_rms", "n_failed")
        print(f"| {label} | {row['run']} | " + " | ".join(f"{row[name]:.3g}" for name in columns) + " |")
        write_json(given.out / "trajectory_errors.json", rows)


def compare(folder: Path, truth: Calculator, n_frames: int) -> dict:
    """Return errors of the model of a run on its own frames."""
    replicas = sorted(folder.glob("replica-*")) or [folder]
    model = MDAugCalculator(model_of(replicas[0]), dtype="float64")
    energies, forces, n_failed = [], [], 0
    for replica in replicas:
        for atoms in visited(replica, n_frames):
            try:
                true_energy, true_forces = ask(truth, atoms)
            except CalculationFailed:
                n_failed += 1
                continue
            energy, model_forces = ask(model, atoms)
            energies.append((energy - true_energy) * KCAL_MOL_PER_EV)
            forces.append((model_forces - true_forces) * KCAL_MOL_PER_EV)
    errors = np.array(energies)
    return {
        "n_frames": len(errors),
        "energy_rms": float(np.sqrt(np.mean(errors**2))),
        "energy_largest": float(errors[np.argmax(np.abs(errors))]),
        "force_rms": float(np.sqrt(np.mean(np.square(forces)))),
        "n_failed": n_failed,
    }


def model_of(replica: Path) -> Path:
    """Return the model that a run names."""
    return Path(json.loads((replica / "config.json").read_text())["about"]["model"])


def visited(replica: Path, n_frames: int) -> list[Atoms]:
    """Return frames of a trajectory, evenly spaced."""
    universe = open_trajectory(replica)
    positions = np.concatenate([block.positions for block in blocks(universe)])
    chosen = np.linspace(0, len(positions) - 1, min(n_frames, len(positions))).astype(int)
    return [Atoms(numbers=atomic_numbers(universe), positions=positions[k]) for k in chosen]


def ask(calculator: Calculator, atoms: Atoms) -> tuple[float, np.ndarray]:
    """Return energy (eV) and forces (eV/Å)."""
    atoms = atoms.copy()
    atoms.calc = calculator
    return atoms.get_potential_energy(), atoms.get_forces()


if __name__ == "__main__":
    main()
