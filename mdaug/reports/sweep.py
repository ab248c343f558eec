"""Figures of a sweep: all scan curves (as in the paper's Fig. 3), and the importance of the parameters."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import numpy as np

from mdaug.reports.scan import HIGHEST_KCAL_MOL, LOWEST_KCAL_MOL
from mdaug.reports.style import BLUE, REFERENCE, new_figure, save

Curve = np.ndarray
"""The named columns of a scan.csv."""


def save_scans(curves: Sequence[tuple[str, Curve]], path: Path) -> None:
    """Draw the energies of all scans, colored in their order, and the first reference."""
    figure, axes = new_figure(width=8.0, height=4.8)
    colors = matplotlib.colormaps["viridis"](np.linspace(0.0, 0.92, len(curves)))
    for (label, curve), color in zip(curves, colors, strict=True):
        axes.plot(curve["distance_A"], curve["energy_kcal_mol"], color=color, label=label, linewidth=1.5)
    name = "reference_kcal_mol"
    referenced = next((curve for _, curve in curves if name in (curve.dtype.names or ())), None)
    if referenced is not None:
        style = {"color": REFERENCE, "linestyle": "--", "linewidth": 1.6}
        axes.plot(referenced["distance_A"], referenced[name], label="reference", **style)
    axes.axhline(0.0, color="0.5", linewidth=0.8)
    axes.set_ylim(LOWEST_KCAL_MOL, HIGHEST_KCAL_MOL)
    axes.set_xlabel("X-H distance (Å)")
    axes.set_ylabel("energy (kcal/mol)")
    axes.set_title("Smaller fragment moved rigidly along the bond")
    axes.legend(
        frameon=False, fontsize=8, ncols=1 + len(curves) // 14, loc="center left", bbox_to_anchor=(1, 0.5)
    )
    save(figure, path)


def save_importances(importances: Mapping[str, float], objective: str, path: Path) -> None:
    """Draw each parameter's share in the variance of the objective."""
    figure, axes = new_figure(width=6.4, height=1.2 + 0.4 * len(importances))
    names = list(importances)[::-1]
    axes.barh(names, [importances[name] for name in names], color=BLUE)
    axes.set_xlabel(f"share in the variance of the objective ({objective})")
    axes.set_xlim(0.0, 1.0)
    save(figure, path)
