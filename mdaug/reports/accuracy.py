"""Errors on frames: parity plots of energies and forces, and their table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ase.data import chemical_symbols
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mdaug.analysis.accuracy import AccuracyResult
from mdaug.reports.html import Table
from mdaug.reports.style import AUGMENTED, GRAY, element_color, new_axes, new_figure, save
from mdaug.units import KCAL_MOL_PER_EV


def plot_energy_parity(result: AccuracyResult, ax: Axes | None = None, *, color: str = AUGMENTED) -> Axes:
    """Draw predicted against true energies, both relative to the mean true energy.

    Parameters
    ----------
    result
        Predictions and true values.
    ax
        Axes to draw in; default: those of a new figure.
    color
        Color of the points, that of the model.
    """
    ax = ax if ax is not None else new_axes()
    origin = result.energies_eV.mean()
    true = (result.energies_eV - origin) * KCAL_MOL_PER_EV
    predicted = (result.predicted_energies_eV - origin) * KCAL_MOL_PER_EV
    ax.scatter(true, predicted, s=12, color=color, alpha=0.6, linewidths=0)
    errors = result.to_json()
    _finish(ax, "energy − mean (kcal/mol)", f"MAE {errors['energy_mae_kcal_mol']:.3g} kcal/mol")
    return ax


def plot_force_parity(result: AccuracyResult, ax: Axes | None = None) -> Axes:
    """Draw predicted against true force components, colored by element.

    Parameters
    ----------
    result
        Predictions and true values.
    ax
        Axes to draw in; default: those of a new figure.
    """
    ax = ax if ax is not None else new_axes()
    for element, error in result.force_mae_by_element_kcal_mol_A.items():
        of_element = result.atomic_numbers == chemical_symbols.index(element)
        true = result.forces_eV_A[:, of_element].ravel() * KCAL_MOL_PER_EV
        predicted = result.predicted_forces_eV_A[:, of_element].ravel() * KCAL_MOL_PER_EV
        style: dict[str, Any] = {"s": 5, "color": element_color(element), "alpha": 0.5, "linewidths": 0}
        ax.scatter(true, predicted, label=f"{element}: MAE {error:.3g}", **style)
    ax.legend(frameon=False, loc="lower right", markerscale=3)
    errors = result.to_json()
    _finish(ax, "force component (kcal/mol/Å)", f"MAE {errors['force_mae_kcal_mol_A']:.3g} kcal/mol/Å")
    return ax


def accuracy_figure(result: AccuracyResult, *, color: str = AUGMENTED) -> Figure:
    """Return energies and forces side by side; energies alone where the frames have no forces.

    Parameters
    ----------
    result
        Predictions and true values.
    color
        Color of the energies, that of the model.
    """
    if not result.has_forces:
        figure, energy = new_figure(1, 1, width=4.8, height=4.8)
        plot_energy_parity(result, energy, color=color)
        return figure
    figure, (energy, force) = new_figure(1, 2, width=9.6, height=4.8)
    plot_energy_parity(result, energy, color=color)
    plot_force_parity(result, force)
    return figure


def save_accuracy_figure(result: AccuracyResult, path: Path, *, color: str = AUGMENTED) -> None:
    """Write the figure of `accuracy_figure`.

    Parameters
    ----------
    result
        Predictions and true values.
    path
        PNG file to write.
    color
        Color of the energies, that of the model.
    """
    save(accuracy_figure(result, color=color), path)


def errors_table(results: Mapping[str, AccuracyResult]) -> Table:
    """Return a row of errors for each model.

    Parameters
    ----------
    results
        Name -> errors.
    """
    columns = {
        "energy MAE (kcal/mol)": "energy_mae_kcal_mol",
        "force MAE (kcal/mol/Å)": "force_mae_kcal_mol_A",
        "energy RMSE (kcal/mol)": "energy_rmse_kcal_mol",
        "force RMSE (kcal/mol/Å)": "force_rmse_kcal_mol_A",
        "frames": "n_frames",
    }
    entries = {name: result.to_json() for name, result in results.items()}
    if any("stress_mae_GPa" in entry for entry in entries.values()):
        columns["stress MAE (GPa)"] = "stress_mae_GPa"
    rows = [[name, *(entry.get(key) for key in columns.values())] for name, entry in entries.items()]
    return Table(["model", *columns], rows)


def _finish(ax: Axes, quantity: str, text: str) -> None:
    """Draw the diagonal and label the axes."""
    limits = np.array([*ax.get_xlim(), *ax.get_ylim()])
    low, high = limits.min(), limits.max()
    ax.plot([low, high], [low, high], color=GRAY, linewidth=0.8, zorder=0)
    ax.set_xlim(low, high)
    ax.set_ylim(low, high)
    ax.set_aspect("equal")
    ax.set_xlabel(f"true {quantity}")
    ax.set_ylabel(f"predicted {quantity}")
    ax.text(0.04, 0.96, text, transform=ax.transAxes, va="top")
