"""Summaries of repeated measurements."""

from collections.abc import Sequence
from statistics import mean, median


def min_median_max(values: Sequence[float], form: str) -> str:
    """Return ``min / median / max``."""
    return " / ".join(format(value, form) for value in (min(values), median(values), max(values)))


def mean_and_range(values: Sequence[float | None]) -> str:
    """Return ``mean (min to max)`` of the values that are not None; a single one alone, or an empty text."""
    measured = [value for value in values if value is not None]
    if not measured:
        return ""
    if len(measured) == 1:
        return f"{measured[0]:.1f}"
    return f"{mean(measured):.1f} ({min(measured):.1f} to {max(measured):.1f})"
