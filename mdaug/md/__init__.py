"""Molecular dynamics: one thermo table, one trajectory format, a guard and restarts for every integrator."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.md.dynamics import DynamicsResult, run_dynamics, run_replicas
    from mdaug.md.options import DynamicsOptions

__all__ = ["DynamicsOptions", "DynamicsResult", "run_dynamics", "run_replicas"]

_MODULES = {
    "DynamicsOptions": "mdaug.md.options",
    "DynamicsResult": "mdaug.md.dynamics",
    "run_dynamics": "mdaug.md.dynamics",
    "run_replicas": "mdaug.md.dynamics",
}
__getattr__ = lazy_exports(__name__, _MODULES)
