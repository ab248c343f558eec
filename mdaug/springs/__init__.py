"""Spring constants k = k_B T / σ² from Gaussian mixtures of pair distances."""

from mdaug.springs.fit import SpringAnalysis, analyze_springs, fit_springs
from mdaug.springs.options import SpringOptions
from mdaug.springs.springs import PairSprings, Springs
from mdaug.springs.virial import Consistency, consistency, write_springs

__all__ = [
    "Consistency",
    "PairSprings",
    "SpringAnalysis",
    "SpringOptions",
    "Springs",
    "analyze_springs",
    "consistency",
    "fit_springs",
    "write_springs",
]
