"""`mdaug demo`: train with and without augmentation, validate both models and compare them."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import given_settings
from mdaug.cli.progress import console, started_when_needed
from mdaug.text import print_text
from mdaug.workflows.run_folders.runs import open_run
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.settings.options import ClusterOptions, DataOptions, OutputOptions
from mdaug.workflows.settings.workflow_options import ValidationOptions

if TYPE_CHECKING:
    from mdaug.workflows.demo import Show, Step


def demo(
    data: str | None = None,
    *,
    config: Path = Path("demo"),
    cluster: Annotated[ClusterOptions, Parameter(name="*")] = ClusterOptions(),
    source: Annotated[DataOptions, Parameter(name="*")] = DataOptions(),
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
    options: Annotated[ValidationOptions, Parameter(name="*", group="Validation")] = ValidationOptions(),
) -> None:
    """Train a raw and an augmented model and compare them: accuracy, bond scan, MD at high temperature.

    Takes about five minutes on two CPU cores with the embedded frames. The run folder gets report.html
    and the run folders of both trainings, raw/ and augmented/. Every other command accepts their model.pt.

    Parameters
    ----------
    data
        A file, folder or pattern of frames, or the name of a set [default: ethanol, embedded].
    config
        A TOML file, or the name of a shipped one.
    """
    began = time.monotonic()
    settings = load_config(config, given_settings(data, source, None))
    from mdaug.reports.demo import next_commands
    from mdaug.reports.demo_summary import conclusions, demo_verdicts, summary_table
    from mdaug.reports.terminal import print_next, print_table, print_verdicts
    from mdaug.workflows.demo import run_demo

    inputs = [data, config, settings.data.source]
    with open_run(output, command="demo", inputs=inputs) as run, _shown() as show:
        outcome = run_demo(settings, run.path, options, where=cluster.where(), show=show)
    print_verdicts(demo_verdicts(outcome.models))
    print_table(summary_table(outcome.models))
    print_text(*conclusions(outcome.models), sep="\n")
    print_text()
    print_text(f"report {outcome.report.resolve()}")
    print_text(f"done in {(time.monotonic() - began) / 60.0:.1f} minutes")
    for line in _activation():
        print_text(line)
    print_next(next_commands(run.path, outcome.models))


def _activation() -> list[str]:
    """Return the line that puts `mdaug` on the path, unless it is there already."""
    script = Path(sys.prefix) / "bin" / "activate"
    if os.environ.get("VIRTUAL_ENV") == sys.prefix or not script.is_file():
        return []
    shown = script.relative_to(Path.cwd()) if script.is_relative_to(Path.cwd()) else script
    return ["first activate the environment:", f"  source {shown}"]


@contextmanager
def _shown() -> Iterator["Show"]:
    """Show a progress bar for each model, restarted at every stage; without a terminal, print one line per
    stage."""
    if not console.is_terminal:
        yield _stage_lines()
        return
    from rich.progress import TaskID

    with started_when_needed() as bar:
        stages: dict[str, str] = {}
        tasks: dict[str, TaskID] = {}

        def show(step: "Step") -> None:
            if step.model not in tasks:
                bar.start()
                tasks[step.model], stages[step.model] = bar.add_task(step.model, text=""), ""
            task = tasks[step.model]
            if stages[step.model] != step.what:
                stages[step.model] = step.what
                bar.reset(task, description=f"{step.model}: {step.what}")
            bar.update(task, completed=step.done, total=step.total, text=step.text)

        yield show


def _stage_lines() -> "Show":
    """Return a function that prints a line whenever a model enters a stage."""
    began = time.monotonic()
    stages: dict[str, str] = {}

    def show(step: "Step") -> None:
        if stages.get(step.model) != step.what:
            stages[step.model] = step.what
            seconds = time.monotonic() - began
            print_text(f"{seconds:4.0f} s  {step.model}: {step.what}", file=sys.stderr)

    return show
