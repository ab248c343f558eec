"""Atomic writing of files: a file is replaced as a whole or left untouched."""

import errno
import json
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any

from mdaug.errors import DataError

_TEMPORARY = ".mdaug-"
_LEFTOVER = re.compile(r"\.mdaug-(?P<stem>.+)-[a-z0-9_]{8}(?P<suffix>\.[^.]*)?")


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the name of the file to an error of writing (full disk, limit of sizes) that has none.

    Parameters
    ----------
    path
        The file that is written in the block.
    """
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # else the name would replace the text of the error
            error.filename = error.filename or str(path)
        raise


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Provide a temporary path beside a file, which replaces the file if the block succeeds.

    The temporary file has the suffix of `path`, because many writers choose the format by the suffix. After
    an error (full disk, kill) the old file is unchanged.

    Parameters
    ----------
    path
        File to write; its folder is created.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{_TEMPORARY}{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
        temporary.chmod(0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def leftover_of(path: Path) -> str | None:
    """Return the name of the file that a temporary file of `atomic_path` was to replace, if it is one.

    Parameters
    ----------
    path
        Any path; only its name counts.
    """
    parts = _LEFTOVER.fullmatch(path.name)
    return f"{parts['stem']}{parts['suffix'] or ''}" if parts else None


def remove_leftovers(folder: Path, patterns: Iterable[str]) -> None:
    """Remove temporary files of `atomic_path` that a killed process left.

    Parameters
    ----------
    folder
        Folder that no other process is writing to.
    patterns
        Names, with wildcards, of the files that are written there; other temporary files are kept.
    """
    names = list(patterns)
    for path in folder.iterdir():
        target = leftover_of(path)
        if target is not None and path.is_file() and any(fnmatchcase(target, name) for name in names):
            path.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """Write a text file (UTF-8) atomically.

    Parameters
    ----------
    path
        File to write.
    text
        Its content.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path | str, content: Any) -> None:
    """Write indented JSON atomically.

    Parameters
    ----------
    path
        File to write.
    content
        Content that `json` can write.

    Raises
    ------
    ValueError
        A number is NaN or infinite, which JSON does not have.
    """
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def open_without_link(path: Path, mode: str, **options: Any) -> IO[Any]:
    """Open a file for writing in place; refuse symbolic links.

    Parameters
    ----------
    path
        The file.
    mode
        As for `open`.
    **options
        As for `open`.

    Raises
    ------
    DataError
        If `path` is a symbolic link: writing would change a file elsewhere.
    """

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)

    try:
        return open(path, mode, opener=opener, **options)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataError(f"{path}: a symbolic link; expected a file of this run or none") from error
        raise
