"""SchNet: radial functions, spline filters, interactions; closed-form energy, forces and virial."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.models.graph import Graph
    from mdaug.models.options import SchNetOptions
    from mdaug.models.potential import SchNet

__all__ = ["Graph", "SchNet", "SchNetOptions"]

__getattr__ = lazy_exports(
    __name__,
    {
        "Graph": "mdaug.models.graph",
        "SchNet": "mdaug.models.potential",
        "SchNetOptions": "mdaug.models.options",
    },
)
