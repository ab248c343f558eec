"""The tables of the reports, in a terminal."""

from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from mdaug.reports.html import Table, format_cell


def print_table(table: Table, console: Console | None = None) -> None:
    """Print `table` (default: to standard output), numbers to the right."""
    console = console or Console()
    shown = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
    for position, column in enumerate(table.columns):
        values = [row[position] for row in table.rows]
        numeric = any(isinstance(value, int | float) for value in values)
        shown.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(format_cell(value) for value in row))
    if table.caption:
        console.print(table.caption, style="italic", highlight=False, markup=False)
    console.print(shown)
