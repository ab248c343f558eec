"""The record of a run, run.json: which files of a folder the run wrote; moving them aside and back."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mdaug.archives import read_json
from mdaug.errors import DataError, MDAugError
from mdaug.files import write_json
from mdaug.workflows.run_folders.run_files import (
    ENVIRONMENT,
    FILES,
    README,
    RECORD,
    files_below,
    matches,
    matching,
)

ASIDE = ".mdaug-replaced"
"""Folder, in the folder of a run, of the files of the earlier run until the new one has finished."""

BOOKKEEPING = (RECORD, README, ENVIRONMENT)
"""Files of every run."""

_MARKS = {README: b"Run folder of `mdaug", ENVIRONMENT: b'"mdaug_commit"'}
"""Text that identifies these files as written by mdaug."""


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record of the run in a folder, None where there is none.

    Parameters
    ----------
    path
        A folder.
    """
    try:
        record = read_json(path / RECORD, "the record of a run")
    except (OSError, DataError):
        return None
    return record if isinstance(record.get("command"), str) else None


def write_record(
    path: Path,
    command: str,
    commands: Sequence[str],
    *,
    started: str,
    finished: str | None,
    files: Sequence[str],
) -> None:
    """Write ``run.json``.

    Parameters
    ----------
    path
        The run folder.
    command
        Name of the command.
    commands
        The command lines, oldest first.
    started, finished
        Times; `finished` is None for a run in progress.
    files
        Files that a finished run wrote, or patterns of the files that an unfinished run may write.
    """
    content = {
        "command": command,
        "commands": list(commands),
        "started": started,
        "finished": finished,
        "files": list(files),
    }
    write_json(path / RECORD, content)


def owned_files(path: Path) -> list[str]:
    """Return the files in the folder that the run recorded there wrote, relative to the folder.

    Parameters
    ----------
    path
        A run folder.
    """
    record = read_record(path)
    if record is None:
        return []
    patterns = _patterns(record)
    if not record.get("finished"):
        return matching(path, patterns) + bookkeeping(path)
    # run.json may come from a stranger: only what the command writes, and not through links to other folders
    recorded = record.get("files")
    names = [str(name) for name in recorded] if isinstance(recorded, list) else []
    own = [name for name in names if name in BOOKKEEPING or matches(name, patterns)]
    return [name for name in own if _is_inside(path, name)]


def _patterns(record: dict[str, Any] | None) -> list[str]:
    """Return names and patterns of the files that the command of a record writes."""
    return [] if record is None else list(FILES.get(record["command"], ()))


def _is_inside(folder: Path, name: str) -> bool:
    """Return whether a file or link is in `folder` or in a true folder below it."""
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not (path.name and os.path.lexists(folder / path)):
        return False
    if any((folder / parent).is_symlink() for parent in path.parents if parent != Path()):
        return False
    return (folder / path).is_symlink() or (folder / path).is_file()


def has_replaced(path: Path) -> bool:
    """Return whether a folder holds the files of a run that was being replaced.

    Parameters
    ----------
    path
        A run folder.

    Raises
    ------
    MDAugError
        A link has the name of the folder of these files: they would be taken from elsewhere.
    """
    aside = path / ASIDE
    if aside.is_symlink():
        raise MDAugError(f"{aside} is a link, which mdaug never makes; remove it")
    return aside.is_dir()


def _files_aside(path: Path) -> list[str]:
    """Return the files of the replaced run that its command writes, relative to their folder."""
    aside = path / ASIDE
    patterns = [*_patterns(read_record(aside) or read_record(path)), *BOOKKEEPING]
    return [name for name in files_below(aside, aside) if matches(name, patterns)]


def restore(path: Path) -> bool:
    """Bring back the files of a run that was being replaced; return whether there were any.

    Parameters
    ----------
    path
        A run folder.

    Raises
    ------
    MDAugError
        A file of another name is in the way.
    """
    aside = path / ASIDE
    if not has_replaced(path):
        return False
    # the record last: without it in `path`, a killed restoration is taken up again
    names = sorted(_files_aside(path), key=lambda name: name == RECORD)
    own = bookkeeping(path)
    occupied = [name for name in names if os.path.lexists(path / name) and name not in own]
    if occupied:
        raise MDAugError(
            f"{path / occupied[0]} is in the way of the earlier run in {aside}, which an interrupted "
            "--overwrite put there; move one of the two elsewhere"
        )
    move_files(aside, path, names)
    with suppress(OSError):
        aside.rmdir()
    return True


def is_foreign(path: Path) -> bool:
    """Return whether README.txt or environment.json is there but was not written by mdaug.

    Parameters
    ----------
    path
        Such a file.
    """
    if path.is_symlink() or not path.is_file():
        return path.is_symlink() or path.exists()
    with path.open("rb") as file:
        return _MARKS[path.name] not in file.read(1 << 16)


def bookkeeping(path: Path) -> list[str]:
    """Return which of the files of every run are there, those that mdaug did not write left out.

    Parameters
    ----------
    path
        A run folder.
    """
    present = [name for name in BOOKKEEPING if (path / name).exists()]
    return [name for name in present if name == RECORD or not is_foreign(path / name)]


def discard_replaced(path: Path) -> None:
    """Delete the files of a run that was replaced.

    Parameters
    ----------
    path
        The folder of the run that replaced it.
    """
    aside = path / ASIDE
    if not has_replaced(path):
        return
    names = _files_aside(path)
    for name in names:
        (aside / name).unlink(missing_ok=True)
    _remove_empty(aside, names)
    with suppress(OSError):
        aside.rmdir()


def move_files(source: Path, target: Path, names: Sequence[str]) -> None:
    """Move files in their order; then remove the folders that are empty now.

    Parameters
    ----------
    source, target
        Folders.
    names
        Paths relative to both.
    """
    for name in names:
        place = target / name
        place.parent.mkdir(parents=True, exist_ok=True)
        (source / name).rename(place)
    _remove_empty(source, names)


def _remove_empty(folder: Path, names: Sequence[str]) -> None:
    parents = {parent for name in names for parent in Path(name).parents if parent != Path()}
    for parent in sorted(parents, key=lambda parent: len(parent.parts), reverse=True):
        with suppress(OSError):
            (folder / parent).rmdir()
