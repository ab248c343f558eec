"""What a reader is and what it returns."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from mdaug.data.stated_units import StatedUnits
from mdaug.frames import FrameSet

HEAD_BYTES = 65536
"""Bytes of a file that a reader sees to recognize its format."""


@dataclass(frozen=True)
class LabelKeys:
    """Names under which a file keeps energies and forces; None lets the reader choose.

    Parameters
    ----------
    energy, forces
        The names.
    forces_optional
        Read frames without forces, as frames whose forces are NaN.
    atoms_optional
        Read single atoms that are not periodic without forces.
    """

    energy: str | None = None
    forces: str | None = None
    forces_optional: bool = False
    atoms_optional: bool = False

    def may_lack_forces(self, n_atoms: int, *, periodic: bool) -> bool:
        """Return whether frames need no forces.

        Parameters
        ----------
        n_atoms
            Number of atoms in each.
        periodic
            Whether any direction is periodic.
        """
        return self.forces_optional or (self.atoms_optional and n_atoms == 1 and not periodic)


@dataclass(frozen=True)
class Contents:
    """Frames as a file has them.

    Parameters
    ----------
    frames
        Energies, forces, positions and stresses in `units`; NaN for forces that the file does not have.
    units
        Units of the file: those of its format, or those that it names.
    notes
        What the reader left out and why, and what it chose among several; one sentence each.
    """

    frames: FrameSet
    units: StatedUnits
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """One file format.

    Parameters
    ----------
    name
        For messages.
    sniff
        Whether a file with this path and these first `HEAD_BYTES` is of this format; never raises.
    read
        Reads the file, with labels under given keys; raises DataError naming file, frame and key.
    read_systems
        Reads a file of several systems, one `Contents` for each; None for a format of one system.
    """

    name: str
    sniff: Callable[[Path, bytes], bool]
    read: Callable[[Path, LabelKeys], Contents]
    read_systems: Callable[[Path, LabelKeys], list[Contents]] | None = None
