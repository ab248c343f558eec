"""NVE steps of a model's molecule by several builds of the core, in turn, beside the roofline of the newest.

    OMP_NUM_THREADS=1 python benchmarks/core_libraries.py MODEL LIBRARY... [--turns 300] [--steps 10]

MODEL is a model.pt; a LIBRARY is what `build_core()` of `mdaug.native.build` returns in a checkout. A turn
is a few steps of each, less than the time that the system gives a process, so that the minimum is that of an
idle machine. Prints minimum, median and maximum in ms a step.
"""

import argparse
import ctypes
import time
from functools import cache
from pathlib import Path

import numpy as np
from summary_statistics import min_median_max

import mdaug.calculators.core as binding
from mdaug.bench.benchmark_model import read_benchmark_model
from mdaug.bench.lower_bounds import core_products
from mdaug.calculators.core_library import declare_functions, load_library
from mdaug.calculators.evaluators import make_finder, set_molecules


def load(path: Path, model: Path) -> binding.Core:
    """Load a model by one library."""
    library = ctypes.CDLL(str(path))
    try:
        declare_functions(library)
    except AttributeError as missing:
        print(f"{path}: {missing}")  # of an older version
    binding.load_library = cache(lambda: library)
    return binding.Core(model, "float32")


def main() -> None:
    """Measure, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("libraries", type=Path, nargs="+")
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--steps", type=int, default=10)
    options = parser.parse_args()
    newest = load_library()
    model = read_benchmark_model(options.model)
    finder = make_finder(model.manifest)
    n_atoms, masses = len(model.atoms), model.atoms.get_masses()
    n_flops = sum(product.flops for product in core_products(model.sizes, n_atoms))
    cores = {path.name: load(path, options.model) for path in options.libraries}
    for core in cores.values():
        set_molecules(core, None if finder is None else finder.find(model.atoms))
    times: dict[str, list[float]] = {name: [] for name in [*cores, "peak rate"]}
    for _ in range(options.turns):
        for name, core in cores.items():
            positions = model.atoms.get_positions()[None].copy()
            state = positions, np.zeros_like(positions), np.zeros_like(positions)
            core.verlet(model.species, masses, 0.01, 2, state)
            began = time.perf_counter()
            core.verlet(model.species, masses, 0.01, options.steps, state)
            times[name].append(1e3 * (time.perf_counter() - began) / options.steps)
        began = time.perf_counter()
        newest.mdaug_multiply_add(b"float32", ctypes.c_double(n_flops * options.steps))
        times["peak rate"].append(1e3 * (time.perf_counter() - began) / options.steps)
    print("| | ms a step |\n|---|---|")
    for name, of_case in times.items():
        print(f"| {name} | {min_median_max(of_case, '.4f')} |")


if __name__ == "__main__":
    main()
