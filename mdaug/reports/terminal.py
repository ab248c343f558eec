"""Tables, verdicts and next commands in a terminal."""

import os
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from mdaug.reports.html import Table, format_cell, next_lines, verdict_table
from mdaug.text import in_one_line, make_console, print_text
from mdaug.verdicts import Verdict

STYLES = {"ok": "green", "cannot tell": "yellow", "warning": "yellow", "error": "bold red"}
"""Style of a verdict's mark."""


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table, numbers to the right.

    Parameters
    ----------
    table
        Table to print; its caption comes first.
    console
        Console; default: standard output.
    """
    console = console or make_console()
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(table.columns):
        values = [row[position] for row in table.rows]
        numeric = any(isinstance(value, int | float) for value in values)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(in_one_line(format_cell(value)) for value in row))
    if table.caption:
        console.print(table.caption, style="italic", highlight=False, markup=False)
    console.print(shown)


def print_verdicts(verdicts: Sequence[Verdict], console: Console | None = None) -> None:
    """Print the table of verdicts that opens the report, with colored marks.

    Parameters
    ----------
    verdicts
        In the order in which they are shown.
    console
        Console; default: standard output.
    """
    if console is None:  # a log file has no width of its own
        console = make_console()
        if not console.is_terminal and "COLUMNS" not in os.environ:
            console.width = 110
    table = verdict_table(verdicts)
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for column, ratio in zip(table.columns, (None, None, None, None, 1), strict=True):
        justify = "right" if column in ("value", "limit") else "left"
        shown.add_column(column, justify=justify, ratio=ratio, overflow="fold")  # type: ignore[arg-type]
    for verdict, (mark, *cells) in zip(verdicts, table.rows, strict=True):
        shown.add_row(
            Text(str(mark), style=STYLES[verdict.verdict]), *(Text(in_one_line(str(cell))) for cell in cells)
        )
    console.print(shown)


def print_next(commands: Sequence[tuple[str, str]]) -> None:
    """Print ``next:`` and the commands with their purposes, as plain lines to copy.

    Parameters
    ----------
    commands
        Pairs of command line and purpose.
    """
    print_text(*next_lines(commands), sep="\n")
