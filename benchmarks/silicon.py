"""Extrapolation of models of a crystal: scaled thermal displacements from the perfect crystal.

    python benchmarks/silicon.py ours=RUN raw=RUN --data si64_pbe_110.xyz --units eV --temperature 800

The first frame is the perfect crystal. The displacements of the held-out frames from it are scaled by 0.5
to 3; at 0 and 1 the energy is the data's own, elsewhere the square of the scale times that at 1 (a harmonic
crystal) is a rough expectation. Prints meV per atom, and whether any energy falls as the scale grows.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.geometry import find_mic

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.frames import FloatArray, FrameSet
from mdaug.workflows.settings.options import DataOptions

SCALES = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--data", required=True)
    parser.add_argument("--units")
    parser.add_argument("--temperature", type=float)
    given = parser.parse_args()
    frames = DataOptions(units=given.units, temperature=given.temperature).load(given.data)
    print("| | " + " | ".join(f"× {scale:g}" for scale in SCALES) + " | falling |")
    print("|---" * (len(SCALES) + 2) + "|")
    for text in given.models:
        label, _, run = text.partition("=")
        test = np.array(json.loads((Path(run) / "split.json").read_text())["test"])
        test = test[test > 0]
        true = 1000 * (frames.energies[test] - frames.energies[0]) / frames.n_atoms
        if text == given.models[0]:
            print(row("the data, else × scale²", [true * scale**2 for scale in SCALES]))
        calculator = MDAugCalculator(Path(run) / "model.pt", dtype="float64")
        energies = [scaled_energies(calculator, frames, test, scale) for scale in SCALES]
        falling = np.diff(np.array([np.zeros(len(test)), *energies]), axis=0).min(axis=0) < 0
        print(row(label, energies) + f" {falling.sum()} of {len(test)} |")


def row(label: str, values: list[FloatArray]) -> str:
    return (
        f"| {label} | "
        + " | ".join(f"{v.mean():.0f} ({v.min():.0f} to {v.max():.0f})" for v in values)
        + " |"
    )


def scaled_energies(
    calculator: MDAugCalculator, frames: FrameSet, which: np.ndarray, scale: float
) -> FloatArray:
    """Return energies above the perfect crystal, meV an atom, of the frames with scaled displacements."""
    cell, perfect = frames.cells[0], frames.positions[0]
    energies = []
    for n in which:
        moved, _ = find_mic(frames.positions[n] - perfect, cell, frames.pbc)
        moved -= moved.mean(axis=0)
        atoms = [
            Atoms(frames.atomic_numbers, r, cell=cell, pbc=frames.pbc)
            for r in (perfect, perfect + scale * moved)
        ]
        start, end = (calculator.get_potential_energy(one) for one in atoms)
        energies.append(1000 * (end - start) / frames.n_atoms)
    return np.array(energies)


if __name__ == "__main__":
    main()
