"""Figures that were measured several times."""

from collections.abc import Sequence
from statistics import median


def spread(values: Sequence[float], form: str) -> str:
    """Return ``min / median / max``."""
    return " / ".join(format(value, form) for value in (min(values), median(values), max(values)))
