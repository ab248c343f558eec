"""Sweeps: many trainings over a grid or by a search, compared by their bond scans or forces."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.sweep.options import PAPER, SweepOptions
    from mdaug.sweep.results import table, write_results
    from mdaug.sweep.space import parse_space
    from mdaug.sweep.storage import Sweep
    from mdaug.sweep.study import run_sweep

__all__ = ["PAPER", "Sweep", "SweepOptions", "parse_space", "run_sweep", "table", "write_results"]

_MODULES = {
    "PAPER": "mdaug.sweep.options",
    "Sweep": "mdaug.sweep.storage",
    "SweepOptions": "mdaug.sweep.options",
    "parse_space": "mdaug.sweep.space",
    "run_sweep": "mdaug.sweep.study",
    "table": "mdaug.sweep.results",
    "write_results": "mdaug.sweep.results",
}
__getattr__ = lazy_exports(__name__, _MODULES)
