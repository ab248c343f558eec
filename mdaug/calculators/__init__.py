"""Evaluation of a model.pt: the ASE calculator, predictions for many frames, and the LAMMPS pair style."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdaug.calculators.ase_calculator import MDAugCalculator
    from mdaug.calculators.committee import MDAugCommittee
    from mdaug.calculators.predictions import predict

__all__ = ["MDAugCalculator", "MDAugCommittee", "predict"]

_HOMES = {
    "MDAugCalculator": "mdaug.calculators.ase_calculator",
    "MDAugCommittee": "mdaug.calculators.committee",
    "predict": "mdaug.calculators.predictions",
}


def __getattr__(name: str) -> Any:
    """Import torch and ASE only when they are used, because every `lmp` imports
    `mdaug.calculators.lammps`."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
