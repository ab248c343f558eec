"""Histograms of pair distances with their mixtures: where each spring comes from."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from matplotlib.axes import Axes

from mdaug.reports.springs_table import format_k
from mdaug.reports.style import BLUE, VERMILION, new_figure
from mdaug.springs import PairSprings, SpringAnalysis

COLUMNS = 3


def plot_springs(analysis: SpringAnalysis, axes: Sequence[Axes] | None = None) -> list[Axes]:
    """Draw for each element pair the histogram, the mixture and its components with their k.

    Parameters
    ----------
    analysis
        From `analyze_springs`.
    axes
        A panel for each element pair; default: those of a new figure.
    """
    pairs = analysis.springs.pairs
    if axes is None:
        axes = _panels(len(pairs))
    for panel, (name, springs) in zip(axes, pairs.items(), strict=True):
        _plot_pair(panel, name, springs, *analysis.histograms[name])
    axes[0].figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return list(axes)


def _panels(n_pairs: int) -> list[Axes]:
    n_columns = min(COLUMNS, n_pairs)
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
    panel.stairs(density, edges, fill=True, color="#c8c8c8", label="frames")
    panel.plot(d, parts.sum(-1), color=BLUE, linewidth=1.5, label="mixture")
    for index, part in enumerate(parts.T):
        label = "components" if index == 0 else None
        panel.plot(d, part, color=VERMILION, linewidth=1.0, linestyle="--", label=label)
    top = max(density.max(), parts.sum(-1).max())
    for mean, k in zip(springs.distance, springs.k, strict=True):
        # above the curve and the histogram around the mean, so that the number covers neither
        near = np.abs(0.5 * (edges[1:] + edges[:-1]) - mean) < 0.03 * (d[-1] - d[0])
        height = max(np.interp(mean, d, parts.sum(-1)), *density[near])
        panel.annotate(
            format_k(k), (mean, height), (0, 3), textcoords="offset points", ha="center", fontsize=8
        )
    panel.set_ylim(0, 1.15 * top)
    panel.set_title(f"{name}, k in kcal/mol/Å²", fontsize=10)
    panel.set_xlabel("distance (Å)")
    panel.set_ylabel("probability density (1/Å)")
