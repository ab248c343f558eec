"""SchNet: radial functions, spline filters, messages, interactions; closed-form energy, forces and virial."""

from mdaug.models.graph import Graph
from mdaug.models.options import SchNetOptions
from mdaug.models.potential import SchNet

__all__ = ["Graph", "SchNet", "SchNetOptions"]
