"""`mdaug dataset`: named sets of frames, fetched once and checked."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from mdaug.cache import cache_folder
from mdaug.data.datasets import EMBEDDED_SETS, REMOTE_SETS, fetch, install


def dataset(
    name: str | None = None,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
) -> None:
    """Download a named set of frames into the user's cache, checked by SHA-256; with no NAME, list all.

    Afterwards every command takes the name as its DATA. The environment variable MDAUG_CACHE names another
    folder than the user's cache.

    Parameters
    ----------
    name
        Of the set, as ethanol-ccsdt.
    source
        A copy of the file at hand, to be used instead of a download.
    """
    console = Console(highlight=False, soft_wrap=True)
    if name is None:
        console.print(_table())
    elif name in EMBEDDED_SETS:
        console.print(f"{name}: part of mdaug, nothing to fetch ({EMBEDDED_SETS[name]})")
    else:
        path = fetch(name, progressbar=console.is_terminal) if source is None else install(name, source)
        console.print(f"{name}: {path}, SHA-256 as expected")


def _table() -> Table:
    table = Table("set", "what", "where", title="Named sets of frames")
    for name in EMBEDDED_SETS:
        table.add_row(name, "1000 ethanol frames at 500 K, GFN2-xTB", "part of mdaug")
    for name, remote in REMOTE_SETS.items():
        here = (cache_folder() / remote.filename).is_file()
        table.add_row(
            name, f"{remote.description}, {remote.level_of_theory}", "fetched" if here else "not fetched yet"
        )
    return table
