"""`mdaug springs`: how stiff every pair of elements is, read from the frames."""

from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import counted
from mdaug.reports.springs import plot_springs, rich_springs_table
from mdaug.reports.style import save
from mdaug.springs import SpringOptions, analyze_springs, write_springs


def springs(
    data: str = "ethanol",
    *,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    options: Annotated[SpringOptions, Parameter(name="*")] = SpringOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Fit springs k = k_B T / σ² to the distances of every element pair.

    Writes springs.json (k in kcal/mol/Å²) and springs.png, and prints the fit with its 95 % intervals. For a
    molecule it also compares the sampling with the forces: their virial temperature must be that of the
    frames, and the mean forces along bonds near zero.

    Parameters
    ----------
    data
        A file of frames or a named set.
    """
    frames = source.load(data)
    with open_run(output, command="springs") as run:
        with counted("springs") as progress:
            analysis = analyze_springs(frames, options, progress=progress)
        found = write_springs(analysis.springs, frames, run.path / "springs.json")
        save(plot_springs(analysis)[0], run.path / "springs.png")
    console = Console(highlight=False)
    console.print(rich_springs_table(analysis))
    console.print(
        f"springs.json holds the {options.convergence} fit at {analysis.springs.temperature_K:g} K "
        f"({len(frames)} frames)"
    )
    if found:
        console.print(found.verdict.text, style=None if found.verdict.verdict == "ok" else "yellow")
    print(run.path / "springs.json")
    print(run.path / "springs.png")
