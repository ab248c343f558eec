"""The thermo table, whichever engine moves the atoms: one row of energies at a time, nothing rounded."""

import os
from pathlib import Path
from types import TracebackType

COLUMNS = ("step", "time_fs", "potential_eV", "kinetic_eV", "total_eV", "temperature_K")


class ThermoTable:
    """Appends rows to ``thermo.csv``.

    Numbers are written with as many digits as a float64 needs to be read back the same, so that a drift of
    1e-9 eV survives an offset of thousands of eV.

    Parameters
    ----------
    path
        The file.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one (known from the restart file)
        and append, dropping rows written after the restart file was.
    """

    def __init__(self, path: Path, keep_bytes: int | None = None) -> None:
        self._file = path.open("w" if keep_bytes is None else "r+", encoding="ascii", newline="")
        if keep_bytes is None:
            self._file.write(",".join(COLUMNS) + "\n")
        else:
            self._file.truncate(keep_bytes)
            self._file.seek(0, os.SEEK_END)

    def write(self, step: int, time_fs: float, potential: float, kinetic: float, temperature: float) -> None:
        """Append one row; energies in eV, temperature in K."""
        values = (time_fs, potential, kinetic, potential + kinetic, temperature)
        self._file.write(f"{step}," + ",".join(repr(float(value)) for value in values) + "\n")

    def sync(self) -> int:
        """Put everything on the disk and return the size in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Write what is buffered and close."""
        self._file.close()

    def __enter__(self) -> "ThermoTable":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
