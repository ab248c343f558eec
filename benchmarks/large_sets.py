"""Time and memory of large sets of frames: reading with all checks, springs, and tensors of a training.

``python benchmarks/large_sets.py --frames 10000 30000 100000`` repeats the embedded frames of ethanol with
noise (0.01 Å; energies to first order); ``--atoms 108 500 1372 --frames 20`` makes crystals of copper
with EMT's energies, forces and stresses. Each part runs in a process of its own; times are CPU times.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from mdaug.data import load_frames, write_extxyz
from mdaug.frames import FrameSet

PARTS = ("read", "springs", "tensors")


def many_frames(n: int) -> FrameSet:
    """Return `n` frames of ethanol: the embedded ones, displaced, with energies to first order."""
    ethanol, rng = load_frames("ethanol"), np.random.default_rng(0)
    parent = np.arange(n) % len(ethanol)
    shift = 0.01 * rng.standard_normal((n, *ethanol.positions.shape[1:]))
    energies = ethanol.energies[parent] - (ethanol.forces[parent] * shift).sum((1, 2))
    return FrameSet(
        ethanol.atomic_numbers,
        ethanol.positions[parent] + shift,
        energies,
        ethanol.forces[parent],
        temperature_K=500.0,
    )


def large_frames(n: int, n_atoms: int) -> FrameSet:
    """Return `n` frames of a crystal of copper with about `n_atoms` atoms."""
    rng, found = np.random.default_rng(0), []
    repeat = round((n_atoms / 4) ** (1 / 3))
    for _ in range(n):
        atoms = bulk("Cu", cubic=True).repeat(repeat)
        atoms.positions += 0.08 * rng.standard_normal(atoms.positions.shape)
        atoms.calc = EMT()
        given = atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress(voigt=False)
        found.append((atoms.positions.copy(), atoms.cell.array.copy(), *given))
    positions, cells, energies, forces, stresses = (np.array(each) for each in zip(*found, strict=True))
    return FrameSet(
        np.full(4 * repeat**3, 29),
        positions,
        energies,
        forces,
        cells=cells,
        pbc=(True, True, True),
        stresses=stresses,
        temperature_K=300.0,
    )


def measure(path: str, part: str) -> None:
    """Print CPU seconds and peak memory of one part."""
    from mdaug.data.load import read_frames
    from mdaug.models import SchNet, SchNetOptions
    from mdaug.springs import SpringOptions, fit_springs
    from mdaug.training.tensors import FrameTensors

    frames = load_frames(path) if part == "read" else read_frames(path).frames
    started = time.process_time()
    if part == "read":
        started = 0.0
    elif part == "springs":
        fit_springs(frames, SpringOptions(bootstrap=0))
    else:
        numbers = sorted(set(frames.atomic_numbers.tolist()))
        FrameTensors(frames, SchNet(SchNetOptions(prior="none"), numbers, [0.0] * len(numbers), 1.0))
    seconds = time.process_time() - started
    print(f"{seconds:.1f} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f}")


def main() -> None:
    """Measure all sizes, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--atoms", type=int, nargs="+", default=[9])
    parser.add_argument("--measure", nargs=2)
    given = parser.parse_args()
    if given.measure:
        measure(*given.measure)
        return
    print("| frames | atoms | part | CPU time (s) | peak memory (GB) |", flush=True)
    for n_atoms in given.atoms:
        for n in given.frames:
            frames = many_frames(n) if n_atoms == 9 else large_frames(n, n_atoms)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "frames.xyz"
                write_extxyz(frames, path)
                for part in PARTS:
                    command = [sys.executable, "-W", "ignore", __file__, "--measure", str(path), part]
                    done = subprocess.run(command, capture_output=True, text=True, check=False)
                    seconds, memory = (done.stdout.split() or [done.stderr[-200:], ""])[:2]
                    print(f"| {n} | {frames.n_atoms} | {part} | {seconds} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
