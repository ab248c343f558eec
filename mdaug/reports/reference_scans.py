"""Figure of ab-initio scans: every curve with restricted and unrestricted energies, and grids of two
coordinates."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.quantum.scans import ScanEnergies
from mdaug.reports.style import GRAY, PURPLE, REFERENCE, SKY, new_axes, new_figure, save

HIGHEST_KCAL_MOL = 250.0
N_COLUMNS = 4


def plot_reference_scan(scan: ScanEnergies, ax: Axes | None = None) -> Axes:
    """Draw one scan; where a bond breaks, with its restricted and unrestricted energies. A grid is drawn as
    contours."""
    ax = ax if ax is not None else new_axes()
    names = [motion.name(scan.scan.points[0].numbers) for motion in scan.scan.motions]
    labels = [
        f"{name} ({'Å' if motion.is_distance else '°'})"
        for name, motion in zip(names, scan.scan.motions, strict=True)
    ]
    if len(names) == 2:
        _draw_grid(scan, ax)
        ax.set_ylabel(labels[0])
        ax.set_xlabel(labels[1])
        return ax
    values = scan.scan.values[:, 0]
    breaking = np.isfinite(scan.unrestricted_kcal_mol)
    ax.plot(values, scan.energy_kcal_mol, color=REFERENCE, marker=".", markersize=4, label="energy")
    if breaking.any():
        for energies, color, label in (
            (scan.restricted_kcal_mol, SKY, "restricted"),
            (scan.unrestricted_kcal_mol, PURPLE, "unrestricted"),
        ):
            ax.plot(values, np.where(breaking, energies, np.nan), color=color, linestyle=":", label=label)
        ax.plot(values[breaking], 100 * scan.spin_square[breaking], color=GRAY, label="100 ⟨S²⟩")
        ax.legend(frameon=False, fontsize=8)
    finite = scan.energy_kcal_mol[np.isfinite(scan.energy_kcal_mol)]
    if len(finite):
        top = min(HIGHEST_KCAL_MOL, float(finite.max()))
        ax.set_ylim(min(0.0, float(finite.min())) - 0.04 * top, 1.08 * top + 0.1)
    ax.set_xlabel(labels[0])
    return ax


def reference_figure(scans: Sequence[ScanEnergies]) -> Figure:
    """Return a figure with one panel for each scan."""
    n_columns = min(N_COLUMNS, len(scans))
    n_rows = -(-len(scans) // n_columns)
    figure, axes = new_figure(n_rows, n_columns, width=3.4 * n_columns, height=2.9 * n_rows, squeeze=False)
    for scan, ax in zip(scans, axes.flat, strict=False):
        plot_reference_scan(scan, ax)
    for ax in axes.flat[len(scans) :]:
        ax.set_axis_off()
    figure.supylabel("energy (kcal/mol)")
    return figure


def save_reference_figure(scans: Sequence[ScanEnergies], path: Path) -> None:
    """Write the figure of `reference_figure`."""
    save(reference_figure(scans), path)


def _draw_grid(scan: ScanEnergies, ax: Axes) -> None:
    first, second = (np.unique(column) for column in scan.scan.values.T)
    energies = scan.energy_kcal_mol.reshape(len(first), len(second))
    levels = np.arange(0, HIGHEST_KCAL_MOL + 1, 25)
    if np.isfinite(energies).sum() > 3:
        drawn = ax.contourf(
            second, first, np.ma.masked_invalid(energies), levels, cmap="viridis", extend="both"
        )
        ax.figure.colorbar(drawn, ax=ax, label="energy (kcal/mol)")
