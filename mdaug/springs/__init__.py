"""Spring constants k = k_B T / σ² from Gaussian mixtures of pair distances."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
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

_MODULES = {
    "Consistency": "mdaug.springs.virial",
    "PairSprings": "mdaug.springs.springs",
    "SpringAnalysis": "mdaug.springs.fit",
    "SpringOptions": "mdaug.springs.options",
    "Springs": "mdaug.springs.springs",
    "analyze_springs": "mdaug.springs.fit",
    "consistency": "mdaug.springs.virial",
    "fit_springs": "mdaug.springs.fit",
    "write_springs": "mdaug.springs.virial",
}
__getattr__ = lazy_exports(__name__, _MODULES)
