"""What evaluates a model.pt: the ASE calculator, and predictions for many frames."""

from mdaug.engines.ase_calculator import MDAugCalculator
from mdaug.engines.predictions import predict

__all__ = ["MDAugCalculator", "predict"]
