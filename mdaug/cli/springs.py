"""`mdaug springs`: spring constants of all element pairs from the frames."""

from typing import Annotated

from cyclopts import Parameter

from mdaug.cli.progress import print_next, progress_bars
from mdaug.springs.options import SpringOptions
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.options import DataOptions, OutputOptions


def springs(
    data: str = "ethanol",
    *,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    options: Annotated[SpringOptions, Parameter(name="*")] = SpringOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Fit the spring constants k = k_B T / σ² of all element pairs to the distances in the frames.

    Writes springs.json (k in kcal/mol/Å²) and springs.png, and prints the fit with 95 % confidence
    intervals. For a molecule it also checks the sampling against the forces: the virial temperature must be
    that of the frames, and the mean forces along bonds must be near zero.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set.
    """
    from mdaug.reports.springs import rich_springs_table
    from mdaug.text import make_console
    from mdaug.workflows.springs import learn_springs

    with open_run(output, command="springs", inputs=[data]) as run, progress_bars() as progress:
        result = learn_springs(source.load(data), options, run.path, progress)
    console = make_console()
    console.print(rich_springs_table(result.analysis))
    console.print(
        f"springs.json holds the {options.convergence} fit at {result.analysis.springs.temperature_K:g} K "
        f"({result.n_frames} frames)"
    )
    if result.consistency is not None:
        verdict = result.consistency.verdict
        style = None if verdict.verdict == "ok" else "yellow"
        console.print(f"{verdict.mark} {verdict.text}", style=style)
    print_text(run.path / "springs.json")
    print_text(run.path / "springs.png")
    print_next(
        f"mdaug augment {data}  writes augmented frames",
        f"mdaug train {data}  fits, augments and trains in one command",
    )
