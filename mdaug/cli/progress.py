"""Progress on the terminal: what is done, how fast, and how long it will take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from mdaug.train import TrainState

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
def counted(description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar and give the function that is told (done, total)."""
    with make_progress() as bar:
        task = bar.add_task(description, total=None, text="")
        yield lambda done, total: bar.update(task, completed=done, total=total)


@contextmanager
def training_progress(*names: str) -> Iterator[Callable[[str, "TrainState"], None]]:
    """Show a bar for each named training and give the function that is told its state after each epoch.

    Beside it stand the validation errors of energy (kcal/mol) and forces (kcal/mol/Å) and frames per second.
    """
    with make_progress() as bar:
        tasks = {name: bar.add_task(name, total=None, text="") for name in names}

        def update(name: str, state: "TrainState") -> None:
            text = (
                f"E {state.energy_mae_kcal_mol:.3f} F {state.force_mae_kcal_mol_A:.3f} "
                f"{state.geometries_per_second:.0f}/s"
            )
            bar.update(tasks[name], completed=state.epoch, total=state.n_epochs, text=text)

        yield update
