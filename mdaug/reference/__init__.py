"""Ab-initio energies of frames and scans by PySCF, on many cores, each point computed once."""

from mdaug.reference.level import Level
from mdaug.reference.sites import Site, SiteEnergy, compute
from mdaug.reference.store import PointStore

__all__ = ["Level", "PointStore", "Site", "SiteEnergy", "compute"]
