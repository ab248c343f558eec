"""Read a run of `mdaug nve` by MDAnalysis and OVITO: python read_trajectory.py RUN

MDAnalysis comes with mdaug. OVITO, where it is installed (pip install ovito), reads trajectory.xyz, which
`mdaug nve --extxyz` writes.
"""

import importlib.util
import sys
from pathlib import Path

import MDAnalysis
import numpy as np
from MDAnalysis.analysis.rms import RMSF


def by_mdanalysis(run: Path) -> np.ndarray:
    """Print times, and return the root mean square fluctuation of each atom, in Å, shape (n_atoms,)."""
    universe = MDAnalysis.Universe(run / "topology.pdb", run / "trajectory.dcd")
    print(len(universe.trajectory), "frames,", f"{universe.trajectory.dt:.4g} ps apart")
    return RMSF(universe.atoms).run().results.rmsf


def by_ovito(run: Path) -> np.ndarray:
    """Return the positions of the atoms in all frames, in Å, shape (n_frames, n_atoms, 3)."""
    from ovito.io import import_file

    pipeline = import_file(run / "trajectory.xyz")
    frames = [pipeline.compute(k) for k in range(pipeline.source.num_frames)]
    print(len(frames), "frames,", f"{frames[-1].attributes['time_fs']:.4g} fs")
    return np.array([frame.particles.positions for frame in frames])


if __name__ == "__main__":
    print("fluctuation (Å):", by_mdanalysis(Path(sys.argv[1])).round(3))
    if importlib.util.find_spec("ovito"):
        print("last frame (Å):", by_ovito(Path(sys.argv[1]))[-1].round(3), sep="\n")
