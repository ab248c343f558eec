"""How a file of frames is read: what the user states of it."""

from dataclasses import dataclass
from typing import TypedDict


class ReadingOptions(TypedDict, total=False):
    """Keyword arguments of `load_frames` and `load_systems`, which `Reading` describes."""

    units: str | None
    force_units: str | None
    length_units: str | None
    stress_units: str | None
    temperature_K: float | None
    every: int
    reorder: bool
    energy_key: str | None
    forces_key: str | None
    forces_optional: bool


@dataclass(frozen=True)
class Reading:
    """How the files of a set of frames are read.

    Parameters
    ----------
    units
        Energy unit of the file: eV, kcal/mol, kJ/mol, meV, Hartree or Ry. Without it that which the file
        names, or else its format's: kcal/mol for npz and xyz of sGDML, Hartree for CP2K and for HDF5 of SPICE
        and ANI, eV for the others.
    force_units
        Force unit of the file where it is not `units` per `length_units`: ``Hartree/Bohr``, ``eV/Angstrom``.
    length_units
        Length unit of the file: Angstrom, Bohr, nm or pm.
    stress_units
        Unit of the stresses: ``GPa``, ``kbar``, ``eV/Angstrom^3``, with a minus before it (``-kbar``) where
        compression is positive; ``none`` leaves the stresses out. Without it energy by cubic length.
    temperature_K
        Temperature of the frames, K; overrides the file's.
    every
        Take every n-th frame of each system.
    reorder
        Bring the atoms of all frames of a system, by their bonds, into the order of its first frame. Readers
        then return the atoms of every frame sorted by element (`sort_by_element`).
    energy_key, forces_key
        Names under which the file keeps energies and forces, where it keeps several.
    forces_optional
        Read frames with energies only, too; their forces are NaN, and only their structures are checked.
    several_systems
        Read the frames of all systems; without it, a file of several is refused. Either way isolated atoms
        are read as systems of their own.
    """

    units: str | None = None
    force_units: str | None = None
    length_units: str | None = None
    stress_units: str | None = None
    temperature_K: float | None = None
    every: int = 1
    reorder: bool = False
    energy_key: str | None = None
    forces_key: str | None = None
    forces_optional: bool = False
    several_systems: bool = False

    @property
    def without_stresses(self) -> bool:
        """Whether stresses are left out."""
        return self.stress_units is not None and self.stress_units.strip().lower() == "none"

    def may_lack_forces(self, n_atoms: int, *, periodic: bool) -> bool:
        """Return whether frames need no forces: any of `forces_optional`, and isolated atoms.

        Parameters
        ----------
        n_atoms
            Number of atoms in each.
        periodic
            Whether any direction is periodic.
        """
        return self.forces_optional or (n_atoms == 1 and not periodic)
