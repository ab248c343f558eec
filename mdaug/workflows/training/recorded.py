"""Decisions of a training that a resumed one reads back from JSON files in its run folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from mdaug.archives import read_json
from mdaug.errors import DataError

T = TypeVar("T")


def recorded(path: Path, what: str, parse: Callable[[dict[str, Any]], T], *, advice: str) -> T | None:
    """Return what a file records; None if there is no file.

    Parameters
    ----------
    path
        The file.
    what
        What it records, as the end of a sentence.
    parse
        Makes it from the JSON object in the file.
    advice
        What to do with a damaged file.

    Raises
    ------
    DataError
        The file is damaged.
    """
    if not path.exists():
        return None
    expected = f"the record of {what} that `mdaug train` wrote"
    content = read_json(path, expected)
    try:
        return parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: not {expected} ({error!r}); {advice}") from error
