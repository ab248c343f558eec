"""Warnings that hundreds of systems cause alike, as one."""

import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

MOST_ALIKE = 10
"""Warnings of one kind that are shown one by one."""

COMPARED = 40
"""Characters without name and numbers by which kinds of warnings differ."""


@contextmanager
def alike_warnings_once() -> Iterator[list[str]]:
    """Return, for a ``with`` block, a list for the names of systems; afterwards, warn of what the block did.

    Of more than `MOST_ALIKE` warnings that are the same but for a name and numbers the first one is shown,
    with their number. If an error leaves the block, nothing is known of the names and all are shown.
    """
    names: list[str] = []
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            yield names
    finally:
        for warning, others in _once(caught, names):
            text = f"{warning.message} (and {others} more warnings like this)" if others else warning.message
            warnings.warn_explicit(text, warning.category, warning.filename, warning.lineno)


def _once(
    caught: Sequence[warnings.WarningMessage], names: Sequence[str]
) -> Iterator[tuple[warnings.WarningMessage, int]]:
    """Return the warnings that are shown, and how many of their kind are not."""
    longest_first = sorted(names, key=len, reverse=True)  # "a.xyz (CH4), isomer 1" before "a.xyz (CH4)"
    kinds: dict[tuple[type[Warning], str], list[warnings.WarningMessage]] = {}
    for warning in caught:
        kind = warning.category, _without(str(warning.message), longest_first)
        kinds.setdefault(kind, []).append(warning)
    for alike in kinds.values():
        if len(alike) > MOST_ALIKE:
            yield alike[0], len(alike) - 1
        else:
            yield from ((warning, 0) for warning in alike)


def _without(text: str, names: Sequence[str]) -> str:
    """Return the start of a text without `names` and numbers."""
    for name in names:
        text = text.replace(name, "")
    return re.sub(r"\d+", "#", text)[:COMPARED]
