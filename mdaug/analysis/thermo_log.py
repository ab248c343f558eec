"""Energies over time, read from ``thermo.csv`` or from a LAMMPS log."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mdaug.archives import read_json
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.units import EV_PER_KCAL_MOL

LAMMPS_UNITS = {"real": (EV_PER_KCAL_MOL, 1e-3), "metal": (1.0, 1.0)}
"""Unit style -> (eV per unit of energy, ps per unit of time)."""

LARGEST = 1e12
"""Largest accepted time (ps) and energy (eV) of a run; the squares of larger numbers overflow."""

_CSV_COLUMNS = ("step", "time_fs", "potential_eV", "kinetic_eV", "total_eV")
_LAMMPS_COLUMNS = {"PotEng": "potential", "KinEng": "kinetic", "TotEng": "total"}


@dataclass(frozen=True)
class ThermoLog:
    """Energies of a run at equal intervals.

    Parameters
    ----------
    time_ps, total_eV, kinetic_eV
        Shape (n_rows,). The total energy is that of the whole system.
    timestep_fs
        None if the log does not state it.
    n_atoms
        None if unknown.
    source
        Path of the file.
    shadow_eV
        Shape (n_rows,): the energy that velocity Verlet conserves, from ``shadow.csv`` beside the table; None
        where there is none.
    """

    time_ps: FloatArray
    total_eV: FloatArray
    kinetic_eV: FloatArray
    timestep_fs: float | None
    n_atoms: int | None
    source: str
    shadow_eV: FloatArray | None = None


def read_thermo(path: Path | str, *, n_atoms: int | None = None, units: str | None = None) -> ThermoLog:
    """Read ``thermo.csv`` or a LAMMPS log; the content decides which.

    Of several runs in a LAMMPS log the last is read. An incomplete last line is left out.

    Parameters
    ----------
    path
        The file, or the folder of a run of `mdaug nve`.
    n_atoms
        Atoms of the system; if None, from the LAMMPS log, or ``topology.pdb`` beside the table.
    units
        Unit style of a LAMMPS log that does not state it: ``real`` or ``metal``.

    Raises
    ------
    DataError
        If the file is neither, lacks a column, holds energies that are not finite, or is of `mdaug nvt`.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "thermo.csv"
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror}); expected thermo.csv or a LAMMPS log"
        ) from error
    lines = text.split("\n")[:-1]  # the text after the last newline is an incomplete line
    if lines and lines[0].startswith("step,"):
        log = _from_csv(lines, path)
    elif any(_is_header(line.split()) for line in lines):
        log = _from_lammps(lines, path, units)
    else:
        raise DataError(
            f"{path}: neither a thermo.csv of mdaug nor a LAMMPS log with a table of Step and TotEng"
        )
    for name in ("time_ps", "total_eV", "kinetic_eV"):
        values = getattr(log, name)
        bad = np.flatnonzero(~(np.abs(values) < LARGEST))
        if len(bad):
            what = f"beyond {LARGEST:g}" if np.isfinite(values[bad[0]]) else "not finite"
            raise DataError(f"{path}: {name} is {what} in row {bad[0]}; the run has blown up")
    if log.timestep_fs is not None and not 0 < log.timestep_fs < LARGEST:
        raise DataError(f"{path}: a time step of {log.timestep_fs:g} fs; expected a positive number")
    if len(log.time_ps) > 1 and not (np.diff(log.time_ps) > 0).all():
        raise DataError(f"{path}: times do not increase from row to row; expected the rows of one run")
    return log if n_atoms is None else replace(log, n_atoms=n_atoms)


def thermo_rows(folder: Path) -> np.ndarray:
    """Return the rows of ``thermo.csv`` of a run, finished or not, as an array whose fields are its columns.

    Parameters
    ----------
    folder
        Folder of a run of `mdaug nve` or `mdaug nvt`.
    """
    return np.genfromtxt(folder / "thermo.csv", delimiter=",", names=True, ndmin=1)


def _from_csv(lines: list[str], path: Path) -> ThermoLog:
    _refuse_thermostat(path.parent / "config.json")
    names = lines[0].split(",")
    missing = [name for name in _CSV_COLUMNS if name not in names]
    if missing:
        raise DataError(f"{path}: no column {missing[0]}; expected {','.join(_CSV_COLUMNS)}")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            values = [float(value) for value in line.split(",")]
        except ValueError:
            values = []
        if len(values) != len(names):
            raise DataError(f"{path}, line {number}: expected {len(names)} numbers, found {line[:60]!r}")
        rows.append(values)
    table = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    column = {name: table[:, index] for index, name in enumerate(names)}
    return ThermoLog(
        time_ps=column["time_fs"] / 1000.0,
        total_eV=column["total_eV"],
        kinetic_eV=column["kinetic_eV"],
        timestep_fs=_timestep(column["time_fs"], column["step"]),
        n_atoms=_atoms_beside(path),
        source=str(path),
        shadow_eV=_shadow_beside(path, column["step"]),
    )


def _refuse_thermostat(config: Path) -> None:
    """Refuse the table of `mdaug nvt`, which the config.json beside it identifies."""
    try:
        ensemble = read_json(config, "the record of a run")["options"]["ensemble"]
    except (DataError, OSError, KeyError, TypeError):
        return  # a file of another program, or none
    if ensemble == "nvt":
        raise DataError(
            f"{config.parent}: a run at constant temperature, whose thermostat changes the energy; "
            "expected one of `mdaug nve`"
        )


def _shadow_beside(path: Path, steps: FloatArray) -> FloatArray | None:
    """Return the energies in ``shadow.csv`` at `steps`; None if it is missing or lacks one of them."""
    shadow = path.parent / "shadow.csv"
    if path.name != "thermo.csv" or not shadow.is_file():
        return None
    rows = [
        line.split(",") for line in shadow.read_text(encoding="utf-8", errors="replace").split("\n")[1:-1]
    ]
    try:
        energy_at = {float(step): float(energy) for step, _, energy in rows}
    except ValueError:
        return None
    energies = np.array([energy_at.get(step, np.nan) for step in steps])
    return energies if np.isfinite(energies).all() else None


def _timestep(times: FloatArray, steps: FloatArray) -> float | None:
    if len(times) < 2 or steps[-1] <= steps[0]:
        return None
    return float(round((times[-1] - times[0]) / (steps[-1] - steps[0]), 9))


def _atoms_beside(path: Path) -> int | None:
    topology = path.parent / "topology.pdb"
    if not topology.is_file():
        return None
    lines = topology.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(line.startswith(("ATOM", "HETATM")) for line in lines) or None


def _is_header(columns: list[str]) -> bool:
    return columns[:1] == ["Step"] and ("TotEng" in columns or {"PotEng", "KinEng"} <= set(columns))


def _from_lammps(lines: list[str], path: Path, units: str | None) -> ThermoLog:
    """Return the energies of the last run in a log."""
    start = max(number for number, line in enumerate(lines) if _is_header(line.split()))
    before = lines[:start]
    table = _last_table(lines, start, path)
    ev, ps = _lammps_units(before, path, units)
    total, kinetic = _energies(table, ev)
    step_ps = _time_step_ps(before, ps, path)
    time_ps = _times_ps(table, step_ps, ps, path)
    n_atoms = int(_last(r"^Loop time of .* with (\d+) atoms", lines) or 0) or None
    if re.search(r"^\s*thermo_modify\b.*\bnorm\s+yes", "\n".join(before), re.MULTILINE):
        if n_atoms is None:
            raise DataError(
                f"{path}: energies are per atom (thermo_modify norm yes) and the log names no atom count; "
                "give --n-atoms"
            )
        total, kinetic = total * n_atoms, kinetic * n_atoms
    return ThermoLog(
        time_ps=time_ps - time_ps[0],
        total_eV=total,
        kinetic_eV=kinetic,
        timestep_fs=None if step_ps is None else step_ps * 1000.0,
        n_atoms=n_atoms,
        source=str(path),
    )


def _last_table(lines: list[str], start: int, path: Path) -> dict[str, FloatArray]:
    """Return the columns of the thermo table whose header is line `start`, by name."""
    names = lines[start].split()
    end = next(
        (number for number in range(start + 1, len(lines)) if lines[number].startswith("Loop time of")),
        len(lines),
    )
    rows = [row for line in lines[start + 1 : end] if (row := _numbers(line, len(names))) is not None]
    if not rows:
        raise DataError(
            f"{path}, line {start + 1}: the last thermo table is empty; expected rows: did the run begin?"
        )
    table = dict(zip(names, np.array(rows).T, strict=True))
    if "KinEng" not in table and not {"PotEng", "TotEng"} <= table.keys():
        raise DataError(
            f"{path}, line {start + 1}: no column KinEng; use thermo_style custom step pe ke etotal"
        )
    return table


def _energies(table: dict[str, FloatArray], ev: float) -> tuple[FloatArray, FloatArray]:
    """Return total and kinetic energies, eV; one of three columns may be missing."""
    energy = {name: ev * table[column] for column, name in _LAMMPS_COLUMNS.items() if column in table}
    total = energy["total"] if "total" in energy else energy["potential"] + energy["kinetic"]
    return total, energy["kinetic"] if "kinetic" in energy else total - energy["potential"]


def _time_step_ps(before: list[str], ps: float, path: Path) -> float | None:
    timestep = _last(r"^\s*(?:Time step\s*:|timestep\s)\s*([-+.\deE]+)", before)
    try:
        return None if timestep is None else float(timestep) * ps
    except ValueError as error:
        raise DataError(f"{path}: the time step {timestep!r} is not a number") from error


def _times_ps(table: dict[str, FloatArray], step_ps: float | None, ps: float, path: Path) -> FloatArray:
    if "Time" in table:
        return table["Time"] * ps
    if step_ps is not None:
        return table["Step"] * step_ps
    raise DataError(
        f"{path}: neither a Time column nor the time step is in the log; add time to thermo_style"
    )


def _numbers(line: str, count: int) -> list[float] | None:
    """Return the numbers of a row of the table, None for a warning or other text between the rows."""
    fields = line.split()
    if len(fields) != count:
        return None
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def _lammps_units(lines: list[str], path: Path, units: str | None) -> tuple[float, float]:
    stated = _last(r"^\s*(?:Unit style\s*:|units\s)\s*(\w+)", lines) or units
    if stated is None:
        raise DataError(f"{path}: the log does not state its units; give --units real or --units metal")
    if stated not in LAMMPS_UNITS:
        raise DataError(f"{path}: units {stated!r} have no eV; expected one of {', '.join(LAMMPS_UNITS)}")
    return LAMMPS_UNITS[stated]


def _last(pattern: str, lines: list[str]) -> str | None:
    """Return the last match of the group in `pattern` that is not a LAMMPS variable."""
    value = None
    expression = re.compile(pattern)
    for line in lines:
        match = expression.match(line)
        if match and not match[1].startswith("$"):
            value = match[1]
    return value
