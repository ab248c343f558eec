"""`mdaug sweep`: many trainings, over a grid or by a search."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from pydantic import Field

from mdaug.cli.common import DataOptions, OutputOptions, open_run
from mdaug.cli.progress import started_when_needed
from mdaug.cli.settings import given_settings
from mdaug.reports.terminal import print_table
from mdaug.sweep import PAPER, Sweep, SweepOptions, parse_space, run_sweep, table, write_results
from mdaug.workflows.config import load_config


def sweep(
    data: str | None = None,
    *,
    config: Path | None = None,
    vary: Annotated[list[str], Parameter(negative=())] = [PAPER],  # noqa: B006
    epochs: Annotated[int | None, Field(ge=1)] = None,
    resume: Annotated[bool, Parameter(negative="")] = False,
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    options: Annotated[SweepOptions, Parameter(name="*", group="Sweep")] = SweepOptions(),
) -> None:
    """Train many models, over a grid of settings or by a search, and compare their scans.

    Lists of values alone are a grid, of which every point is trained; with a range the space is searched
    (Optuna's TPE sampler). The run folder gets a full run folder for each trial under trials/, sweep.csv,
    sweep.json, scans.png with all scan curves and, for several keys, importance.png.

    Parameters
    ----------
    data
        A file of frames or a named set [default: ethanol, embedded].
    config
        TOML file, or the name of a shipped one: demo, ethanol, ethanol_accurate, paper.
    vary
        What is varied: SECTION.KEY=V1,V2,… or SECTION.KEY=LOW:HIGH[:log], as often as needed, with sections
        and keys of the TOML files; the default is the paper's grid of ε.
    epochs
        Passes over the training frames in each training.
    resume
        Go on with the sweep in --out, or the newest unfinished one; give the same options.
    """
    settings = load_config(config, given_settings(data, source, epochs))
    space = parse_space(vary, settings)
    with open_run(output, command="sweep", resume=resume) as run, started_when_needed() as bar:
        task = None

        def progress(done: int, total: int, text: str) -> None:
            nonlocal task
            if task is None:
                bar.start()
                task = bar.add_task("trials", total=total, text=text)
            bar.update(task, completed=done, total=total, text=text)

        plan = Sweep(settings, space, options, run.path)
        rows = write_results(plan, run_sweep(plan, progress))
    print_table(table(rows, options.objective))
    print(run.path / "sweep.csv")
    print(run.path / "scans.png")
