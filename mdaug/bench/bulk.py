"""Periodic boxes of growing size: time and memory an atom, and a pair."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import numpy as np
import torch
from ase import Atoms
from scipy.spatial.transform import Rotation

from mdaug.bench.benchmark_model import BenchmarkModel
from mdaug.bench.lower_bounds import (
    bare_products,
    evaluation_products,
    gathered_traffic,
    least_traffic,
    memory_sweep,
)
from mdaug.bench.memory import forget_peak, peak_bytes
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Timing, interleave, local_case, repeated, spread
from mdaug.calculators import MDAugCalculator
from mdaug.geometry.pairs import neighbor_pairs
from mdaug.geometry.verlet_list import PairList

DENSITY_AMU_A3 = 0.475
"""Of the boxes of molecules: that of liquid ethanol, 0.789 g/cm³."""

SKIN_A = 1.0
ROWS = 960
"""Atoms whose products are timed at once for the lower_bound: few enough to stay in cache."""

SWEEP_BYTES = 1 << 28
"""Of each of three arrays that are added to measure the memory: more than any cache holds."""


@dataclass(frozen=True)
class Box:
    """What was measured with one box."""

    n_atoms: int
    n_pairs: int
    timings: dict[str, Timing]
    traffic: dict[str, int]
    bytes_per_second: list[float]
    peak_bytes: int
    grown_bytes: int

    def to_json(self, clock: str) -> dict[str, Any]:
        """Return times per atom and pair, lower_bounds and memory."""
        whole, products = self.timings["evaluation"], self.timings["products"]
        per_atom = {
            name: spread([1e6 * s / one.case.items for s in one.seconds(clock)])
            for name, one in self.timings.items()
        }
        per_pair = 1 / max(1, self.n_pairs)
        lower_bounds = [s * self.n_atoms / products.case.items for s in products.seconds(clock)]
        beyond = [s - lower_bound for s, lower_bound in zip(whole.seconds(clock), lower_bounds, strict=True)]
        rate = max(self.bytes_per_second)
        return {
            "n_atoms": self.n_atoms,
            "n_pairs": self.n_pairs,
            "us_per_atom": per_atom,
            "ns_per_pair_beyond_products": spread([1e9 * s * per_pair for s in beyond]),
            "memory_lower_bound_us_per_atom": 1e6 * self.traffic["least"] / rate / self.n_atoms,
            "memory_lower_bound_ns_per_pair": 1e9 * self.traffic["least"] / rate * per_pair,
            "gathered_ns_per_pair": 1e9 * self.traffic["gathered"] / rate * per_pair,
            "memory_bytes_per_second": spread(self.bytes_per_second),
            "peak_memory_bytes": self.peak_bytes,
            "memory_bytes_per_atom": self.grown_bytes / self.n_atoms,
        }


def measure_boxes(
    model: BenchmarkModel,
    options: BenchOptions,
    rounds: int,
    notes: list[str],
    progress: Callable[[str, int, int], None],
) -> list[Box]:
    """Measure boxes from the smallest to the largest, until one does not fit into the memory of a GPU."""
    boxes, speed = [], _memory_speed(options, rounds)
    for n_atoms in sorted(options.bulk_atoms):
        atoms = make_box(model.atoms, n_atoms)

        def report(done: int, total: int, n: int = len(atoms)) -> None:
            progress(f"box of {n} atoms", done, total)

        try:
            boxes.append(_measure(model, atoms, options, rounds, speed, report))
        except RuntimeError as error:  # TorchScript tells of full memory in its own way
            if "out of memory" not in str(error):
                raise
            notes.append(f"a box of {len(atoms)} atoms does not fit into the memory of the GPU")
            break
    return boxes


def make_box(structure: Atoms, n_atoms: int) -> Atoms:
    """Return about `n_atoms` atoms in a periodic box: a crystal repeated, or molecules turned at random.

    Molecules stand on a cubic lattice with the density of liquid ethanol. The order of atoms is that of no
    lattice: molecules are shuffled, as they are after some diffusion.
    """
    if structure.pbc.any():
        n = max(1, round((n_atoms / len(structure)) ** (1 / 3)))
        return structure.repeat((n, n, n))
    n = max(1, round((n_atoms / len(structure)) ** (1 / 3)))
    spacing = (structure.get_masses().sum() / DENSITY_AMU_A3) ** (1 / 3)
    rng = np.random.default_rng(0)
    sites = rng.permutation(np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3)) * spacing
    centred = structure.get_positions() - structure.get_center_of_mass()
    turns = Rotation.random(len(sites), rng).as_matrix()
    positions = np.einsum("sxy,ay->sax", turns, centred) + sites[:, None]
    numbers = np.tile(structure.numbers, len(sites))
    return Atoms(numbers, positions.reshape(-1, 3), cell=np.eye(3) * n * spacing, pbc=True)


def _measure(  # noqa: PLR0917
    model: BenchmarkModel,
    atoms: Atoms,
    options: BenchOptions,
    rounds: int,
    bytes_per_second: list[float],
    progress: Callable[[int, int], None],
) -> Box:
    device, threads, n = torch.device(options.device), max(options.threads), len(atoms)
    cell, itemsize = atoms.cell.array, getattr(torch, options.dtype).itemsize
    n_pairs = len(neighbor_pairs(atoms.positions, cell, (True,) * 3, model.sizes.cutoff)[0])
    held = forget_peak(device)
    evaluate = _evaluate(model, atoms, options)
    evaluate(2)
    peak = peak_bytes(device)
    rows = min(n, ROWS)
    lower_bound = bare_products(evaluation_products(model.sizes, rows), getattr(torch, options.dtype), device)
    here = partial(local_case, threads=threads, device=device)
    cases = [
        here("evaluation", "energy and forces", evaluate, items=n),
        here("search", "search of pairs", _search(model, atoms, device), items=n),
        here("products", "bare products", repeated(lower_bound), items=rows),
    ]
    timings = {timing.case.name: timing for timing in interleave(cases, rounds, options.block, progress)}
    traffic = {
        "least": least_traffic(model.sizes, n, n_pairs, itemsize),
        "gathered": gathered_traffic(model.sizes, n_pairs, itemsize),
    }
    return Box(n, n_pairs, timings, traffic, bytes_per_second, peak, peak - held)


def _memory_speed(options: BenchOptions, rounds: int) -> list[float]:
    """Bytes a second through memory, round by round."""
    device, threads = torch.device(options.device), max(options.threads)
    sweep, swept = memory_sweep(SWEEP_BYTES, device)
    case = local_case("memory", "memory", repeated(sweep), threads=threads, device=device)
    (timing,) = interleave([case], rounds, options.block)
    return [swept / seconds for seconds in timing.seconds(options.clock)]


def _evaluate(model: BenchmarkModel, atoms: Atoms, options: BenchOptions) -> Callable[[int], None]:
    """Evaluations while atoms move less than half the skin: pairs are not searched again."""
    atoms = atoms.copy()
    atoms.calc = MDAugCalculator(
        model.path, device=options.device, dtype=options.dtype, threads=max(options.threads), skin=SKIN_A
    )
    positions = cycle([atoms.get_positions(), atoms.get_positions() + 0.01])

    def evaluate() -> None:
        atoms.positions = next(positions)
        atoms.get_forces()

    return repeated(evaluate)


def _search(model: BenchmarkModel, atoms: Atoms, device: torch.device) -> Callable[[int], None]:
    """Searches, each because all atoms have moved."""
    cell = atoms.cell.array
    positions = cycle([atoms.get_positions(), atoms.get_positions() + SKIN_A])
    pair_list = PairList(model.sizes.cutoff, SKIN_A, device, sort=True)
    return repeated(lambda: pair_list.pairs(next(positions), cell, (True, True, True)))
