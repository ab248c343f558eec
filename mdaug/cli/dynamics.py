"""What `mdaug nve` and `mdaug nvt` share: the run, its progress, its summary."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from rich.progress import TaskID

from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import console, started_when_needed
from mdaug.md import DynamicsOptions, DynamicsResult
from mdaug.md.dynamics import Progress
from mdaug.workflows.dynamics import ModelRunOptions, prepare_run, run_model

HEATED = 1.6
"""A run at constant energy begins near its mean; one so many times hotter than asked for has found a hole."""


def move(
    ensemble: Literal["nve", "nvt"],
    model: Path | None,
    how: ModelRunOptions,
    dynamics: DynamicsOptions,
    output: OutputOptions,
) -> None:
    """Run the command `ensemble`."""
    options = dynamics.model_copy(update={"ensemble": ensemble})
    with open_run(output, command=ensemble, resume=how.resume) as folder:
        run = prepare_run(model, how, options, folder.path)
        with _shown(run.options) as progress:
            results = run_model(run, folder.path, progress)
    for k, result in enumerate(results):
        _print_summary(folder.path / f"replica-{k}" if len(results) > 1 else folder.path, result)


@contextmanager
def _shown(options: DynamicsOptions) -> Iterator[Progress]:
    """Show a bar a phase, with steps/s and ns/day."""
    with started_when_needed() as bar:
        tasks: dict[str, TaskID] = {}

        def update(phase: str, done: int, total: int) -> None:
            if phase not in tasks:
                bar.start()
                tasks[phase] = bar.add_task(phase, total=total, completed=done, text="")
            task = bar.tasks[tasks[phase]]
            text = ""
            if task.speed:
                text = f"{task.speed:.0f} steps/s  {task.speed * options.timestep * 86400e-6:.2f} ns/day"
            bar.update(task.id, completed=done, text=text)

        yield update


def _print_summary(folder: Path, result: DynamicsResult) -> None:
    duration = result.completed_steps * result.options.timestep / 1000.0
    print(f"{result.completed_steps} steps, {duration:g} ps in {folder}")
    if result.mean_temperature_K is not None:
        freedom = f"{result.degrees_of_freedom} degrees of freedom"
        print(f"mean temperature {result.mean_temperature_K:.0f} K over {freedom}")
        if result.mean_temperature_K > HEATED * result.options.temperature:
            console.print(
                f"much hotter than the {result.options.temperature:g} K asked for: the run fell into a state "
                "far below the one it began in, maybe a hole of the model where there are no frames "
                "(`mdaug stability` compares)",
                style="yellow",
                soft_wrap=True,
            )
    if result.steps_per_second:
        print(f"{result.steps_per_second:.0f} steps/s, {result.ns_per_day:.2f} ns/day")
    if result.stopped_because:
        console.print(f"stopped: {result.stopped_because}", style="bold yellow", soft_wrap=True)
