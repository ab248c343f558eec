"""The roofline: the arithmetic of the core at the peak rate of the machine, and its weights read once."""

import ctypes
from collections.abc import Sequence

import numpy as np

from mdaug.bench.lower_bounds import core_products
from mdaug.bench.timing import Case, Timing, local_case, repeated
from mdaug.calculators.core_library import load_library
from mdaug.models import SchNetOptions
from mdaug.options import Precision

PEAK, WEIGHTS, ROOFLINE = "peak", "weights", "roofline"
"""Names of the cases."""


def roofline_cases(sizes: SchNetOptions, n_atoms: int, dtype: Precision) -> list[Case]:
    """Return two lower bounds of an evaluation by the core, with the instructions that it is compiled for.

    They are the multiplications and additions of its matrix products in registers, and reading the weights,
    which are larger than the first-level cache, once for each product.

    Parameters
    ----------
    sizes
        Sizes of the network.
    n_atoms
        Number of atoms.
    dtype
        Precision of the network.

    Raises
    ------
    CoreUnavailableError
        There is no core on this machine.
    """
    library, products = load_library(), core_products(sizes, n_atoms)
    flops = sum(product.flops for product in products)
    weights = np.ones(sum(p.depth * p.columns for p in products), dtype)
    name, n_flops = dtype.encode(), ctypes.c_double(flops)
    data, n_bytes = ctypes.c_void_p(weights.ctypes.data), ctypes.c_int64(weights.nbytes)

    def multiply() -> None:
        library.mdaug_multiply_add(name, n_flops)

    def read() -> None:
        library.mdaug_read(data, n_bytes)
        assert weights.size  # the array lives as long as this function

    return [
        local_case(PEAK, f"{flops / 1e6:.3g} MFLOP of its {len(products)} products", repeated(multiply)),
        local_case(WEIGHTS, f"reading {weights.nbytes / 1e6:.3g} MB of weights", repeated(read)),
    ]


def with_roofline(timings: Sequence[Timing]) -> list[Timing]:
    """Return the timings, and the larger of the two lower bounds in each round if both were measured.

    Parameters
    ----------
    timings
        Cases that were timed in the same rounds.
    """
    bounds = [timing for timing in timings if timing.case.name in (PEAK, WEIGHTS)]
    if len(bounds) < 2:
        return list(timings)
    wall, cpu = (
        [max(of_round) for of_round in zip(*(getattr(timing, clock) for timing in bounds), strict=True)]
        for clock in ("wall", "cpu")
    )
    case = Case(ROOFLINE, "roofline: the larger of the two", bounds[0].case.run)
    place = timings.index(bounds[-1]) + 1
    return [*timings[:place], Timing(case, wall, cpu, bounds[0].calls), *timings[place:]]
