"""Springs as a table: the used fit, the other one and the intervals side by side."""

from typing import Literal

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from scipy.optimize import linear_sum_assignment

from mdaug.frames import FloatArray
from mdaug.reports.html import Table
from mdaug.springs import PairSprings, SpringAnalysis
from mdaug.springs.fit import Interval
from mdaug.units import KCAL_MOL_PER_EV

COLUMNS = ("pair", "d", "k", "weight", "d converged", "95 %", "k converged", "95 %")

CAPTION = (
    "Distances d in Å, springs k in kcal/mol/Å². Left: scikit-learn's default convergence, as published; "
    "right: converged, with 95 % intervals from resampled frames."
)


def springs_table(analysis: SpringAnalysis, caption: str = CAPTION) -> Table:
    """Return the fit at scikit-learn's default convergence, and beside it the converged one with intervals.

    Components of the two are matched by distance; where peaks were found automatically their numbers may
    differ, and dashes stand for the missing one.
    """
    rows = []
    for name, published in analysis.published.pairs.items():
        converged = analysis.converged.pairs[name]
        interval = analysis.intervals.get(name)
        for left, right in _match(published.distance, converged.distance):
            rows.append(
                (name, *_published_cells(published, left), *_converged_cells(converged, interval, right))
            )
    return Table(COLUMNS, rows, caption)


def _published_cells(springs: PairSprings, m: int | None) -> tuple[str, str, str]:
    if m is None:
        return ("–",) * 3
    return f"{springs.distance[m]:.3f}", format_k(springs.k[m]), f"{springs.weight[m]:.3f}"


def _converged_cells(
    springs: PairSprings, interval: Interval | None, m: int | None
) -> tuple[str, str, str, str]:
    if m is None:
        return ("–",) * 4
    d_range = k_range = "–"
    if interval is not None:
        d_range = "–".join(f"{end[m]:.3f}" for end in interval.distance)
        k_range = "–".join(format_k(end[m]) for end in interval.k)
    return f"{springs.distance[m]:.3f}", d_range, format_k(springs.k[m]), k_range


def rich_springs_table(analysis: SpringAnalysis) -> RichTable:
    """Return `springs_table` for the terminal."""
    table = springs_table(analysis)
    shown = RichTable(box=SIMPLE_HEAD, caption=table.caption, caption_justify="left")
    for number, column in enumerate(table.columns):
        justify: Literal["left", "right"] = "right" if number else "left"
        shown.add_column(column.replace(" converged", "\nconv."), justify=justify, no_wrap=True)
    previous = None
    for row in table.rows:
        if previous not in (None, row[0]):
            shown.add_section()
        shown.add_row(*(str(cell) for cell in (row if row[0] != previous else ("", *row[1:]))))
        previous = row[0]
    return shown


def format_k(k: float) -> str:
    """Return a spring (eV/Å²) in kcal/mol/Å² with three digits, never in powers of ten."""
    k_kcal = k * KCAL_MOL_PER_EV
    return f"{k_kcal:.3g}" if k_kcal < 999.5 else f"{k_kcal:.0f}"


def _match(left: FloatArray, right: FloatArray) -> list[tuple[int | None, int | None]]:
    """Pair each value with the nearest of the other list, as far as there are; in order of value."""
    taken = [
        (int(a), int(b)) for a, b in zip(*linear_sum_assignment(np.abs(left[:, None] - right)), strict=True)
    ]
    pairs: list[tuple[int | None, int | None]] = [*taken]
    pairs += [(a, None) for a in range(len(left)) if a not in {a for a, _ in taken}]
    pairs += [(None, b) for b in range(len(right)) if b not in {b for _, b in taken}]
    return sorted(pairs, key=lambda pair: left[pair[0]] if pair[0] is not None else right[pair[1]])
