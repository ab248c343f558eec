"""Speed on this machine: what a model, its training and a peer take, beside the products nobody can avoid."""

from mdaug.bench.bench import BenchResult, run_bench
from mdaug.bench.options import BenchOptions

__all__ = ["BenchOptions", "BenchResult", "run_bench"]
