"""`mdaug drift`: energy drift of NVE runs."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.progress import warn
from mdaug.errors import DataError
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import OutputOptions


def drift(
    thermo: list[Path],
    /,
    *,
    n_atoms: Annotated[int | None, Field(ge=1)] = None,
    units: Literal["real", "metal"] | None = None,
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Fit the drift of the total energy of NVE runs, with a 95 % confidence interval.

    The interval takes the correlation of the energy in time into account. Writes drift.json, drift.png and
    drift.html. For several runs with different time steps Δt it also fits how the fluctuation of the energy
    grows with Δt (velocity Verlet: as Δt²).

    Parameters
    ----------
    thermo
        thermo.csv files, folders of `mdaug nve`, or LAMMPS logs (the last run in each).
    n_atoms
        Number of atoms [default: from topology.pdb beside the table, or from the log].
    units
        Unit style of a LAMMPS log that does not state it.
    """
    from mdaug.reports.drift import drift_verdicts, next_commands
    from mdaug.reports.terminal import print_next, print_verdicts
    from mdaug.workflows.drift import measure_drift

    if not thermo:
        raise DataError("no THERMO given; name thermo.csv files, folders of `mdaug nve`, or LAMMPS logs")
    subject = thermo[0] if len(thermo) == 1 else None
    with open_run(output, command="drift", subject=subject, inputs=thermo) as run:
        study = measure_drift(thermo, run.path, n_atoms=n_atoms, units=units)
    print_verdicts(drift_verdicts(study.results, study.scaling))
    for result in study.results:
        fluctuation = f"rms fluctuation {result.rms_fluctuation_meV_per_atom:.2g} meV/atom"
        ratio = f"drift ratio {result.drift_ratio:.2g}".replace("-", "\u2212")
        print_text(f"{result.source}: {fluctuation}, {ratio}, {result.n_blocks} blocks")
    for path, reason in study.stopped.items():
        warn(f"{path}: the guard stopped this run: {reason}")
    print_text(f"report {study.report}")
    print_next(next_commands(study.results))
