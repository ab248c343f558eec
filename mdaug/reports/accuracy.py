"""Parity plots: predicted against true energies and forces."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.reports.html import Table
from mdaug.reports.style import BLUE, COLORS, new_axes, new_figure, save
from mdaug.units import KCAL_MOL_PER_EV


def plot_energy_parity(result: AccuracyResult, ax: Axes | None = None) -> Axes:
    """Draw predicted against true energies, both relative to the mean true energy."""
    ax = ax if ax is not None else new_axes()
    origin = result.energies_eV.mean()
    true = (result.energies_eV - origin) * KCAL_MOL_PER_EV
    predicted = (result.predicted_energies_eV - origin) * KCAL_MOL_PER_EV
    ax.scatter(true, predicted, s=12, color=BLUE, alpha=0.6, linewidths=0)
    errors = result.to_json()
    _finish(ax, "energy − mean (kcal/mol)", f"MAE {errors['energy_mae_kcal_mol']:.3g} kcal/mol")
    return ax


def plot_force_parity(result: AccuracyResult, ax: Axes | None = None) -> Axes:
    """Draw predicted against true force components, coloured by element."""
    ax = ax if ax is not None else new_axes()
    by_element = result.force_mae_by_element_kcal_mol_A
    for color, (element, error) in zip(_cycle(len(by_element)), by_element.items(), strict=True):
        of_element = result.atomic_numbers == chemical_symbols.index(element)
        true = result.forces_eV_A[:, of_element].ravel() * KCAL_MOL_PER_EV
        predicted = result.predicted_forces_eV_A[:, of_element].ravel() * KCAL_MOL_PER_EV
        ax.scatter(
            true, predicted, s=5, color=color, alpha=0.4, linewidths=0, label=f"{element}: MAE {error:.3g}"
        )
    ax.legend(frameon=False, loc="lower right", markerscale=3)
    errors = result.to_json()
    _finish(ax, "force component (kcal/mol/Å)", f"MAE {errors['force_mae_kcal_mol_A']:.3g} kcal/mol/Å")
    return ax


def accuracy_figure(result: AccuracyResult) -> Figure:
    """Return energies and forces side by side."""
    figure, (energy, force) = new_figure(1, 2, width=9.6, height=4.8)
    plot_energy_parity(result, energy)
    plot_force_parity(result, force)
    return figure


def save_accuracy_figure(result: AccuracyResult, path: Path) -> None:
    """Write the figure of `accuracy_figure`."""
    save(accuracy_figure(result), path)


def _finish(ax: Axes, quantity: str, text: str) -> None:
    limits = np.array([*ax.get_xlim(), *ax.get_ylim()])
    low, high = limits.min(), limits.max()
    ax.plot([low, high], [low, high], color="0.4", linewidth=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    ax.set_xlabel(f"true {quantity}")
    ax.set_ylabel(f"predicted {quantity}")
    ax.text(0.04, 0.96, text, transform=ax.transAxes, va="top")


def _cycle(n: int) -> list[str]:
    return [COLORS[k % len(COLORS)] for k in range(n)]


def errors_table(results: Mapping[str, AccuracyResult]) -> Table:
    """Return a row of errors for each named model."""
    columns = [
        "model",
        "energy MAE (kcal/mol)",
        "force MAE (kcal/mol/Å)",
        "energy RMSE (kcal/mol)",
        "force RMSE (kcal/mol/Å)",
        "frames",
    ]
    keys = (
        "energy_mae_kcal_mol",
        "force_mae_kcal_mol_A",
        "energy_rmse_kcal_mol",
        "force_rmse_kcal_mol_A",
        "n_frames",
    )
    entries = {name: result.to_json() for name, result in results.items()}
    return Table(columns, [[name, *(entry[key] for key in keys)] for name, entry in entries.items()])
