"""Bond scans of one or several models: figure of energy and force, section and page."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_verdicts
from mdaug.reports.html import Opening, Picture, Section, write_page
from mdaug.reports.model import molecule_section
from mdaug.reports.style import REFERENCE, model_styles, new_axes, new_figure, save
from mdaug.verdicts import Verdict

HIGHEST_KCAL_MOL, LOWEST_KCAL_MOL = 200.0, -100.0
"""Limits of the energy axis; without them the walls would dominate the figure."""

LARGEST_FORCE_KCAL_MOL_A = 400.0


def plot_scan_energy(scans: Sequence[ScanResult], ax: Axes | None = None) -> Axes:
    """Draw energy against distance, the reference dashed (of the first model that has one).

    Parameters
    ----------
    scans
        Scans of the same bond, one for each model.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    _shade_training_range(scans, ax)
    styles = model_styles(scan.label for scan in scans)
    for scan in scans:
        ax.plot(scan.distances_A, scan.energy_kcal_mol, label=scan.label, **styles[scan.label])
    referenced = next((scan for scan in scans if scan.reference_kcal_mol is not None), None)
    if referenced is not None and referenced.reference_kcal_mol is not None:
        ax.plot(
            referenced.distances_A,
            referenced.reference_kcal_mol,
            color=REFERENCE,
            linestyle="--",
            linewidth=1.6,
            zorder=4,
            label=referenced.reference_label,
        )
    ax.set_ylim(*_energy_limits(scans))
    ax.set_ylabel("energy (kcal/mol)")
    _finish(scans, ax)
    return ax


def plot_scan_force(scans: Sequence[ScanResult], ax: Axes | None = None) -> Axes:
    """Draw the force along the bond, −dE/dd, against distance.

    Parameters
    ----------
    scans
        Scans of the same bond, one for each model.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    _shade_training_range(scans, ax)
    styles = model_styles(scan.label for scan in scans)
    for scan in scans:
        force = scan.force_along_bond_kcal_mol_A
        ax.plot(scan.distances_A, force, label=scan.label, **styles[scan.label])
    forces = np.concatenate([scan.force_along_bond_kcal_mol_A for scan in scans])
    top = min(LARGEST_FORCE_KCAL_MOL_A, 1.05 * float(forces.max()))
    ax.set_ylim(max(-LARGEST_FORCE_KCAL_MOL_A, 1.15 * float(forces.min()) - 10.0), top)
    ax.set_ylabel("force along the bond (kcal/mol/Å)\npositive pushes apart")
    _finish(scans, ax)
    return ax


def scan_figure(scans: Sequence[ScanResult]) -> Figure:
    """Return energy and force side by side.

    Parameters
    ----------
    scans
        Scans of the same bond, one for each model.
    """
    figure, (energy, force) = new_figure(1, 2, width=10.5, height=4.2)
    plot_scan_energy(scans, energy)
    plot_scan_force(scans, force)
    force.get_legend().remove()
    figure.suptitle(f"{scans[0].name}: smaller fragment moved rigidly along the bond")
    return figure


def save_scan_figure(scans: Sequence[ScanResult], path: Path) -> None:
    """Write the figure of `scan_figure`.

    Parameters
    ----------
    scans
        Scans of the same bond, one for each model.
    path
        PNG file to write.
    """
    save(scan_figure(scans), path)


def scan_section(folder: Path, scans: Sequence[ScanResult]) -> list[Section]:
    """Return the section of a bond scan with its figure, or none without a scan.

    Parameters
    ----------
    folder
        Folder for scan.png.
    scans
        Scans of the same bond, one for each model.
    """
    if not scans:
        return []
    save_scan_figure(scans, folder / "scan.png")
    text = (
        f"Energy and force while {scans[0].name} is compressed and stretched; the smaller fragment moves "
        "rigidly along the bond. Gray: distances that the training frames contain; outside them the model "
        "extrapolates."
    )
    if scans[0].reference_label:
        text += f" Dashed: {scans[0].reference_label}."
    return [Section("Bond scan", text, [Picture(folder / "scan.png", wide=True)])]


def write_scan_report(
    folder: Path, scans: Sequence[ScanResult], start: Atoms, bonds: list[dict[str, Any]]
) -> Path:
    """Write scan.png, molecule.png and report.html of a scan, and return the page's path.

    Parameters
    ----------
    folder
        Run folder of the scan.
    scans
        Scans of the same bond, one for each model.
    start
        Start geometry of the first scan.
    bonds
        Entry ``"bonds"`` of the first model's manifest.
    """
    bond = scans[0].bond
    molecule = molecule_section(folder, start, bonds, marked=bond, what="The start geometry of the scan")
    sections = [*scan_section(folder, scans), molecule]
    opening = Opening(labeled_verdicts(scans))
    return write_page(folder / "report.html", f"Scan of {scans[0].name}", sections, opening=opening)


def labeled_verdicts(scans: Sequence[ScanResult]) -> list[Verdict]:
    """Return the verdicts of all scans, named by the model where there are several.

    Parameters
    ----------
    scans
        Scans of the same bond, one for each model.
    """
    verdicts = [(scan.label, verdict) for scan in scans for verdict in scan_verdicts(scan)]
    if len(scans) == 1:
        return [verdict for _, verdict in verdicts]
    return [replace(verdict, name=f"{label}: {verdict.name}") for label, verdict in verdicts]


def _energy_limits(scans: Sequence[ScanResult]) -> tuple[float, float]:
    curves = [scan.energy_kcal_mol for scan in scans]
    curves += [scan.reference_kcal_mol for scan in scans if scan.reference_kcal_mol is not None]
    energies = np.concatenate(curves)
    lowest, highest = float(np.nanmin(energies)), float(np.nanmax(energies))
    return max(LOWEST_KCAL_MOL, 1.1 * lowest - 8.0), min(HIGHEST_KCAL_MOL, 1.05 * highest + 5.0)


def _shade_training_range(scans: Sequence[ScanResult], ax: Axes) -> None:
    limits = next((scan.training_range_A for scan in scans if scan.training_range_A is not None), None)
    if limits is not None:
        ax.axvspan(*limits, color="0.9", linewidth=0, zorder=0, label="range of the training frames")


def _finish(scans: Sequence[ScanResult], ax: Axes) -> None:
    ax.axhline(0.0, color="0.5", linewidth=0.8)
    ax.set_xlim(scans[0].distances_A[0], scans[0].distances_A[-1])
    ax.set_xlabel(f"{scans[0].name} distance (Å)")
    ax.legend(frameon=False)
