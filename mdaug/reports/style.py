"""How every figure of mdaug looks. Matplotlib's object interface only: no window, no global state.

Examples
--------
>>> figure, axes = new_figure()
>>> _ = axes.plot([0, 1], [0, 1], color=RAW, label="raw")
>>> save(figure, "line.png")  # doctest: +SKIP
"""

from pathlib import Path
from typing import Any

from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.files import atomic_path

BLACK, ORANGE, SKY, GREEN, YELLOW, BLUE, VERMILION, PURPLE = (
    "#000000",
    "#e69f00",
    "#56b4e9",
    "#009e73",
    "#f0e442",
    "#0072b2",
    "#d55e00",
    "#cc79a7",
)
"""Okabe and Ito's colours, told apart by colour-blind readers (DOI 10.1038/nmeth.1618)."""

RAW, AUGMENTED, REFERENCE = VERMILION, BLUE, BLACK
"""A model, trained on raw or augmented frames, and the truth have the same colour in every figure."""

COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)

STYLE: Any = {
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelsize": 11,
    "axes.titlesize": 12,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "xtick.labelsize": 10,
    "ytick.labelsize": 10,
}

DPI = 150


def new_figure(
    n_rows: int = 1, n_columns: int = 1, *, width: float = 6.4, height: float | None = None, **subplots: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes (one, or an array as from ``Figure.subplots``).

    `width` and `height` are in inches for the whole figure; the height default is 0.62 of a column's
    width for each row. Further arguments (``sharex``, ``squeeze``, …) go to ``Figure.subplots``.
    """
    if height is None:
        height = 0.62 * width / n_columns * n_rows
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots(n_rows, n_columns, **subplots)


def new_axes() -> Axes:
    """Return the axes of a new single-panel figure: ``ax = ax or new_axes()`` in a ``plot_x``."""
    axes: Axes = new_figure()[1]
    return axes


def save(figure: Any, path: Path | str) -> Path:
    """Write `figure` (or the figure of given axes) to `path` as PNG, whole or not at all."""
    path = Path(path)
    if isinstance(figure, Axes):
        figure = figure.figure
    with rc_context(STYLE), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
    return path
