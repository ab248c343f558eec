"""Figures of a trajectory's stability: bond deviations, h(r) and torsions against the training frames."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.stability import StabilityResult
from mdaug.geometry.bonds import bond_name
from mdaug.reports.style import BLUE, REFERENCE, VERMILION, new_axes, new_figure, save

TORSION_EDGES = np.linspace(-180.0, 180.0, 37)
"""Bins of the torsion histograms, degrees."""

MOST_TORSIONS = 6
"""More would not be readable in one figure; the JSON has them all."""


def plot_bond_deviation(result: StabilityResult, ax: Axes | None = None) -> Axes:
    """Draw the largest bond deviation of each frame, the tolerance and the time of failure."""
    ax = ax if ax is not None else new_axes()
    tolerance = result.tolerance_A
    deviation = np.where(np.isfinite(result.deviation_A), result.deviation_A, np.nan)
    ax.plot(result.times_ps, deviation, color=BLUE, linewidth=0.8)
    ax.axhline(tolerance, color=VERMILION, linestyle="--", linewidth=1.2, label=f"broken: {tolerance:g} Å")
    failed = result.time_to_failure_ps
    if failed is not None:
        ax.axvline(failed, color=VERMILION, label=f"{result.first_broken_bond} at {failed:.4g} ps")
    # what comes after the failure may be arbitrarily large
    ax.set_ylim(0.0, float(np.clip(1.1 * np.nanmax(deviation), 1.3 * tolerance, 4.0 * tolerance)))
    ax.set_xlabel("time (ps)")
    ax.set_ylabel("largest bond deviation (Å)")
    ax.legend(frameon=False, loc="upper left")
    return ax


def plot_distance_histogram(result: StabilityResult, ax: Axes | None = None) -> Axes:
    """Draw h(r) of the frames before failure and of the training frames."""
    ax = ax if ax is not None else new_axes()
    for sample, color, style, label in (
        (result.visited, BLUE, "-", "trajectory"),
        (result.expected, REFERENCE, "--", "training frames"),
    ):
        if sample is not None and sample.n_frames:
            centres = 0.5 * (sample.edges_A[1:] + sample.edges_A[:-1])
            ax.plot(centres, sample.density, color=color, linestyle=style, linewidth=1.3, label=label)
            first = int(np.flatnonzero(sample.density)[0])
            ax.set_xlim(centres[max(first - 4, 0)], centres[-1])
    error = result.distance_histogram_error
    ax.set_title("all pairs" if error is None else f"all pairs: ∫|Δh| dr = {error:.3f}")
    ax.set_xlabel("distance r (Å)")
    ax.set_ylabel("h(r) (1/Å)")
    ax.legend(frameon=False)
    return ax


def plot_torsion(result: StabilityResult, torsion: int, ax: Axes | None = None) -> Axes:
    """Draw the distribution of one rotatable torsion."""
    ax = ax if ax is not None else new_axes()
    for sample, color, style, label in (
        (result.visited, BLUE, "-", "trajectory"),
        (result.expected, REFERENCE, "--", "training frames"),
    ):
        if sample is not None and sample.n_frames:
            density, _ = np.histogram(sample.angles[:, torsion], bins=TORSION_EDGES, density=True)
            ax.stairs(100 * density, TORSION_EDGES, color=color, linestyle=style, linewidth=1.3, label=label)
    for edge in (-120.0, 0.0, 120.0):
        ax.axvline(edge, color="0.7", linewidth=0.8)
    top = ax.get_ylim()[1]
    ax.set_ylim(0.0, 1.15 * top)
    for middle, well in ((-150, "trans"), (-60, "gauche−"), (60, "gauche+"), (150, "trans")):
        ax.text(middle, 1.12 * top, well, ha="center", va="top", fontsize=9, color="0.3")
    ax.set_xlim(-180, 180)
    ax.set_xticks(range(-180, 181, 60))
    ax.set_title(f"torsion {bond_name(result.bonds.atomic_numbers, result.torsions[torsion])}")
    ax.set_xlabel("angle (degrees)")
    ax.set_ylabel("probability (% per degree)")
    return ax


def stability_figure(result: StabilityResult) -> Figure:
    """Return all panels that the result has data for."""
    has_samples = result.visited is not None
    n_torsions = min(len(result.torsions), MOST_TORSIONS) if has_samples else 0
    n_panels = 1 + has_samples + n_torsions
    n_columns = min(2, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = new_figure(n_rows, n_columns, width=5.2 * n_columns, height=3.6 * n_rows, squeeze=False)
    panels = list(axes.ravel())
    plot_bond_deviation(result, panels[0])
    if has_samples:
        plot_distance_histogram(result, panels[1])
    for torsion in range(n_torsions):
        plot_torsion(result, torsion, panels[2 + torsion])
    for unused in panels[n_panels:]:
        unused.set_axis_off()
    return figure


def save_stability_figure(result: StabilityResult, path: Path) -> None:
    """Write the figure of `stability_figure`."""
    save(stability_figure(result), path)
