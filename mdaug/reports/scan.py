"""Figures of bond scans: energy and force of one or several models (the paper's Fig. 1 and 3)."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.scan import ScanResult
from mdaug.reports.style import AUGMENTED, RAW, REFERENCE, new_axes, new_figure, save

HIGHEST_KCAL_MOL, LOWEST_KCAL_MOL = 200.0, -100.0
"""Energies beyond these are cut off, or the walls would hide everything else."""

LARGEST_FORCE_KCAL_MOL_A = 400.0

_COLOR_OF_LABEL = {"raw": RAW, "augmented": AUGMENTED}


def plot_scan_energy(scans: Sequence[ScanResult], ax: Axes | None = None) -> Axes:
    """Draw energy against distance, the reference dashed (of the first model that has one)."""
    ax = ax if ax is not None else new_axes()
    _shade_training_range(scans, ax)
    for scan in scans:
        color = _COLOR_OF_LABEL.get(scan.label)
        ax.plot(scan.distances_A, scan.energy_kcal_mol, label=scan.label, color=color, linewidth=1.8)
    referenced = next((scan for scan in scans if scan.reference_kcal_mol is not None), None)
    if referenced is not None and referenced.reference_kcal_mol is not None:
        ax.plot(
            referenced.distances_A,
            referenced.reference_kcal_mol,
            color=REFERENCE,
            linestyle="--",
            linewidth=1.4,
            label=referenced.reference_label,
        )
    ax.set_ylim(*_energy_limits(scans))
    ax.set_ylabel("energy (kcal/mol)")
    _finish(scans, ax)
    return ax


def plot_scan_force(scans: Sequence[ScanResult], ax: Axes | None = None) -> Axes:
    """Draw −dE/dd against distance."""
    ax = ax if ax is not None else new_axes()
    _shade_training_range(scans, ax)
    for scan in scans:
        color, force = _COLOR_OF_LABEL.get(scan.label), scan.force_along_bond_kcal_mol_A
        ax.plot(scan.distances_A, force, label=scan.label, color=color, linewidth=1.8)
    forces = np.concatenate([scan.force_along_bond_kcal_mol_A for scan in scans])
    top = min(LARGEST_FORCE_KCAL_MOL_A, 1.05 * float(forces.max()))
    ax.set_ylim(max(-LARGEST_FORCE_KCAL_MOL_A, 1.15 * float(forces.min()) - 10.0), top)
    ax.set_ylabel("force along the bond (kcal/mol/Å)\npositive pushes apart")
    _finish(scans, ax)
    return ax


def scan_figure(scans: Sequence[ScanResult]) -> Figure:
    """Return energy and force side by side."""
    figure, (energy, force) = new_figure(1, 2, width=10.5, height=4.2)
    plot_scan_energy(scans, energy)
    plot_scan_force(scans, force)
    force.get_legend().remove()
    figure.suptitle(f"{scans[0].name}: smaller fragment moved rigidly along the bond")
    return figure


def save_scan_figure(scans: Sequence[ScanResult], path: Path) -> None:
    """Write the figure of `scan_figure`."""
    save(scan_figure(scans), path)


def _energy_limits(scans: Sequence[ScanResult]) -> tuple[float, float]:
    curves = [scan.energy_kcal_mol for scan in scans]
    curves += [scan.reference_kcal_mol for scan in scans if scan.reference_kcal_mol is not None]
    energies = np.concatenate(curves)
    lowest, highest = float(np.nanmin(energies)), float(np.nanmax(energies))
    return max(LOWEST_KCAL_MOL, 1.1 * lowest - 8.0), min(HIGHEST_KCAL_MOL, 1.05 * highest + 5.0)


def _shade_training_range(scans: Sequence[ScanResult], ax: Axes) -> None:
    known = next((scan.training_range_A for scan in scans if scan.training_range_A is not None), None)
    if known is not None:
        ax.axvspan(*known, color="0.9", linewidth=0, zorder=0, label="training frames")


def _finish(scans: Sequence[ScanResult], ax: Axes) -> None:
    ax.axhline(0.0, color="0.5", linewidth=0.8)
    ax.set_xlim(scans[0].distances_A[0], scans[0].distances_A[-1])
    ax.set_xlabel(f"{scans[0].name} distance (Å)")
    ax.legend(frameon=False)
