"""Tables of a run: thermo.csv with energies, shadow.csv with the energy that velocity Verlet conserves."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from mdaug.files import naming, open_without_link
from mdaug.frames import FloatArray
from mdaug.units import FS

THERMO_COLUMNS = ("step", "time_fs", "potential_eV", "kinetic_eV", "total_eV", "temperature_K")
EXTRAPOLATION_COLUMN = "extrapolation"
SHADOW_COLUMNS = ("step", "time_fs", "shadow_eV")


class AppendedTable:
    """Appends rows of a step and of numbers to a CSV file.

    Numbers have all digits of their float64 values, so that a drift of 1e-9 eV is preserved beside an offset
    of thousands of eV.

    Parameters
    ----------
    path
        The file.
    columns
        Names of the columns; the first one is the step.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one and append.
    """

    def __init__(self, path: Path, columns: Sequence[str], keep_bytes: int | None) -> None:
        self._path, mode = path, "w" if keep_bytes is None else "r+"
        self._file = open_without_link(path, mode, encoding="ascii", newline="")
        if keep_bytes is None:
            self._file.write(",".join(columns) + "\n")
        else:
            self._file.truncate(keep_bytes)
            self._file.seek(0, os.SEEK_END)

    def append(self, step: int, *values: float) -> None:
        """Append one row.

        Parameters
        ----------
        step
            First column.
        *values
            The other columns, in their order.
        """
        with naming(self._path):
            self._file.write(f"{step}," + ",".join(repr(float(value)) for value in values) + "\n")

    def sync(self) -> int:
        """Write buffered data to disk and return the size of the file in bytes."""
        with naming(self._path):
            self._file.flush()
            os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Write buffered data and close the file."""
        with naming(self._path):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


class ThermoTable(AppendedTable):
    """Appends rows to ``thermo.csv``, whose last column is the largest extrapolation of an atom, if known.

    Parameters
    ----------
    path
        The file.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one (from the restart file) and
        append, which removes the rows written after the restart file.
    with_extrapolation
        Whether a new file has the column; an old one keeps its columns.
    """

    def __init__(
        self, path: Path, keep_bytes: int | None = None, *, with_extrapolation: bool = False
    ) -> None:
        if keep_bytes is not None:
            with path.open(encoding="ascii") as file:
                with_extrapolation = file.readline().rstrip("\n").endswith(EXTRAPOLATION_COLUMN)
        self._with_extrapolation = with_extrapolation
        columns = (*THERMO_COLUMNS, EXTRAPOLATION_COLUMN) if with_extrapolation else THERMO_COLUMNS
        super().__init__(path, columns, keep_bytes)

    def write(
        self,
        step: int,
        time_fs: float,
        potential: float,
        kinetic: float,
        temperature: float,
        *,
        extrapolation: float | None = None,
    ) -> None:
        """Append one row.

        Parameters
        ----------
        step
            Steps since the start of the run.
        time_fs
            The same in fs.
        potential, kinetic
            Energies of the whole system, eV.
        temperature
            K.
        extrapolation
            The largest of all atoms; None (NaN in the file) if it is not known.
        """
        last = [math.nan if extrapolation is None else extrapolation] if self._with_extrapolation else []
        self.append(step, time_fs, potential, kinetic, potential + kinetic, temperature, *last)


def shadow_correction(forces: FloatArray, masses: FloatArray, timestep_fs: float) -> float:
    """Return Δt²/24 Σ_i |F_i|²/m_i, to be added to the total energy.

    Velocity Verlet conserves H̃ = E + Δt² (p·V″p / 12m² − |F|² / 24m) + O(Δt⁴) (Hairer, Lubich and Wanner,
    DOI 10.1017/S0962492902000144). With d²V/dt² = p·V″p/m² − |F|²/m this is
    E + Δt² |F|²/24m + Δt²/12 d²V/dt², and the last term has no mean over times longer than a vibration. The
    remainder follows the slow changes of the energy as vibrations exchange energy, which are no drift.

    Parameters
    ----------
    forces
        Shape (n_atoms, 3), eV/Å.
    masses
        Shape (n_atoms,), amu.
    timestep_fs
        Time step, fs.

    Returns
    -------
    float
        eV.
    """
    squares = (forces**2).sum(axis=1) / masses
    return float((timestep_fs * FS) ** 2 / 24.0 * squares.sum())


class ShadowTable(AppendedTable):
    """Appends rows to ``shadow.csv``.

    Parameters
    ----------
    path
        The file.
    masses
        Shape (n_atoms,), amu.
    timestep_fs
        Time step, fs.
    resumed_at
        None: start a new file. Otherwise keep the rows up to this step and append.
    """

    def __init__(self, path: Path, masses: FloatArray, timestep_fs: float, resumed_at: int | None) -> None:
        self._masses, self._timestep_fs = masses, timestep_fs
        kept = _length_until(path, resumed_at) if resumed_at is not None and path.is_file() else 0
        super().__init__(path, SHADOW_COLUMNS, kept or None)

    def write(self, step: int, time_fs: float, total_eV: float, forces: FloatArray) -> None:
        """Append one row.

        Parameters
        ----------
        step
            Steps since the start of the run.
        time_fs
            The same in fs.
        total_eV
            Total energy, eV.
        forces
            Shape (n_atoms, 3), eV/Å.
        """
        shadow = total_eV + shadow_correction(forces, self._masses, self._timestep_fs)
        self.append(step, time_fs, shadow)


def _length_until(path: Path, step: int) -> int:
    """Return the bytes of the header and the rows up to `step`; an unfinished last line is left out."""
    length = 0
    for n, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        if not line.endswith(b"\n") or (n > 0 and int(line.split(b",", 1)[0]) > step):
            break
        length += len(line)
    return length
