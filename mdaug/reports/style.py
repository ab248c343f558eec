"""Style of all figures: colors, line widths, sizes. Matplotlib's object interface only, no global state.

Examples
--------
>>> figure, axes = new_figure()
>>> _ = axes.plot([0, 1], [0, 1], color=RAW, label="raw")
>>> save(figure, "line.png")  # doctest: +SKIP
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ase.data import atomic_numbers
from ase.data.colors import jmol_colors
from cycler import cycler
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter, ScalarFormatter

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
"""Colors of Okabe and Ito, which color-blind readers can tell apart (DOI 10.1038/nmeth.1618)."""

GRAY, PALE_GRAY = "#707070", "#c8c8c8"
"""Colors of fits, lower bounds and histograms."""

AUGMENTED, RAW, PUBLISHED, BASELINE, OTHER_CODE, REFERENCE = BLUE, VERMILION, ORANGE, PURPLE, GREEN, BLACK
"""The color of each kind of model, the same in every figure; the reference is the ab-initio truth."""

DELTA = SKY
"""The color of a model with Δ-learning and without augmented frames."""

LIMIT = "#8f2d8f"
"""Color of tolerances, failures and marked bonds."""

COLOR_OF_KIND = {
    "raw": RAW,
    "augmented": AUGMENTED,
    "δ": DELTA,
    "recommended": AUGMENTED,
    "ours": AUGMENTED,
    "mdaug": AUGMENTED,
    "matched": AUGMENTED,
    "published": PUBLISHED,
    "paper": PUBLISHED,
    "isotropic": PUBLISHED,
    "pair": BASELINE,
    "baseline": BASELINE,
    "schnetpack": OTHER_CODE,
    "reference": REFERENCE,
    "gfn2": REFERENCE,
    "ccsd": REFERENCE,
}
"""The first of these words in a label determines its color, see `model_styles`."""

SPARE_COLORS = (SKY, GRAY, GREEN, PURPLE, ORANGE, YELLOW)
"""Colors of further models, unless a model of a kind with the same color is drawn."""

COLORS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Colors of curves that are not models, in this order."""

BROAD, NARROW = 2.4, 1.6
"""Line width of the augmented (recommended) model, and of all others."""

ELEMENT_COLORS = {
    "H": "#a8b0b8",
    "C": "#454545",
    "N": "#3050f8",
    "O": "#e0281e",
    "F": "#5fb32e",
    "Si": "#c99a6b",
    "P": "#e07b00",
    "S": "#c9a400",
    "Cl": "#1fae1f",
}
"""Colors of the most common elements, visible on white; see `element_color` for the others."""

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


def model_styles(labels: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the line style of each model: the color by its kind; the augmented model has the widest line, on
    top.

    Parameters
    ----------
    labels
        Names of models or label rules. Names without a word of `COLOR_OF_KIND`, and the second of the same
        kind, get colors that no kind has.

    Returns
    -------
    dict
        Label -> ``{"color", "linewidth", "zorder"}`` for ``Axes.plot``.
    """
    styles: dict[str, dict[str, Any]] = {}
    taken: set[str] = set()
    for label in labels:
        color = _color_of_kind(label)
        if color is None or color in taken:
            color = next((spare for spare in SPARE_COLORS if spare not in taken), GRAY)
        taken.add(color)
        best = color == AUGMENTED
        styles[label] = {"color": color, "linewidth": BROAD if best else NARROW, "zorder": 3 if best else 2.5}
    return styles


def model_color(label: str) -> str:
    """Return the color of one model by the kind that its label names; the augmented model's if it names none.

    Parameters
    ----------
    label
        Name of a model or run, such as ``"raw"``.
    """
    return _color_of_kind(label) or AUGMENTED


def _color_of_kind(label: str) -> str | None:
    """Return the color of the first kind of `COLOR_OF_KIND` that is a word of `label`."""
    label_words = re.split(r"[^a-z0-9δ]+", label.lower())
    return next((color for kind, color in COLOR_OF_KIND.items() if kind in label_words), None)


def element_color(symbol: str) -> str:
    """Return the color of an element, for molecules and for points of its atoms.

    Parameters
    ----------
    symbol
        Chemical symbol, such as ``"O"``.
    """
    if symbol in ELEMENT_COLORS:
        return ELEMENT_COLORS[symbol]
    red, green, blue = (0.8 * float(part) for part in jmol_colors[atomic_numbers[symbol]])
    return str(to_hex((red, green, blue)))


def new_figure(
    n_rows: int = 1, n_columns: int = 1, *, width: float = 6.4, height: float | None = None, **subplots: Any
) -> tuple[Figure, Any]:
    """Return a figure and its axes (one, or an array as from ``Figure.subplots``).

    Parameters
    ----------
    n_rows, n_columns
        Number of panels.
    width, height
        Size of the whole figure in inches; the default height is 0.62 of a column's width for each row.
    **subplots
        Passed on to ``Figure.subplots`` (``sharex``, ``squeeze``, …).
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
    """Write a figure as PNG atomically, and return `path`.

    Parameters
    ----------
    figure
        A figure, or axes of it.
    path
        PNG file to write.
    """
    path = Path(path)
    if isinstance(figure, Axes):
        figure = figure.figure
    if isinstance(figure, Figure):
        _draw_dollars(figure)
    with rc_context(STYLE), atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")
    return path


def _draw_dollars(figure: Any) -> None:
    """Draw ``$`` in labels literally, because file names are not mathematics. Matplotlib's own tick labels
    are unchanged."""
    automatic = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if isinstance(axis.get_major_formatter(), LogFormatter | ScalarFormatter):
            ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            automatic |= {axis.offsetText, *(label for tick in ticks for label in (tick.label1, tick.label2))}
    for text in figure.findobj(Text):
        if text not in automatic:
            text.set_parse_math(False)
