"""Figures that were measured several times."""

from collections.abc import Sequence
from statistics import mean, median


def spread(values: Sequence[float], form: str) -> str:
    """Return ``min / median / max``."""
    return " / ".join(format(value, form) for value in (min(values), median(values), max(values)))


def mean_and_range(values: Sequence[float | None]) -> str:
    """Return ``mean (min to max)`` of those that are known; one alone, or nothing, as it is."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    if len(known) == 1:
        return f"{known[0]:.1f}"
    return f"{mean(known):.1f} ({min(known):.1f} to {max(known):.1f})"
