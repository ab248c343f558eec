"""Figures of label errors: against the size of the displacement and against the change of energy."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from mdaug.analysis.label_errors import LabelCell, LabelStudy
from mdaug.reports.style import GRAY, REFERENCE, model_styles, new_axes, new_figure, save

MARKERS = ("o", "s", "^", "v") * 3


def plot_errors_by_displacement(study: LabelStudy, ax: Axes | None = None) -> Axes:
    """Draw the rms error of ΔE against ε for every rule, a line style for each number of atoms displaced."""
    ax = ax if ax is not None else new_axes()
    for style, n in zip(("-", "--", ":", "-."), _counts(study), strict=False):
        cells = [cell for cell in study.cells if cell.kind == "displacement" and cell.n_displaced == n]
        epsilon = np.array([cell.epsilon_A for cell in cells], dtype=float)
        true = [cell.rms_true_kcal_mol for cell in cells]
        ax.plot(epsilon, true, style, color=GRAY, alpha=0.5, linewidth=4, label=f"true ΔE, {n} displaced")
        for marker, (rule, look) in zip(MARKERS, model_styles(study.rules).items(), strict=False):
            rms, label = [_rms(cell, rule) for cell in cells], f"{rule}, {n} displaced"
            ax.plot(epsilon, rms, linestyle=style, marker=marker, label=label, **look)
        if not study.exact:
            floor = [cell.floor_kcal_mol for cell in cells]
            ax.plot(epsilon, floor, style, color=REFERENCE, linewidth=1, label=f"floor, {n} displaced")
        ax.set(xscale="log", yscale="log")
        ax.set_xticks(epsilon, [f"{value:g}" for value in epsilon])
        ax.minorticks_off()
    ax.set(xlabel="longest displacement ε (Å)", ylabel="rms error of ΔE (kcal/mol)")
    ax.legend(fontsize=7, loc="lower right")
    return ax


def plot_errors_by_size(study: LabelStudy, ax: Axes | None = None) -> Axes:
    """Draw the rms error of ΔE against the true |ΔE|, all displacements together."""
    ax = ax if ax is not None else new_axes()
    rows_of_rule = study.by_size()
    for marker, (rule, look) in zip(MARKERS, model_styles(rows_of_rule).items(), strict=False):
        rows = rows_of_rule[rule]
        # the lowest bin begins at zero, which a logarithmic axis cannot show
        centers = [np.sqrt(max(row["from_kcal_mol"], 0.1) * row["to_kcal_mol"]) for row in rows]
        ax.plot(centers, [row["rms_kcal_mol"] for row in rows], marker=marker, label=rule, **look)
    limits = np.array(ax.get_xlim())
    ax.plot(limits, limits, color=REFERENCE, linewidth=1, linestyle=":", label="as large as ΔE")
    ax.set(xscale="log", yscale="log", xlabel="true |ΔE| (kcal/mol)", ylabel="rms error of ΔE (kcal/mol)")
    ax.legend(fontsize=8)
    return ax


def save_labels_figure(study: LabelStudy, path: Path) -> None:
    """Write both panels side by side."""
    figure, (left, right) = new_figure(1, 2, width=11.5, height=4.8)
    plot_errors_by_displacement(study, left)
    plot_errors_by_size(study, right)
    slope = "" if study.exact else " with the data's own slope"
    figure.suptitle(f"labels of displaced frames of {study.data} against {study.truth}{slope}")
    save(figure, path)


def _counts(study: LabelStudy) -> list[int]:
    return sorted({cell.n_displaced for cell in study.cells if cell.n_displaced is not None})


def _rms(cell: LabelCell, rule: str) -> float:
    return cell.rules[rule].rms
