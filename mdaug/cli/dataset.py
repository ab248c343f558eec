"""`mdaug dataset`: named sets of frames, downloaded once and checked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from mdaug.cli.arguments import refuse
from mdaug.cli.progress import print_next

if TYPE_CHECKING:
    from rich.table import Table


def dataset(
    name: str | None = None,
    /,
    *,
    source: Annotated[Path | None, Parameter(name="--from")] = None,
) -> None:
    """Download a named set of frames and check its SHA-256; without NAME, list all sets.

    The set is stored in the user's cache, or in the folder in the environment variable MDAUG_CACHE. Every
    command then accepts its name as DATA.

    Parameters
    ----------
    name
        Name of the set, for example ethanol-ccsdt.
    source
        Local copy of the file, used instead of a download.
    """
    from mdaug.data.datasets import EMBEDDED_SETS, fetch, install
    from mdaug.text import make_console

    console = make_console(soft_wrap=True)
    given = [] if source is None else ["--from"]
    if name is None:
        refuse(given, "without NAME")
        console.print(_table())
    elif name in EMBEDDED_SETS:
        refuse(given, f"with {name}, which is part of mdaug")
        console.print(f"{name}: part of mdaug, nothing to download ({EMBEDDED_SETS[name]})", markup=False)
    else:
        path = fetch(name, progressbar=console.is_terminal) if source is None else install(name, source)
        console.print(f"{name}: {path}, SHA-256 as expected", markup=False)
    if name is not None:
        print_next(f"mdaug springs {name}  fits its springs", f"mdaug train {name}  trains a force field")


def _table() -> "Table":
    from rich.table import Table

    from mdaug.cache import cache_folder
    from mdaug.data.datasets import EMBEDDED_SETS, REMOTE_SETS

    table = Table("set", "what", "where", title="Named sets of frames")
    for name in EMBEDDED_SETS:
        table.add_row(name, "1000 ethanol frames at 500 K, GFN2-xTB", "part of mdaug")
    for name, remote in REMOTE_SETS.items():
        here = (cache_folder() / remote.filename).is_file()
        table.add_row(
            name,
            f"{remote.description}, {remote.level_of_theory}",
            "in the cache" if here else "not downloaded",
        )
    return table
