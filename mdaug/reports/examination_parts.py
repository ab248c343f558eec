"""Figures and tables of the parts of an examination, each from the entries "figures" of examination.json."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.reports.html import Picture, Table
from mdaug.reports.style import model_styles, new_figure, save

Figures = dict[str, Any]
Content = tuple[str, list[Picture], list[Table]]


def accuracy_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return text, histograms of the errors and their table.

    Parameters
    ----------
    folder
        Folder for accuracy.png.
    figures
        Label -> figures of the part.
    """
    text = (
        "Errors against frames that were not trained on. Energies are centered: the mean error is removed, "
        "as levels of theory have zeros of their own."
    )
    if not figures:
        return text, [], []
    rows = []
    for label, numbers in figures.items():
        errors = numbers["centered"]
        keys = ("energy_mae", "energy_rmse"), ("force_mae", "force_rmse")
        energies = [errors[f"{key}_kcal_mol"] for key in keys[0]]
        forces = [errors[f"{key}_kcal_mol_A"] for key in keys[1]]
        offset = numbers["as_they_are"]["energy_mean_error_kcal_mol"]
        rows.append([label, numbers["data"], errors["n_frames"], *energies, offset, *forces])
    columns = ["", "frames", "number", "energy MAE", "RMSE", "removed mean", "force MAE", "RMSE"]
    table = Table(columns, rows, "Errors, kcal/mol and kcal/mol/Å")
    figure, (left, right) = new_figure(1, 2, width=10.5, height=3.8)
    for label, style in model_styles(figures).items():
        numbers = figures[label]
        for ax, key in ((left, "energy_errors_kcal_mol"), (right, "force_errors_kcal_mol_A")):
            errors = np.sort(np.abs(numbers[key]))
            if len(errors):
                ax.plot(np.maximum(errors, 1e-6), np.linspace(0, 100, len(errors)), label=label, **style)
    for ax, name in ((left, "energy error (kcal/mol)"), (right, "force error (kcal/mol/Å)")):
        ax.set_xscale("log")
        ax.set_xlabel(f"absolute {name}")
        ax.set_ylabel("% of the errors below")
    left.legend(frameon=False)
    picture = Picture(save(figure, folder / "accuracy.png"), "Distribution of the errors.", wide=True)
    return text, [picture], [table]


def symmetry_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return text and the table of the largest changes.

    Parameters
    ----------
    folder
        Not used: the part has no picture.
    figures
        Label -> figures of the part.
    """
    del folder
    text = (
        "Energy and forces of randomly displaced structures must not change when the system is moved or "
        "rotated as a whole, or when two atoms of one element that are bonded to the same atom are exchanged."
    )
    rows = [
        [label, name, len(pairs), *(max(values) for values in zip(*pairs, strict=True))]
        for label, numbers in figures.items()
        for name, pairs in numbers.items()
        if pairs
    ]
    caption = "Largest change of energy (kcal/mol) and of forces (kcal/mol/Å)"
    return text, [], [Table(["", "motion", "comparisons", "energy", "forces"], rows, caption)]


def gradient_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return text and the table of the differences.

    Parameters
    ----------
    folder
        Not used: the part has no picture.
    figures
        Label -> figures of the part.
    """
    del folder
    text = (
        "Forces against central differences of the energy along random directions of all coordinates, and "
        "for a cell the stress against those along random strains."
    )
    names = {
        "force_minus_gradient_kcal_mol_A": "force (kcal/mol/Å)",
        "stress_minus_slope_eV_A3": "stress (eV/Å³)",
    }
    rows = [
        [label, name, len(numbers[key]), float(np.mean(numbers[key])), max(numbers[key])]
        for label, numbers in figures.items()
        for key, name in names.items()
        if numbers.get(key)
    ]
    columns = ["", "quantity", "directions", "mean difference", "largest"]
    return text, [], [Table(columns, rows)]


def conservation_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return text, energies against time, the law of the time step, and the table of drifts.

    Parameters
    ----------
    folder
        Folder for conservation.png.
    figures
        Label -> figures of the part.
    """
    text = (
        "Runs at constant energy from the minimum, at two time steps. The drift is that of the energy which "
        "velocity Verlet conserves; the fluctuation of the total energy grows as the time step squared if "
        "forces are the gradient of a smooth energy."
    )
    if not figures:
        return text, [], []
    rows = []
    figure, (left, right) = new_figure(1, 2, width=10.5, height=3.8)
    for label, style in model_styles(figures).items():
        runs = figures[label]["runs"]
        left.plot(
            runs[0]["time_ps"], runs[0]["energy_meV_per_atom"], label=label, **style | {"linewidth": 0.8}
        )
        timesteps = [run["timestep_fs"] for run in runs]
        right.loglog(
            timesteps, [run["rms_fluctuation_meV_per_atom"] for run in runs], "o-", label=label, **style
        )
        scaling = figures[label]["timestep_scaling"] or {}
        for run in runs:
            low, high = run["slope_ci95_meV_per_atom_ps"]
            keys = ("timestep_fs", "duration_ps", "slope_meV_per_atom_ps")
            interval = f"{low:.2g} to {high:.2g}".replace("-", "−")
            row = [label, *(run[key] for key in keys), interval, run["rms_fluctuation_meV_per_atom"]]
            rows.append([*row, scaling.get("exponent")])
    left.set_xlabel("time (ps)")
    left.set_ylabel("total energy (meV/atom)")
    left.legend(frameon=False)
    right.set_xlabel("time step (fs)")
    right.set_ylabel("rms fluctuation, first ps (meV/atom)")
    columns = ["", "time step, fs", "length, ps", "drift", "95 % interval", "fluctuation", "exponent"]
    table = Table(columns, rows, "Drift (meV/atom/ps), rms fluctuation (meV/atom), exponent of the time step")
    picture = Picture(
        save(figure, folder / "conservation.png"), "Energies at the longer time step.", wide=True
    )
    return text, [picture], [table]


PART_SECTIONS: dict[str, Callable[[Path, dict[str, Figures]], Content]] = {
    "accuracy": accuracy_content,
    "symmetry": symmetry_content,
    "gradient": gradient_content,
    "conservation": conservation_content,
}
"""Part -> function that returns text, pictures and tables."""
