"""What evaluates a model.pt: the ASE calculator, predictions for many frames, and the LAMMPS pair style."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mdaug.engines.ase_calculator import MDAugCalculator
    from mdaug.engines.predictions import predict

__all__ = ["MDAugCalculator", "predict"]

_HOMES = {"MDAugCalculator": "mdaug.engines.ase_calculator", "predict": "mdaug.engines.predictions"}


def __getattr__(name: str) -> Any:
    """Import torch and ASE only where they are used: every start of LAMMPS imports `mdaug.engines.lammps`."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
