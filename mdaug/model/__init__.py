"""SchNet: radial functions, spline filters, messages, interactions; closed-form energy, forces and virial."""

from mdaug.model.graph import Graph
from mdaug.model.options import SchNetOptions
from mdaug.model.potential import SchNet

__all__ = ["Graph", "SchNet", "SchNetOptions"]
