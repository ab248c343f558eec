"""`mdaug reference`: ab-initio energies of frames or scans, by PySCF."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.arguments import given_options, refuse, typed
from mdaug.cli.progress import print_next, progress_bars, warn
from mdaug.quantum.level import Level
from mdaug.workflows.options import DataOptions, OutputOptions, Switch
from mdaug.workflows.runs import open_run


def reference(
    data: str,
    /,
    *,
    scan: Annotated[list[str] | None, Parameter(negative="")] = None,
    workers: Annotated[int | None, Field(ge=0)] = None,
    points: Path | None = None,
    level: Annotated[Level, Parameter(name="*")] = Level(),
    forces_first: Annotated[int | None, Field(ge=1)] = None,
    restricted: Switch = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compute ab-initio energies of frames, or of scans of a structure, by PySCF.

    Frames: writes frames.xyz. Scans: writes for each a CSV file, which `mdaug scan --reference` reads, and an
    xyz file of its structures, and scan.png. Where a bond breaks, the energy goes from the restricted
    solution to a stable broken-symmetry unrestricted one; both stand in the CSV file. Every finished point is
    saved in points.jsonl at once: the same command continues from there.

    Parameters
    ----------
    data
        Frames (a file or the name of a set); with --scan a structure file or SMILES string.
    scan
        A scan, may be repeated, the most important first: bond:i-j, angle:i-j-k, torsion:i-j-k-l or
        approach:i-j, each with =first:last:step if not the default; two joined by + make a grid.
    workers
        Processes of one thread each [default: all cores]; 0 only writes what points.jsonl holds.
    points
        File of finished points [default: points.jsonl in the output folder].
    forces_first
        With --forces: compute forces of the first so many frames only.
    restricted
        Without --scan: use restricted orbitals everywhere, also where a bond breaks. Faster; the energies
        of broken bonds are too high.
    """
    from mdaug.workflows.reference import compute_frames, compute_scans

    if scan:
        refuse(given_options(source) + typed(forces_first=forces_first), "with --scan")
        refuse(["--restricted"] if restricted else [], "with --scan")
    elif not level.forces:
        refuse(typed(forces_first=forces_first), "without --forces")
    inputs = [data, points]
    with open_run(output, command="reference", inputs=inputs) as run, progress_bars() as progress:
        settings: dict[str, Any] = {"workers": workers, "points": points, "progress": progress}
        if scan:
            result = compute_scans(data, scan, level, run.path, **settings)
        else:
            result = compute_frames(
                data,
                source,
                level,
                run.path,
                forces_first=forces_first,
                restricted=restricted,
                **settings,
            )
    if result.rms_difference_kcal_mol is not None:
        rms = f"{result.rms_difference_kcal_mol:.3f} kcal/mol rms after the mean is subtracted"
        print(f"difference to the frames' own energies: {rms}")
    if result.n_unknown:
        warn(f"{result.n_unknown} of {result.n_points} energies are missing {result.failures or ''}")
    for file in result.files:
        print(file)
    print(run.path / "reference.json")
    first = result.files[0] if result.files else run.path
    print_next(f"mdaug scan --bond I J --reference {first}" if scan else f"mdaug train {first}")
