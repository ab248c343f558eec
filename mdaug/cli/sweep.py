"""`mdaug sweep`: many trainings, over a grid of settings or by a search."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.arguments import given_settings
from mdaug.cli.progress import advance, print_next, started_when_needed
from mdaug.sweep.options import PAPER, SweepOptions
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.settings.options import ClusterOptions, DataOptions, OutputOptions, Switch


def sweep(
    data: str | None = None,
    *,
    config: Path | None = None,
    vary: Annotated[list[str], Parameter(negative=())] = [PAPER],  # noqa: B006
    epochs: Annotated[int | None, Field(ge=1)] = None,
    resume: Switch = False,
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    options: Annotated[SweepOptions, Parameter(name="*", group="Sweep")] = SweepOptions(),
) -> None:
    """Train many models, over a grid of settings or by a search, and compare their scans.

    Lists of values form a grid: a model is trained at every point. If a key has a range, the space is
    searched by Optuna's TPE sampler. Writes the run folder of each training under trials/, sweep.csv,
    sweep.json, scans.png with all scan curves and, for several keys, importance.png.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set [default: ethanol, embedded].
    config
        A TOML file, or the name of a shipped one: demo, ethanol, ethanol_accurate, paper,
        plain_schnet.
    vary
        A key that is varied, with sections and keys of the TOML files: SECTION.KEY=V1,V2,… or
        SECTION.KEY=LOW:HIGH[:log]. May be repeated; the default is the paper's grid of ε.
    epochs
        Passes over the training frames in each training.
    resume
        Continue the sweep in --out, or the newest unfinished one; give the same options.
    """
    settings = load_config(config, given_settings(data, source, epochs))
    from mdaug.reports.terminal import print_table
    from mdaug.sweep import Sweep, parse_space, run_sweep, table, write_results

    space = parse_space(vary, settings)
    inputs = [data, config, settings.data.source, options.reference]
    with (
        open_run(output, command="sweep", resume=resume, inputs=inputs) as run,
        started_when_needed() as bar,
    ):
        plan = Sweep(settings, space, options, run.path, cluster.scheduler)
        trials = run_sweep(plan, lambda done, total, text: advance(bar, "trials", done, total, text))
        rows = write_results(plan, trials)
    print_table(table(rows, options.objective))
    print_text(run.path / "sweep.csv")
    print_text(run.path / "scans.png")
    print_next(f"mdaug nve {run.path / 'trials'}/NAME  runs molecular dynamics with the best model")
