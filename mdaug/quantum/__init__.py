"""Ab-initio energies of frames and scans by PySCF, on many cores, each point computed once."""

from mdaug.quantum.level import Level
from mdaug.quantum.point_store import PointStore
from mdaug.quantum.single_point_jobs import SinglePointJob, SinglePointResult, compute

__all__ = ["Level", "PointStore", "SinglePointJob", "SinglePointResult", "compute"]
