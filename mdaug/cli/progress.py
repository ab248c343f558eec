"""Progress on the terminal: what is done, how fast, and how long it will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from mdaug.training import TrainState
    from mdaug.workflows.train import TrainingCallbacks

console = Console(stderr=True, highlight=False)


def make_progress() -> Progress:
    """Return the bar of all commands: what, bar, count, time left, and a text of the task's own."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
        console=console,
    )


@contextmanager
def started_when_needed() -> Iterator[Progress]:
    """Give the bar, shown from its first task on, so that an early error stands alone."""
    bar = make_progress()
    try:
        yield bar
    finally:
        if bar.tasks:
            bar.stop()


@contextmanager
def counted(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar and give the function that is told (done, total)."""
    with started_when_needed() as bar:
        yield partial(_advance, bar, description, "")


@contextmanager
def steps_of_many() -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each thing that is done, and give the function that is told (what, done, total)."""
    with started_when_needed() as bar:
        yield lambda what, done, total: _advance(bar, what, "", done, total)


@contextmanager
def training_callbacks() -> Iterator["TrainingCallbacks"]:
    """Show the stages of a training, with a bar for the springs and one for the epochs.

    Beside the latter stand the validation errors of energy (kcal/mol) and forces (kcal/mol/Å) and frames per
    second.
    """
    from mdaug.workflows.train import TrainingCallbacks

    with started_when_needed() as bar:

        def epoch(state: "TrainState") -> None:
            errors = f"E {state.energy_mae_kcal_mol:.3f} F {state.force_mae_kcal_mol_A:.3f}"
            text = f"{errors} {state.geometries_per_second:.0f}/s"
            _advance(bar, "training", text, state.epoch, state.n_epochs)

        yield TrainingCallbacks(
            stage=console.print, springs=partial(_advance, bar, "springs", ""), epoch=epoch
        )


def _advance(bar: Progress, description: str, text: str, done: int, total: int) -> None:
    """Bring the task of that description to `done`; made, and the bar started, when it is first told of.

    Nothing to do is no task.
    """
    task = next((task.id for task in bar.tasks if task.description == description), None)
    if task is None and total == 0:
        return
    if task is None:
        bar.start()
        task = bar.add_task(description, total=total, text=text)
    bar.update(task, completed=done, total=total, text=text)
