"""Lists of frames in messages."""

from collections.abc import Sequence

MOST_SHOWN = 8
"""Frame numbers in a message."""


def shown(numbers: Sequence[int]) -> str:
    """Return frame numbers for a message: the first few, and how many there are."""
    first = ", ".join(str(n) for n in numbers[:MOST_SHOWN])
    return first if len(numbers) <= MOST_SHOWN else f"{first}, … ({len(numbers)} in all)"
