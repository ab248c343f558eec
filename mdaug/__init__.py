"""From ab-initio MD frames of a molecule to a neural force field that survives MD."""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["MDAugCalculator"]


def __getattr__(name: str) -> Any:
    """Import torch and ASE only when the calculator is asked for."""
    if name == "MDAugCalculator":
        return import_module("mdaug.calculators").MDAugCalculator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
