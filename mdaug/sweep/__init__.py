"""Sweeps: many trainings over a grid or by a search, judged by their scans or forces."""

from mdaug.sweep.results import table, write_results
from mdaug.sweep.space import PAPER, parse_space
from mdaug.sweep.study import Sweep, SweepOptions, run_sweep

__all__ = ["PAPER", "Sweep", "SweepOptions", "parse_space", "run_sweep", "table", "write_results"]
