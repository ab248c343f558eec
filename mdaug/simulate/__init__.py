"""Molecular dynamics: one thermo table, one trajectory format, a guard and restarts for every engine."""

from mdaug.simulate.dynamics import DynamicsResult, run_dynamics
from mdaug.simulate.options import DynamicsOptions

__all__ = ["DynamicsOptions", "DynamicsResult", "run_dynamics"]
