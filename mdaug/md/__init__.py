"""Molecular dynamics: one thermo table, one trajectory format, a guard and restarts for every engine."""

from mdaug.md.dynamics import DynamicsResult, run_dynamics
from mdaug.md.options import DynamicsOptions

__all__ = ["DynamicsOptions", "DynamicsResult", "run_dynamics"]
