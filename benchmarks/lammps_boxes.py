"""Boxes of ethanol molecules in LAMMPS: speed, cost by size, efficiency of ranks, memory; min / median / max.

python benchmarks/lammps_boxes.py MODEL.pt [--molecules 5 10 22] [--steps 400 100 20] [--repeats 5]

MODEL.pt is one that knows H, C and O. Boxes of N x N x N molecules (5: 1,125 atoms, 10: 9,000, 22: 95,832)
run `inputs/ethanol_box.in`; all kinds of run take turns. Timed is LAMMPS' loop time of the NVE stage. Memory
is the largest resident set of a rank. With the default settings: about six minutes on two free cores.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from summary_statistics import min_median_max

from mdaug.workflows.settings.inputs import inputs_folder

ATOMS_PER_MOLECULE = 9
BIN = Path(sys.executable).parent


@dataclass
class Box:
    """N x N x N molecules on some ranks, and what was measured of them."""

    n: int
    ranks: int
    steps: int
    speeds: list[float] = field(default_factory=list)  # atom-steps/s
    memories: list[float] = field(default_factory=list)  # bytes

    @property
    def n_atoms(self) -> int:
        """Atoms of the box."""
        return ATOMS_PER_MOLECULE * self.n**3

    def run(self, model: Path) -> None:
        """Run the box once and keep its figures."""
        settings = {"model": model.resolve(), "n": self.n, "nvt": 2, "nve": self.steps, "every": self.steps}
        words = [word for name, value in settings.items() for word in ("-var", name, str(value))]
        command = [str(BIN / "lmp"), "-in", str(inputs_folder() / "ethanol_box.in"), *words]
        if self.ranks > 1:
            command = [str(BIN / "mpirun"), "-np", str(self.ranks), *command]
        printed, memory = run_watched(command)
        times = re.findall(r"^Loop time of (\S+) on", printed, re.MULTILINE)
        if len(times) != 2:
            sys.exit(f"lmp failed: {printed.strip()[-800:]}")
        self.speeds.append(self.n_atoms * self.steps / float(times[-1]))
        self.memories.append(memory)


def run_watched(command: list[str]) -> tuple[str, float]:
    """Run in a folder of its own; return what was printed and the largest resident set, bytes."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, _, used = os.wait4(process.pid, 0)
        output.seek(0)
        return output.read(), 1024.0 * used.ru_maxrss


def table(boxes: list[Box]) -> Iterator[str]:
    """Yield a row a box."""
    yield "| atoms | ranks | steps | thousand atom-steps/s | µs an atom-step | memory of a rank (MiB) |"
    yield "|---|---|---|---|---|---|"
    for box in boxes:
        speeds = min_median_max([speed / 1000 for speed in box.speeds], ".1f")
        costs = min_median_max([1e6 / speed for speed in box.speeds], ".2f")
        memories = min_median_max([memory / 2**20 for memory in box.memories], ".0f")
        yield f"| {box.n_atoms:,} | {box.ranks} | {box.steps} | {speeds} | {costs} | {memories} |"


def conclusions(boxes: list[Box]) -> Iterator[str]:
    """Yield a line on the ranks of each size, and lines on cost and memory by size on one rank."""
    alone = [box for box in boxes if box.ranks == 1]
    for one in alone:
        for box in boxes:
            if box.n == one.n and box.ranks > 1:
                pairs = zip(box.speeds, one.speeds, strict=True)
                efficiency = min_median_max([many / (box.ranks * single) for many, single in pairs], ".3f")
                yield f"efficiency of {box.ranks} ranks, {box.n_atoms:,} atoms: {efficiency}"
    if len(alone) > 1:
        costs = [1 / median(box.speeds) for box in alone]
        yield f"dearest atom-step of all sizes over the cheapest: {max(costs) / min(costs):.3f}"
        small, large = alone[0], alone[-1]
        more = median(large.memories) - median(small.memories)
        yield f"memory by atom: {more / (large.n_atoms - small.n_atoms) / 1024:.2f} KiB"


def main() -> None:
    """Measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--molecules", type=int, nargs="+", default=[5, 10, 22], help="N of each box")
    parser.add_argument("--steps", type=int, nargs="+", default=[400, 100, 20], help="NVE steps of each box")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sizes = list(zip(options.molecules, options.steps, strict=True))
    boxes = [Box(n, ranks, steps) for n, steps in sizes for ranks in options.ranks]
    for _ in range(options.repeats):
        for box in boxes:
            box.run(options.model)
    print(*table(boxes), "", *conclusions(boxes), sep="\n")


if __name__ == "__main__":
    main()
