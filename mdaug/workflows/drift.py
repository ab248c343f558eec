"""Energy drift of one or several NVE runs, with files and report."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdaug.analysis.drift import DriftResult, TimestepScaling, energy_drift, timestep_scaling
from mdaug.analysis.thermo_log import read_thermo
from mdaug.archives import read_json
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.reports.drift import write_drift_report


@dataclass(frozen=True)
class DriftStudy:
    """Drift of several runs.

    Parameters
    ----------
    results
        One for each run.
    scaling
        Fluctuation against the time step, for runs with different ones.
    stopped
        Run -> reason why its guard stopped it.
    report
        The HTML page.
    """

    results: list[DriftResult]
    scaling: TimestepScaling | None
    stopped: dict[Path, str]
    report: Path


def measure_drift(
    thermo: Sequence[Path], folder: Path, *, n_atoms: int | None = None, units: str | None = None
) -> DriftStudy:
    """Measure the drift of runs and write drift.json, drift.png and drift.html into `folder`.

    Parameters
    ----------
    thermo
        thermo.csv files, folders of `mdaug nve`, or LAMMPS logs.
    folder
        Output folder.
    n_atoms
        Number of atoms, if it is not in the tables.
    units
        Unit style of LAMMPS logs that do not state it.

    Raises
    ------
    DataError
        If a table cannot be read, or is too short.
    """
    results = [energy_drift(read_thermo(path, n_atoms=n_atoms, units=units)) for path in thermo]
    scaling = timestep_scaling(results)
    records = [result.to_json() for result in results]
    content: dict[str, Any] = records[0] if len(records) == 1 else {"runs": records}
    if scaling is not None:
        content["timestep_scaling"] = scaling.to_json()
    write_json(folder / "drift.json", content)
    report = write_drift_report(folder, results, scaling)
    stopped = {path: reason for path in thermo if (reason := _why_stopped(path))}
    return DriftStudy(results, scaling, stopped, report)


def _why_stopped(path: Path) -> str | None:
    """Return the reason why the guard stopped the run of a folder or table; its slope is not an energy
    drift."""
    record = (path if path.is_dir() else path.parent) / "nve.json"
    try:
        reason = read_json(record, "the result of a run")["stopped_because"]
    except (DataError, OSError, KeyError):
        return None  # a file of another program, or none
    return reason if isinstance(reason, str) else None
