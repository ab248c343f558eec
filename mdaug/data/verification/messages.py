"""Lists of frames in messages."""

from collections.abc import Sequence


def shown(numbers: Sequence[int], most: int = 8) -> str:
    """Return frame numbers for a message: the first few, and how many there are."""
    first = ", ".join(str(n) for n in numbers[:most])
    return first if len(numbers) <= most else f"{first}, … ({len(numbers)} in all)"
