"""Survival of a molecule in MD with GFN2-xTB itself, the level of the embedded frames, as in survival.py.

    python benchmarks/gfn2_survival.py [--temperature 1000] [--replicas 4] [--ps 100] --out FOLDER

Langevin dynamics with the settings and criteria of `survival.py`; started again it continues. A replica
of ethanol takes about a quarter of an hour of one core.
"""

import argparse
from pathlib import Path

import ase.io
from ase import Atoms
from survival import TIMESTEP_FS, fate, steps_in

from mdaug.analysis.relax import relax
from mdaug.data import load_frames
from mdaug.files import write_json
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.quantum.calculators import calculator_factory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--temperature", type=float, default=1000.0)
    parser.add_argument("--replicas", type=int, default=4)
    parser.add_argument("--ps", type=float, default=100.0)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    frames = load_frames("ethanol")
    start = Atoms(frames.atomic_numbers, frames.positions[frames.energies.argmin()])
    lowest = relax(calculator_factory("GFN2-xTB")(), start)
    given.out.mkdir(parents=True, exist_ok=True)
    ase.io.write(given.out / "start.xyz", lowest.atoms)
    lives = []
    for seed in range(given.replicas):
        lives.append(replica(start, lowest.energy_eV, seed, given))
        print(seed, *lives[-1], flush=True)
        write_json(given.out / "gfn2_survival.json", lives)


def replica(start: Atoms, minimum_eV: float, seed: int, given: argparse.Namespace) -> tuple[float, str]:
    """Return (ps lived, what ended it)."""
    folder = given.out / f"replica-{seed}"
    options = DynamicsOptions(
        steps=steps_in(given.ps),
        timestep=TIMESTEP_FS,
        temperature=given.temperature,
        ensemble="nvt",
        seed=seed,
        thermo_every=20,
        frames_every=1000,
    )
    calculator = calculator_factory("GFN2-xTB")()
    done = run_dynamics(start, calculator, options, folder, resume=(folder / "config.json").exists())
    return fate(folder / "thermo.csv", minimum_eV, done.completed_steps, done.stopped_because, given.ps)


if __name__ == "__main__":
    main()
