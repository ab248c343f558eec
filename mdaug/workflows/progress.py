"""How workflows report what they do."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the number of items done, and the number of all items."""


def ignore(*_: object) -> None:
    """Report to nobody."""
