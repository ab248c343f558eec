"""The thermo table, whichever engine moves the atoms: one row of energies at a time, nothing rounded."""

from pathlib import Path

from mdaug.md.appended_table import Table

COLUMNS = ("step", "time_fs", "potential_eV", "kinetic_eV", "total_eV", "temperature_K")


class ThermoTable(Table):
    """Appends rows to ``thermo.csv``.

    Parameters
    ----------
    path
        The file.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one (known from the restart file)
        and append, dropping rows written after the restart file was.
    """

    def __init__(self, path: Path, keep_bytes: int | None = None) -> None:
        super().__init__(path, COLUMNS, keep_bytes)

    def write(self, step: int, time_fs: float, potential: float, kinetic: float, temperature: float) -> None:
        """Append one row; energies in eV, temperature in K."""
        self.append(step, time_fs, potential, kinetic, potential + kinetic, temperature)
