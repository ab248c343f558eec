"""The energy that velocity Verlet really conserves, to second order in the time step: ``shadow.csv``."""

from pathlib import Path

from mdaug.frames import FloatArray
from mdaug.md.appended_table import Table
from mdaug.units import FS

COLUMNS = ("step", "time_fs", "shadow_eV")


def shadow_correction(forces: FloatArray, masses: FloatArray, timestep_fs: float) -> float:
    """Return Δt²/24 Σ_i |F_i|²/m_i (eV), to be added to the total energy.

    Velocity Verlet conserves H̃ = E + Δt² (p·V″p / 12m² − |F|² / 24m) + O(Δt⁴) (Hairer, Lubich and Wanner,
    DOI 10.1017/S0962492902000144). With d²V/dt² = p·V″p/m² − |F|²/m this is
    E + Δt² |F|²/24m + Δt²/12 d²V/dt², and the last term has no mean over times longer than a vibration. What
    is left follows the energy's slow changes as vibrations exchange energy, which are no drift.
    """
    squares = (forces**2).sum(axis=1) / masses
    return float((timestep_fs * FS) ** 2 / 24.0 * squares.sum())


class ShadowTable(Table):
    """Appends rows to ``shadow.csv``; a resumed run keeps those up to the step it goes on from."""

    def __init__(self, path: Path, masses: FloatArray, timestep_fs: float, resumed_at: int | None) -> None:
        self._masses, self._timestep_fs = masses, timestep_fs
        kept = _length_until(path, resumed_at) if resumed_at is not None and path.is_file() else 0
        super().__init__(path, COLUMNS, kept or None)

    def write(self, step: int, time_fs: float, total_eV: float, forces: FloatArray) -> None:
        """Append the row of a step with these forces (n_atoms, 3), eV/Å."""
        shadow = total_eV + shadow_correction(forces, self._masses, self._timestep_fs)
        self.append(step, time_fs, shadow)


def _length_until(path: Path, step: int) -> int:
    """Bytes of the header and the rows up to a step; a last line without its end was cut off by a kill."""
    length = 0
    for n, line in enumerate(path.read_bytes().splitlines(keepends=True)):
        if not line.endswith(b"\n") or (n > 0 and int(line.split(b",", 1)[0]) > step):
            break
        length += len(line)
    return length
