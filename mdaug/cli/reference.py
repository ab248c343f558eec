"""`mdaug reference`: ab-initio energies of frames or scans, by PySCF."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.arguments import given_options, refuse, typed
from mdaug.cli.progress import print_next, progress_bars, warn
from mdaug.quantum.level import Level
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import ClusterOptions, DataOptions, OutputOptions, Switch


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
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Compute ab-initio energies of frames, or of scans of a structure, by PySCF.

    For frames, writes frames.xyz. For scans, writes a CSV file (for `mdaug scan --reference`) and an xyz file
    of each, and scan.png. Where a bond breaks, the energy changes from the restricted to a stable
    broken-symmetry unrestricted solution; the CSV file contains both. Every finished point is saved in
    points.jsonl at once: a command that was stopped continues from there.

    Parameters
    ----------
    data
        Frames (a file or the name of a set); with --scan a structure file or SMILES string.
    scan
        A scan: bond:i-j, angle:i-j-k, torsion:i-j-k-l or approach:i-j, with =first:last:step for another
        range than the default; two joined by + make a grid. May be repeated; earlier scans are computed
        first.
    workers
        Number of single-threaded processes [default: all cores]; 0 computes nothing and writes the results in
        points.jsonl. With --scheduler the cluster decides their number.
    points
        File of finished points [default: points.jsonl in the output folder].
    forces_first
        With --forces: compute forces of the first N frames only.
    restricted
        Without --scan: use restricted orbitals even where a bond breaks. Faster, but the energies of broken
        bonds are too high.
    """
    from mdaug.workflows.reference import compute_frames, compute_scans

    if scan:
        given = given_options(source) + typed(forces_first=forces_first, restricted=restricted)
        refuse(given, "with --scan")
    elif not level.forces:
        refuse(typed(forces_first=forces_first), "without --forces")
    inputs = [data, points]
    with open_run(output, command="reference", inputs=inputs) as run, progress_bars() as progress:
        settings: dict[str, Any] = {"where": cluster.where(workers), "points": points, "progress": progress}
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
        print_text(f"difference to the frames' own energies: {rms}")
    if result.n_unknown:
        warn(f"{result.n_unknown} of {result.n_points} energies are missing {result.failures or ''}")
    for file in result.files:
        print_text(file)
    print_text(run.path / "reference.json")
    first = result.files[0] if result.files else run.path
    print_next(f"mdaug scan --bond I J --reference {first}" if scan else f"mdaug train {first}")
