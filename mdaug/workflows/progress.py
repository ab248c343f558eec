"""Type of the function to which workflows report their progress."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called with the name of a stage, the number of items done, and the number of all items."""


def ignore(*_: object) -> None:
    """Ignore the progress."""
