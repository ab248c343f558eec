"""Time and memory of large sets of frames: reading, checks, springs, an epoch of training, `mdaug info`.

``python benchmarks/large_sets.py --frames 10000 30000 100000`` repeats the embedded frames of ethanol with
noise (0.01 Å; energies to first order); ``--atoms 108 500 1372 --frames 20`` makes crystals of copper
with EMT's energies, forces and stresses. Each part runs in a process of its own; times are CPU times.
The epoch is ``mdaug train --epochs 1`` of a raw model with everything before and after it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase.build import bulk
from ase.calculators.emt import EMT

from mdaug.data import load_frames, write_extxyz
from mdaug.frames import FrameSet

COMMANDS = {
    "read": [str(Path(__file__).resolve()), "--read"],
    "springs": [str(Path(__file__).resolve()), "--springs"],
    "check": ["-m", "mdaug", "check", "--out", "check"],
    "train": [
        *(
            "-m",
            "mdaug",
            "train",
            "--out",
            "run",
            "--epochs",
            "1",
            "--no-augment",
            "--model.baseline",
            "none",
        ),
        *("--model.n-atom-basis", "64", "--model.n-filters", "64"),
    ],
    "info": ["-m", "mdaug", "info", "run"],
}
"""Arguments of Python for each part; the file of frames follows, except for `info`."""


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


def measure(part: str, path: Path) -> str:
    """Run one part in the folder of the frames, and return its CPU seconds and peak memory, for a table."""
    command = [sys.executable, "-W", "ignore", *COMMANDS[part], *([] if part == "info" else [path.name])]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    with (path.parent / "output.txt").open("w+") as output:
        process = subprocess.Popen(command, cwd=path.parent, env=environment, stdout=output, stderr=output)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            output.seek(0)
            return f"{output.read()[-200:].strip()} | "
    return f"{usage.ru_utime + usage.ru_stime:.1f} | {usage.ru_maxrss / 1e6:.2f}"


def main() -> None:
    """Measure all sizes, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, nargs="+", default=[10_000, 30_000, 100_000])
    parser.add_argument("--atoms", type=int, nargs="+", default=[9])
    parser.add_argument("--parts", nargs="+", choices=list(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--read", help="read and check this file, and measure nothing")
    parser.add_argument("--springs", help="read this file, fit springs, and measure nothing")
    given = parser.parse_args()
    if given.read:
        load_frames(given.read)
        return
    if given.springs:
        from mdaug.data.load import read_frames
        from mdaug.springs import SpringOptions, fit_springs

        fit_springs(read_frames(given.springs).frames, SpringOptions(bootstrap=0))
        return
    print("| frames | atoms | part | CPU time (s) | peak memory (GB) |", flush=True)
    for n_atoms in given.atoms:
        for n in given.frames:
            frames = many_frames(n) if n_atoms == 9 else large_frames(n, n_atoms)
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "frames.xyz"
                write_extxyz(frames, path)
                for part in given.parts:
                    print(f"| {n} | {frames.n_atoms} | {part} | {measure(part, path)} |", flush=True)


if __name__ == "__main__":
    main()
