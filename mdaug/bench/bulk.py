"""Periodic boxes of growing size: time and memory per atom and per pair."""

import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from pathlib import Path
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
from mdaug.bench.options import BenchOptions
from mdaug.bench.timing import Timing, interleave, local_case, min_median_max, repeated
from mdaug.calculators import MDAugCalculator
from mdaug.geometry.pairs import neighbor_pairs
from mdaug.geometry.verlet_list import PairList

DENSITY_AMU_A3 = 0.475
"""Density of boxes of molecules: that of liquid ethanol, 0.789 g/cm³."""

SKIN_A = 1.0
ROWS = 960
"""Number of atoms whose products are timed at once for the lower bound: small enough for the cache."""

SWEEP_BYTES = 1 << 28
"""Size of each of three arrays that are added to measure the memory bandwidth: larger than any cache."""

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


@dataclass(frozen=True)
class Box:
    """Measurements of one box.

    Attributes
    ----------
    n_atoms, n_pairs
        Numbers of atoms and of unordered pairs.
    timings
        Timings by case: evaluation, search (of pairs), products.
    traffic
        Bytes of one evaluation: ``least``, and ``gathered`` (if no row of a neighbor is in a cache).
    bytes_per_second
        Memory bandwidth, round by round.
    peak_bytes
        Largest memory in use.
    grown_bytes
        Growth of the memory during evaluations.
    """

    n_atoms: int
    n_pairs: int
    timings: dict[str, Timing]
    traffic: dict[str, int]
    bytes_per_second: list[float]
    peak_bytes: int
    grown_bytes: int

    def to_json(self, clock: str) -> dict[str, Any]:
        """Return times per atom and pair, lower bounds and memory.

        Parameters
        ----------
        clock
            ``wall`` or ``cpu``.
        """
        whole, products = self.timings["evaluation"], self.timings["products"]
        per_atom = {
            name: min_median_max([1e6 * s / timing.case.items for s in timing.seconds(clock)])
            for name, timing in self.timings.items()
        }
        per_pair = 1 / max(1, self.n_pairs)
        bounds = [s * self.n_atoms / products.case.items for s in products.seconds(clock)]
        beyond = [s - bound for s, bound in zip(whole.seconds(clock), bounds, strict=True)]
        rate = max(self.bytes_per_second)
        return {
            "n_atoms": self.n_atoms,
            "n_pairs": self.n_pairs,
            "us_per_atom": per_atom,
            "ns_per_pair_beyond_products": min_median_max([1e9 * s * per_pair for s in beyond]),
            "memory_lower_bound_us_per_atom": 1e6 * self.traffic["least"] / rate / self.n_atoms,
            "memory_lower_bound_ns_per_pair": 1e9 * self.traffic["least"] / rate * per_pair,
            "gathered_ns_per_pair": 1e9 * self.traffic["gathered"] / rate * per_pair,
            "memory_bytes_per_second": min_median_max(self.bytes_per_second),
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
    """Measure boxes from the smallest to the largest, until one does not fit into the memory of the GPU.

    Parameters
    ----------
    model
        The model.
    options
        Sizes of the boxes, device, precision, threads.
    rounds
        Rounds of the timing.
    notes
        List to which a sentence is added if a box does not fit.
    progress
        Called with the name of the measurement, the number of finished measurements and their total.

    Returns
    -------
    list of Box
    """
    boxes, bandwidth = [], _memory_bandwidth(options, rounds)
    for n_atoms in sorted(options.bulk_atoms):
        atoms = make_box(model.atoms, n_atoms)

        def report(done: int, total: int, n: int = len(atoms)) -> None:
            progress(f"box of {n} atoms", done, total)

        try:
            boxes.append(
                _measure(model, atoms, options, rounds=rounds, bytes_per_second=bandwidth, progress=report)
            )
        except RuntimeError as error:  # TorchScript raises no OutOfMemoryError
            if "out of memory" not in str(error):
                raise
            notes.append(f"a box of {len(atoms)} atoms does not fit into the memory of the GPU")
            break
    return boxes


def make_box(structure: Atoms, n_atoms: int) -> Atoms:
    """Return a periodic box of a repeated crystal, or of randomly rotated molecules.

    Molecules are on a cubic lattice with the density of liquid ethanol. They are shuffled, so that the order
    of the atoms is random, like after diffusion.

    Parameters
    ----------
    structure
        A molecule, or the unit cell of a crystal.
    n_atoms
        Approximate number of atoms.
    """
    if structure.pbc.any():
        n = max(1, round((n_atoms / len(structure)) ** (1 / 3)))
        return structure.repeat((n, n, n))
    n = max(1, round((n_atoms / len(structure)) ** (1 / 3)))
    spacing = (structure.get_masses().sum() / DENSITY_AMU_A3) ** (1 / 3)
    rng = np.random.default_rng(0)
    sites = rng.permutation(np.stack(np.meshgrid(*[np.arange(n)] * 3), axis=-1).reshape(-1, 3)) * spacing
    centered = structure.get_positions() - structure.get_center_of_mass()
    rotations = Rotation.random(len(sites), rng).as_matrix()
    positions = np.einsum("sxy,ay->sax", rotations, centered) + sites[:, None]
    numbers = np.tile(structure.numbers, len(sites))
    return Atoms(numbers, positions.reshape(-1, 3), cell=np.eye(3) * n * spacing, pbc=True)


def _measure(
    model: BenchmarkModel,
    atoms: Atoms,
    options: BenchOptions,
    *,
    rounds: int,
    bytes_per_second: list[float],
    progress: Callable[[int, int], None],
) -> Box:
    device, threads, n = torch.device(options.device), max(options.threads), len(atoms)
    cell, itemsize = atoms.cell.array, getattr(torch, options.dtype).itemsize
    n_pairs = len(neighbor_pairs(atoms.positions, cell, (True,) * 3, model.sizes.cutoff)[0])
    before = reset_peak(device)
    evaluate = _evaluate(model, atoms, options)
    evaluate(2)
    peak = peak_bytes(device)
    rows = min(n, ROWS)
    products = bare_products(evaluation_products(model.sizes, rows), getattr(torch, options.dtype), device)
    make_case = partial(local_case, threads=threads, device=device)
    cases = [
        make_case("evaluation", "energy and forces", evaluate, items=n),
        make_case("search", "search of pairs", _search(model, atoms, device), items=n),
        make_case("products", "bare products", repeated(products), items=rows),
    ]
    timings = {timing.case.name: timing for timing in interleave(cases, rounds, options.block, progress)}
    traffic = {
        "least": least_traffic(model.sizes, n, n_pairs, itemsize),
        "gathered": gathered_traffic(model.sizes, n_pairs, itemsize),
    }
    return Box(n, n_pairs, timings, traffic, bytes_per_second, peak, peak - before)


def _memory_bandwidth(options: BenchOptions, rounds: int) -> list[float]:
    """Return the memory bandwidth in bytes per second, round by round."""
    device, threads = torch.device(options.device), max(options.threads)
    sweep, n_bytes = memory_sweep(SWEEP_BYTES, device)
    case = local_case("memory", "memory", repeated(sweep), threads=threads, device=device)
    (timing,) = interleave([case], rounds, options.block)
    return [n_bytes / seconds for seconds in timing.seconds(options.clock)]


def _evaluate(model: BenchmarkModel, atoms: Atoms, options: BenchOptions) -> Callable[[int], None]:
    """Return evaluations of atoms that move less than half the skin, so that pairs are not searched again."""
    atoms = atoms.copy()
    atoms.calc = MDAugCalculator(
        model.path,
        device=options.device,
        dtype=options.dtype,
        threads=max(options.threads),
        skin=SKIN_A,
        strict=None,
    )
    positions = cycle([atoms.get_positions(), atoms.get_positions() + 0.01])

    def evaluate() -> None:
        atoms.positions = next(positions)
        atoms.get_forces()

    return repeated(evaluate)


def _search(model: BenchmarkModel, atoms: Atoms, device: torch.device) -> Callable[[int], None]:
    """Return searches of pairs, each after all atoms have moved."""
    cell = atoms.cell.array
    positions = cycle([atoms.get_positions(), atoms.get_positions() + SKIN_A])
    pair_list = PairList(model.sizes.cutoff, SKIN_A, device, sort=True)
    return repeated(lambda: pair_list.pairs(next(positions), cell, (True, True, True)))


def reset_peak(device: torch.device) -> int:
    """Reset the peak of `peak_bytes`, and return the bytes in use now.

    Only Linux can reset it; elsewhere `peak_bytes` is the peak since the start of the process.

    Parameters
    ----------
    device
        The GPU, or the CPU for the memory of this process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_allocated(device)
    try:
        _RESET.write_text("5")
        return _status_bytes("VmRSS")
    except OSError:
        return peak_bytes(device)


def peak_bytes(device: torch.device) -> int:
    """Return the largest number of bytes in use since `reset_peak`.

    Parameters
    ----------
    device
        The GPU, or the CPU for the memory of this process.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if _STATUS.exists():
        return _status_bytes("VmHWM")
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _status_bytes(key: str) -> int:
    for line in _STATUS.read_text(encoding="ascii").splitlines():
        name, _, value = line.partition(":")
        if name == key:
            return 1024 * int(value.split()[0])
    raise OSError(f"{_STATUS} has no {key}")
