"""Progress bars, remarks and suggested next commands on the terminal."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mdaug.text import in_one_line, make_console

console = make_console(stderr=True)


@contextmanager
def progress_bars(
    text: Callable[[float], str] | None = None,
) -> Iterator[Callable[[str, int, int], None]]:
    """Show a progress bar for each stage; yield the function that is called with (stage, done, total).

    Parameters
    ----------
    text
        Returns the text beside a bar, given the speed in items per second.
    """
    with started_when_needed() as bar:
        yield partial(_report, bar, text)


@contextmanager
def started_when_needed() -> Iterator[Progress]:
    """Yield a progress display that appears with its first bar, so that an early error is printed without
    it."""
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
        console=console,
    )
    try:
        yield bar
    finally:
        if bar.tasks:
            bar.stop()


def advance(bar: Progress, stage: str, done: int, total: int, text: str = "") -> None:
    """Set the bar of a stage; it is added at the first call, if there is anything to do.

    Parameters
    ----------
    bar
        The display.
    stage
        Name of the stage.
    done, total
        Items done, and all items.
    text
        Shown beside the bar.
    """
    stage, text = in_one_line(stage), in_one_line(text)  # a bar prints its text as it is
    task = next((task.id for task in bar.tasks if task.description == stage), None)
    if total == 0:
        return
    if task is None:
        bar.start()
        task = bar.add_task(stage, total=total, text=text)
    bar.update(task, completed=done, total=total, text=text)


def warn(text: str) -> None:
    """Print a remark on a result to standard error, in yellow.

    Parameters
    ----------
    text
        One or two sentences.
    """
    console.print(text, style="yellow", soft_wrap=True, markup=False)


def print_next(*commands: str) -> None:
    """Print the commands that a user may want next.

    Parameters
    ----------
    *commands
        Command lines, each with its purpose after two spaces.
    """
    from mdaug.reports import terminal

    pairs = [command.partition("  ") for command in commands]
    terminal.print_next([(line, purpose) for line, _, purpose in pairs])


def _report(bar: Progress, text: Callable[[float], str] | None, stage: str, done: int, total: int) -> None:
    speed = next((task.speed for task in bar.tasks if task.description == stage), None)
    advance(bar, stage, done, total, text(speed) if text and speed else "")
