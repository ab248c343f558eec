"""`mdaug nve` by LAMMPS and by our own loop: positions of the first picosecond, and energy drift.

python benchmarks/lammps_dynamics.py MODEL.pt [--seeds 0 1 2 3] [--steps 100000] [--dtype float64]

Both engines begin with the same equilibration, so a seed is one initial state. With the default settings:
about four minutes on one free core.
"""

import argparse
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from statistics import mean, stdev

import MDAnalysis
import numpy as np

from mdaug.analysis.drift import energy_drift
from mdaug.analysis.thermo_log import read_thermo

ENGINES = ("core", "lammps")


def main() -> None:
    """Run, compare, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3])
    parser.add_argument("--steps", type=int, default=100_000, help="of 0.5 fs")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=DeprecationWarning, module="MDAnalysis")
    slopes: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    print("| seed | difference in the first ps (Å) | slope, core (meV/atom/ps) | slope, LAMMPS |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        for seed in options.seeds:
            folders = [Path(name) / f"{engine}-{seed}" for engine in ENGINES]
            cells = []
            for engine, folder in zip(ENGINES, folders, strict=True):
                simulate(options.model, engine, seed, options, folder)
                drift = energy_drift(read_thermo(folder))
                slopes[engine].append(drift.slope_meV_per_atom_ps)
                low, high = drift.slope_ci95_meV_per_atom_ps
                cells.append(f"{slopes[engine][-1]:.5f} ({low:.5f} to {high:.5f})")
            print(f"| {seed} | {difference(*folders):.1e} | {' | '.join(cells)} |", flush=True)
    print()
    for engine, run_slopes in slopes.items():
        scatter = f" ± {stdev(run_slopes):.5f} (standard deviation)" if len(run_slopes) > 1 else ""
        print(f"{engine}: {mean(run_slopes):.5f}{scatter} meV/atom/ps")


def simulate(model: Path, engine: str, seed: int, options: argparse.Namespace, folder: Path) -> None:
    """Run `mdaug nve`; end with its message if it fails."""
    settings = ["--engine", engine, "--seed", str(seed), "--steps", str(options.steps), "--timestep", "0.5"]
    settings += ["--dtype", options.dtype, "--temperature", "300", "--out", str(folder)]
    command = [str(Path(sys.executable).parent / "mdaug"), "nve", str(model), *settings]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(ended.stderr.strip()[-500:])


def difference(*folders: Path) -> float:
    """Return the largest difference of any coordinate up to 1 ps, Å (DCD: single precision)."""
    both = [
        np.array([frame.positions for frame in universe.trajectory if frame.time <= 1.0])
        for universe in (
            MDAnalysis.Universe(folder / "topology.pdb", folder / "trajectory.dcd") for folder in folders
        )
    ]
    return float(np.abs(both[0] - both[1]).max())


if __name__ == "__main__":
    main()
