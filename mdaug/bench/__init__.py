"""Measurement of speed: a model, its training, a baseline (SchNetPack), and lower bounds of the times."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.bench.measurement import BenchResult, run_bench
    from mdaug.bench.options import BenchOptions

__all__ = ["BenchOptions", "BenchResult", "run_bench"]

_MODULES = {
    "BenchOptions": "mdaug.bench.options",
    "BenchResult": "mdaug.bench.measurement",
    "run_bench": "mdaug.bench.measurement",
}
__getattr__ = lazy_exports(__name__, _MODULES)
