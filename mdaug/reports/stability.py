"""Stability of trajectories: figures, the structure at a failure, and the page."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mdaug.analysis.stability_result import StabilityResult
from mdaug.analysis.survival import SurvivalResult
from mdaug.geometry.bonds import bond_name
from mdaug.reports.html import Opening, Picture, Section, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.molecule import MoleculeView, draw_molecule
from mdaug.reports.style import AUGMENTED, LIMIT, REFERENCE, model_styles, new_axes, new_figure, save

TORSION_EDGES = np.linspace(-180.0, 180.0, 37)
"""Bins of the torsion histograms, degrees."""

MOST_TORSIONS = 6
"""Largest number of torsions in a figure; more would not be readable. The JSON file has all."""


def plot_bond_deviation(result: StabilityResult, ax: Axes | None = None, *, color: str = AUGMENTED) -> Axes:
    """Draw the largest bond deviation of each frame, the tolerance and the time of failure.

    Parameters
    ----------
    result
        From `stability`.
    ax
        Axes to draw in; default: those of a new figure.
    color
        Color of the trajectory, that of its model.
    """
    ax = ax if ax is not None else new_axes()
    tolerance = result.tolerance_A
    deviation = np.where(np.isfinite(result.deviation_A), result.deviation_A, np.nan)
    ax.plot(result.times_ps, deviation, color=color, linewidth=0.8, label="trajectory")
    ax.axhline(tolerance, color=LIMIT, linestyle="--", linewidth=1.4, label=f"broken: {tolerance:g} Å")
    failed = result.time_to_failure_ps
    if failed is not None:
        ax.axvline(failed, color=LIMIT, label=f"{result.first_broken_bond} at {failed:.4g} ps")
    # deviations after the failure may be arbitrarily large
    ax.set_ylim(0.0, float(np.clip(1.1 * np.nanmax(deviation), 1.3 * tolerance, 4.0 * tolerance)))
    ax.set_xlabel("time (ps)")
    ax.set_ylabel("largest bond deviation (Å)")
    ax.legend(frameon=False, loc="upper left")
    return ax


def plot_distance_histogram(
    result: StabilityResult, ax: Axes | None = None, *, color: str = AUGMENTED
) -> Axes:
    """Draw h(r) of the frames before failure and of the training frames.

    Parameters
    ----------
    result
        From `stability`.
    ax
        Axes to draw in; default: those of a new figure.
    color
        Color of the trajectory, that of its model.
    """
    ax = ax if ax is not None else new_axes()
    for sample, line_color, style, label in (
        (result.visited, color, "-", "trajectory"),
        (result.expected, REFERENCE, "--", "training frames"),
    ):
        if sample is not None and sample.n_frames:
            centers = 0.5 * (sample.edges_A[1:] + sample.edges_A[:-1])
            ax.plot(centers, sample.density, color=line_color, linestyle=style, linewidth=1.6, label=label)
            first = int(np.flatnonzero(sample.density)[0])
            ax.set_xlim(centers[max(first - 4, 0)], centers[-1])
    error = result.distance_histogram_error
    ax.set_title("all pairs" if error is None else f"all pairs: ∫|Δh| dr = {error:.3f}")
    ax.set_xlabel("distance r (Å)")
    ax.set_ylabel("h(r) (1/Å)")
    ax.legend(frameon=False)
    return ax


def plot_torsion(
    result: StabilityResult, torsion: int, ax: Axes | None = None, *, color: str = AUGMENTED
) -> Axes:
    """Draw the distribution of one rotatable torsion.

    Parameters
    ----------
    result
        From `stability`.
    torsion
        Index among ``result.torsions``.
    ax
        Axes to draw in; default: those of a new figure.
    color
        Color of the trajectory, that of its model.
    """
    ax = ax if ax is not None else new_axes()
    for sample, line_color, style, label in (
        (result.visited, color, "-", "trajectory"),
        (result.expected, REFERENCE, "--", "training frames"),
    ):
        if sample is not None and sample.n_frames:
            density, _ = np.histogram(sample.angles[:, torsion], bins=TORSION_EDGES, density=True)
            ax.stairs(
                100 * density, TORSION_EDGES, color=line_color, linestyle=style, linewidth=1.6, label=label
            )
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


def stability_figure(result: StabilityResult, *, color: str = AUGMENTED) -> Figure:
    """Return all panels that the result has data for.

    Parameters
    ----------
    result
        From `stability`.
    color
        Color of the trajectory, that of its model.
    """
    has_samples = result.visited is not None
    n_torsions = min(len(result.torsions), MOST_TORSIONS) if has_samples else 0
    n_panels = 1 + has_samples + n_torsions
    n_columns = min(2, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = new_figure(n_rows, n_columns, width=5.2 * n_columns, height=3.6 * n_rows, squeeze=False)
    panels = list(axes.ravel())
    plot_bond_deviation(result, panels[0], color=color)
    if has_samples:
        plot_distance_histogram(result, panels[1], color=color)
    for torsion in range(n_torsions):
        plot_torsion(result, torsion, panels[2 + torsion], color=color)
    for unused in panels[n_panels:]:
        unused.set_axis_off()
    return figure


def save_stability_figure(result: StabilityResult, path: Path, *, color: str = AUGMENTED) -> None:
    """Write the figure of `stability_figure`.

    Parameters
    ----------
    result
        From `stability`.
    path
        PNG file to write.
    color
        Color of the trajectory, that of its model.
    """
    save(stability_figure(result, color=color), path)


def plot_survival(results: Mapping[str, SurvivalResult], ax: Axes | None = None) -> Axes:
    """Draw the number of runs alive over time, one line for each model.

    Parameters
    ----------
    results
        Name of a model -> its runs.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    for (name, result), style in zip(results.items(), model_styles(results).values(), strict=True):
        ends = np.sort([life.lived_ps for life in result.lives if life.failure is not None])
        alive = len(result.lives) - np.arange(len(ends) + 1)
        times = np.concatenate([[0.0], ends, [result.duration_ps]])
        label = f"{name}: {result.n_survived} of {len(result.lives)}"
        ax.step(times, [*alive, alive[-1]], where="post", label=label, **style)
        ax.plot(ends, alive[1:], "x", color=style["color"], zorder=4)
    one = next(iter(results.values()))
    ax.set_ylim(0.0, 1.08 * len(one.lives))
    ax.set_xlim(0.0, one.duration_ps)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("time (ps)")
    ax.set_ylabel(f"runs alive at {one.temperature_K:g} K")
    ax.legend(loc="best")
    return ax


def failure_section(folder: Path, view: MoleculeView | None, name: str = "") -> list[Section]:
    """Return the section with the structure at the moment of a failure, or none.

    Parameters
    ----------
    folder
        Folder for failure.png.
    view
        The last structures of the run, None if it did not fail.
    name
        Name of the model, for the heading.
    """
    if view is None:
        return []
    figure = save(
        draw_molecule(view.frames[-1], bonds=view.bonds, marked=view.marked), folder / "failure.png"
    )
    title = f"Structure at the failure ({name})" if name else "Structure at the failure"
    text = "The frame at the failure, and in 3D the frames before it (slider)."
    return [Section(title, text, [Picture(figure, view.caption)], views=[view])]


def write_stability_report(
    folder: Path, result: StabilityResult, structure: Atoms, view: MoleculeView | None
) -> Path:
    """Write stability.png, molecule.png and report.html, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the command.
    result
        From `stability`.
    structure
        The first frame of the trajectory.
    view
        The last structures before a bond broke, None if none did.
    """
    save_stability_figure(result, folder / "stability.png")
    bonds = [
        {"atoms": [int(i), int(j)], "mean_A": float(mean), "std_A": None}
        for (i, j), mean in zip(result.bonds.bonds, result.bonds.mean_A, strict=True)
    ]
    text = (
        f"A bond is broken when it is farther than {result.tolerance_A:g} Å from "
        f"{result.bonds.expected_lengths}."
    )
    if result.visited is not None:
        text += " Distances h(r) and torsions are those of the frames before a failure."
    sections = [
        Section("Trajectory", text, [Picture(folder / "stability.png", wide=True)]),
        *failure_section(folder, view),
        molecule_section(
            folder,
            structure,
            bonds,
            what="The first frame of the trajectory",
            source=result.bonds.source,
        ),
    ]
    return write_page(folder / "report.html", "Stability", sections, opening=Opening(result.verdicts))
