"""Ab-initio energies of frames and scans by PySCF, on many cores, each point computed once."""

from typing import TYPE_CHECKING

from mdaug.lazy import lazy_exports

if TYPE_CHECKING:
    from mdaug.quantum.level import Level
    from mdaug.quantum.point_store import PointStore
    from mdaug.quantum.single_point_jobs import SinglePointJob, SinglePointResult, compute

__all__ = ["Level", "PointStore", "SinglePointJob", "SinglePointResult", "compute"]

_MODULES = {
    "Level": "mdaug.quantum.level",
    "PointStore": "mdaug.quantum.point_store",
    "SinglePointJob": "mdaug.quantum.single_point_jobs",
    "SinglePointResult": "mdaug.quantum.single_point_jobs",
    "compute": "mdaug.quantum.single_point_jobs",
}
__getattr__ = lazy_exports(__name__, _MODULES)
