"""Springs as a figure (distance histograms with the fitted mixtures) and as a table."""

from collections.abc import Sequence
from math import ceil
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from scipy.optimize import linear_sum_assignment

from mdaug.frames import FloatArray
from mdaug.reports.html import Table
from mdaug.reports.style import BLACK, PALE_GRAY, SKY, new_figure
from mdaug.springs import PairSprings, SpringAnalysis
from mdaug.springs.fit import Interval
from mdaug.units import KCAL_MOL_PER_EV

N_COLUMNS = 3


def plot_springs(analysis: SpringAnalysis, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw for each element pair the histogram, the mixture and its components with their k.

    Parameters
    ----------
    analysis
        From `analyze_springs`.
    axes
        One panel for each element pair; default: those of a new figure.
    """
    pairs = analysis.springs.pairs
    if axes is None:
        axes = _panels(len(pairs))
    for panel, (name, springs) in zip(axes, pairs.items(), strict=True):
        _plot_pair(panel, name, springs, *analysis.histograms[name])
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return list(axes)


def _panels(n_pairs: int) -> list[Axes]:
    n_columns = min(N_COLUMNS, n_pairs)
    n_rows = ceil(n_pairs / n_columns)
    _, grid = new_figure(n_rows, n_columns, width=4.4 * n_columns, height=3.3 * n_rows + 0.4, squeeze=False)
    panels = list(grid.ravel())
    for empty in panels[n_pairs:]:
        empty.remove()
    return panels[:n_pairs]


def _plot_pair(panel: Axes, name: str, springs: PairSprings, density: np.ndarray, edges: np.ndarray) -> None:
    margin = 2 * springs.sigma.max() + 0.02 * (edges[-1] - edges[0])
    d = np.linspace(edges[0] - min(margin, 0.3), edges[-1] + min(margin, 0.3), 2000)
    parts = springs.mixture.component_densities(d)
    panel.stairs(density, edges, fill=True, color=PALE_GRAY, label="frames")
    panel.plot(d, parts.sum(-1), color=BLACK, linewidth=1.2, label="mixture")
    for index, part in enumerate(parts.T):
        label = "components" if index == 0 else None
        panel.plot(d, part, color=SKY, linewidth=1.4, linestyle="--", label=label)
    top = max(density.max(), parts.sum(-1).max())
    for mean, k in zip(springs.distance, springs.k, strict=True):
        # above the curve and the histogram around the mean, so that the number does not cover them
        around_mean = np.abs(0.5 * (edges[1:] + edges[:-1]) - mean) < 0.03 * (d[-1] - d[0])
        height = max(np.interp(mean, d, parts.sum(-1)), *density[around_mean])
        panel.annotate(
            format_k(k), (mean, height), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    panel.set_ylim(0, 1.15 * top)
    panel.set_title(f"{name}, k in kcal/mol/Å²", fontsize=10)
    panel.set_xlabel("distance (Å)")
    panel.set_ylabel("probability density (1/Å)")


CAPTION = (
    "Distances d in Å, spring constants k in kcal/mol/Å². First the converged fit, with 95 % intervals from "
    "resampled frames; last the fit at scikit-learn's default convergence, as published."
)


def springs_table(analysis: SpringAnalysis) -> Table:
    """Return the converged fit with its intervals and, beside it, the fit at the published convergence.

    Components of the two fits are matched by distance. Where peaks were found automatically their numbers
    may differ; a dash stands for a missing component.

    Parameters
    ----------
    analysis
        From `analyze_springs`.
    """
    rows = []
    for name, converged in analysis.converged.pairs.items():
        published = analysis.published.pairs[name]
        interval = analysis.intervals.get(name)
        for left, right in _match(converged.distance, published.distance):
            rows.append(
                (name, *_converged_cells(converged, interval, left), *_published_cells(published, right))
            )
    columns = ("pair", "d", "95 %", "k", "95 %", "weight", "d published", "k published")
    return Table(columns, rows, CAPTION)


def _converged_cells(springs: PairSprings, interval: Interval | None, m: int | None) -> tuple[str, ...]:
    """Return d, its interval, k, its interval and the weight of component `m`."""
    if m is None:
        return ("–",) * 5
    d_range = k_range = "–"
    if interval is not None:
        d_range = "–".join(f"{end[m]:.3f}" for end in interval.distance)
        k_range = "–".join(format_k(end[m]) for end in interval.k)
    return f"{springs.distance[m]:.3f}", d_range, format_k(springs.k[m]), k_range, f"{springs.weight[m]:.3f}"


def _published_cells(springs: PairSprings, m: int | None) -> tuple[str, ...]:
    """Return d and k of component `m`."""
    return ("–",) * 2 if m is None else (f"{springs.distance[m]:.3f}", format_k(springs.k[m]))


def rich_springs_table(analysis: SpringAnalysis) -> RichTable:
    """Return `springs_table` for the terminal.

    Parameters
    ----------
    analysis
        From `analyze_springs`.
    """
    table = springs_table(analysis)
    shown = RichTable(box=SIMPLE_HEAD, pad_edge=False, caption=table.caption, caption_justify="left")
    for number, column in enumerate(table.columns):
        justify: Literal["left", "right"] = "right" if number else "left"
        shown.add_column(column.replace(" published", "\npubl."), justify=justify, no_wrap=True)
    previous = None
    for row in table.rows:
        if previous not in (None, row[0]):
            shown.add_section()
        shown.add_row(*(str(cell) for cell in (row if row[0] != previous else ("", *row[1:]))))
        previous = row[0]
    return shown


def format_k(k: float) -> str:
    """Return a spring constant as text in kcal/mol/Å² with three digits, never in powers of ten.

    Parameters
    ----------
    k
        Spring constant, eV/Å².
    """
    k_kcal = k * KCAL_MOL_PER_EV
    return f"{k_kcal:.3g}" if k_kcal < 999.5 else f"{k_kcal:.0f}"


def _match(left: FloatArray, right: FloatArray) -> list[tuple[int | None, int | None]]:
    """Pair each value with the nearest of the other list while values are left; sorted by value."""
    taken = [
        (int(a), int(b)) for a, b in zip(*linear_sum_assignment(np.abs(left[:, None] - right)), strict=True)
    ]
    pairs: list[tuple[int | None, int | None]] = [*taken]
    pairs += [(a, None) for a in range(len(left)) if a not in {a for a, _ in taken}]
    pairs += [(None, b) for b in range(len(right)) if b not in {b for _, b in taken}]
    return sorted(pairs, key=lambda pair: left[pair[0]] if pair[0] is not None else right[pair[1]])
