"""`mdaug drift`: how fast NVE runs gain or lose energy."""

import json
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.analysis.drift import energy_drift, timestep_scaling
from mdaug.analysis.thermo_log import read_thermo
from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import console
from mdaug.errors import DataError
from mdaug.files import write_json
from mdaug.reports.drift import drift_verdicts, next_commands, write_drift_report
from mdaug.reports.terminal import print_next, print_verdicts


def drift(
    thermo: list[Path],
    /,
    *,
    n_atoms: Annotated[int | None, Field(ge=1)] = None,
    units: Literal["real", "metal"] | None = None,
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Fit the drift of the total energy, with a 95 % interval that knows the energy's memory.

    Writes drift.json, drift.png and drift.html. Several runs of different time steps also show how the
    fluctuation scales with it (the law of velocity Verlet is Δt²).

    Parameters
    ----------
    thermo
        thermo.csv files, folders of `mdaug nve`, or LAMMPS logs (the last run of each).
    n_atoms
        Atoms in the system [default: from topology.pdb beside the table, or the log].
    units
        Unit style of a LAMMPS log that does not state it.
    """
    if not thermo:
        raise DataError("no THERMO given; name thermo.csv files, folders of `mdaug nve`, or LAMMPS logs")
    results = [energy_drift(read_thermo(path, n_atoms=n_atoms, units=units)) for path in thermo]
    scaling = timestep_scaling(results)
    with open_run(output, command="drift") as run:
        records = [result.to_json() for result in results]
        content: dict[str, Any] = records[0] if len(records) == 1 else {"runs": records}
        if scaling is not None:
            content["timestep_scaling"] = scaling.to_json()
        write_json(run.path / "drift.json", content)
        page = write_drift_report(run.path, results, scaling)
    print_verdicts(drift_verdicts(results, scaling))
    for result in results:
        fluctuation = f"rms fluctuation {result.rms_fluctuation_meV_per_atom:.2g} meV/atom"
        ratio = f"drift ratio {result.drift_ratio:.2g}".replace("-", "\u2212")
        print(f"{result.source}: {fluctuation}, {ratio}, {result.n_blocks} blocks")
    for path in thermo:
        _tell_if_stopped(path)
    print(f"report {page}")
    print_next(next_commands(results))


def _tell_if_stopped(path: Path) -> None:
    """Say why the guard stopped the run of a folder or table; its slope is that of a breaking molecule."""
    record = (path if path.is_dir() else path.parent) / "nve.json"
    try:
        reason = json.loads(record.read_text(encoding="utf-8"))["stopped_because"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # some other program's file, or none
    if reason:
        console.print(
            f"{path}: its guard stopped this run: {reason}", style="yellow", soft_wrap=True, markup=False
        )
