"""Figures and tables of the parts of an examination, each from the entries "figures" of examination.json."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mdaug.reports.html import Cell, Picture, Table
from mdaug.reports.style import LIMIT, REFERENCE, model_styles, new_figure, save

MOST_PANELS = 16
"""Largest number of curves in one picture."""

HIGHEST_KCAL_MOL = 200.0
"""Upper end of the energy axes; without it the walls would dominate the figure."""

Figures = dict[str, Any]
Content = tuple[list[Picture], list[Table]]


def accuracy_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the distributions of the errors and their table.

    Parameters
    ----------
    folder
        Folder for accuracy.png.
    figures
        Label -> figures of the part.
    """
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
    return [picture], [table]


def conservation_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return energies against time, the law of the time step, and the table of drifts.

    Parameters
    ----------
    folder
        Folder for conservation.png.
    figures
        Label -> figures of the part.
    """
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
    return [picture], [table]


def minimum_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the table of the minima and a figure of the frequencies.

    Parameters
    ----------
    folder
        Folder for frequencies.png.
    figures
        Label -> figures of the part.
    """
    figure, ax = new_figure(height=0.6 + 0.5 * len(figures), width=9.0)
    rows: list[list[Cell]] = []
    for k, (label, style) in enumerate(model_styles(figures).items()):
        frequencies = figures[label]["frequencies_cm1"]
        ax.plot(frequencies, np.full(len(frequencies), -k), "|", color=style["color"], markersize=16)
        keys = ("n_steps", "max_force_eV_A", "n_imaginary", "zero_point_energy_kcal_mol")
        extremes = (min(frequencies), max(frequencies)) if frequencies else (None, None)
        rows.append([label, *(figures[label][key] for key in keys), *extremes])
    ax.set_yticks(-np.arange(len(figures)), list(figures))
    ax.set_ylim(-len(figures) + 0.5, 0.5)
    ax.set_xlabel("frequency (cm⁻¹)")
    columns = [
        "",
        "steps",
        "force left, eV/Å",
        "imaginary",
        "zero-point energy, kcal/mol",
        "lowest, cm⁻¹",
        "highest",
    ]
    picture = Picture(save(figure, folder / "frequencies.png"), "Harmonic frequencies.", wide=True)
    return [picture], [Table(columns, rows)]


def bonds_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the curves of all bonds.

    Parameters
    ----------
    folder
        Folder for bonds.png.
    figures
        Label -> figures of the part.
    """
    return [_curves(folder / "bonds.png", figures, "The smaller fragment moves rigidly along the bond.")], []


def shapes_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the curves of bends, torsions and contacts.

    Parameters
    ----------
    folder
        Folder for shapes.png.
    figures
        Label -> figures of the part.
    """
    caption = (
        "Bends and torsions turn all atoms beyond a bond rigidly; of a contact the two atoms alone move. "
        "Curves that fail come first."
    )
    return [_curves(folder / "shapes.png", figures, caption)], []


def dynamics_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the number of runs alive against time at each temperature, and the table of lives and causes.

    Parameters
    ----------
    folder
        Folder for dynamics.png.
    figures
        Label -> figures of the part.
    """
    factors = [entry["factor"] for entry in next(iter(figures.values()))["temperatures"]]
    figure, axes = new_figure(1, len(factors), width=3.6 * len(factors), height=3.4, squeeze=False)
    styles, rows = model_styles(figures), []
    for ax, factor in zip(axes.flat, factors, strict=True):
        for label, numbers in figures.items():
            entry = next(entry for entry in numbers["temperatures"] if entry["factor"] == factor)
            rows.append([label, *_life_row(entry)])
            failed = zip(entry["lived_ps"], entry["failures"], strict=True)
            ends = sorted(lived for lived, failure in failed if failure is not None)
            alive = 100 * (1 - np.arange(len(ends) + 1) / entry["n_runs"])
            times = [0.0, *ends, entry["duration_ps"]]
            ax.step(times, [*alive, alive[-1]], where="post", label=label, **styles[label])
            ax.set_title(f"{entry['temperature_K']:g} K")
        ax.set_ylim(0.0, 105.0)
        ax.set_xlabel("time (ps)")
    axes[0, 0].set_ylabel("% of the runs alive")
    axes[0, 0].legend(frameon=False, loc="lower left")
    columns = ["", "K", "runs", "ps each", "survived", "95 % interval", "mean life, ps", "causes of failures"]
    picture = Picture(save(figure, folder / "dynamics.png"), "Runs alive against time.", wide=True)
    return [picture], [Table(columns, rows)]


def _life_row(entry: dict[str, Any]) -> list[Cell]:
    """Return temperature, numbers, interval, mean life and causes of the runs at one temperature."""
    low, high = entry["survived_interval95"]
    causes = [cause for cause in entry["causes"] if cause]
    counted = ", ".join(f"{causes.count(cause)} {cause}" for cause in dict.fromkeys(causes))
    n_failed, total = len(causes), sum(entry["lived_ps"])
    life = f"{total / n_failed:.3g}" if n_failed else f"> {total / 3.0:.3g}"  # rule of three
    keys = ("temperature_K", "n_runs", "duration_ps", "n_survived")
    return [*(entry[key] for key in keys), f"{low:.0%} to {high:.0%}", life, counted or None]


def protocol_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return the table of the runs of a published protocol.

    Parameters
    ----------
    folder
        Not used: the part has no picture.
    figures
        Label -> figures of the part.
    """
    del folder
    rows: list[list[Cell]] = []
    for label, numbers in figures.items():
        for entry in numbers["temperatures"]:
            low, high = entry["survived_interval95"]
            failures = [failure for failure in entry["failures"] if failure]
            counted = ", ".join(f"{failures.count(why)} {why}" for why in dict.fromkeys(failures))
            runs = f"{entry['n_runs']} of {entry['n_planned']}"
            score = float(np.mean(entry["scores"])) if entry["scores"] else None
            keys = ("n_survived", "mean_lived_ps")
            row = [label, entry["temperature_K"], runs, *(entry[key] for key in keys)]
            fell = sum(time_ps is not None for time_ps in entry.get("fell_at_ps", []))
            rows.append([*row, f"{low:.0%} to {high:.0%}", score, counted or None, fell])
    columns = ["", "K", "runs", "survived", "mean time, ps", "95 % interval", "score", "failures"]
    columns.append("below the minimum (not judged)")
    return [], [Table(columns, rows)]


def distributions_content(folder: Path, figures: dict[str, Figures]) -> Content:
    """Return h(r) of runs and frames, and tables of bonds, angles and torsions.

    Parameters
    ----------
    folder
        Folder for distributions.png.
    figures
        Label -> figures of the part.
    """
    figure, ax = new_figure(width=9.0, height=3.6)
    for label, style in model_styles(figures).items():
        ax.plot(figures[label]["h"]["distance_A"], figures[label]["h"]["runs"], label=label, **style)
    one = next(iter(figures.values()))["h"]
    ax.plot(one["distance_A"], one["frames"], color=REFERENCE, linestyle="--", linewidth=1.4, label="frames")
    ax.set_xlabel("distance r (Å)")
    ax.set_ylabel("h(r) (1/Å)")
    ax.legend(frameon=False)
    tables = [
        Table(columns, rows, f"{kind.capitalize()}: mean ± standard deviation")
        for kind in ("bonds", "angles")
        if (columns := [kind, "frames", *figures]) and (rows := _moment_rows(kind, figures))
    ]
    rows = [
        [
            torsion["name"],
            *(_populations(torsion["frames"]),),
            *(_populations(numbers["torsions"][k]["runs"]) for numbers in figures.values()),
        ]
        for k, torsion in enumerate(next(iter(figures.values()))["torsions"])
    ]
    if rows:
        tables.append(Table(["torsion", "frames", *figures], rows, "Torsions: trans / gauche+ / gauche−"))
    picture = Picture(save(figure, folder / "distributions.png"), "Distances of all pairs.", wide=True)
    return [picture], tables


def _moment_rows(kind: str, figures: dict[str, Figures]) -> list[list[Cell]]:
    by_label = {
        label: {row["name"]: row for row in numbers.get(kind, [])} for label, numbers in figures.items()
    }
    first = next(iter(by_label.values()))
    return [
        [
            name,
            f"{row['mean_of_frames']:.4g} ± {row['std_of_frames']:.2g}",
            *(
                f"{rows[name]['mean']:.4g} ± {rows[name]['std']:.2g}" if name in rows else None
                for rows in by_label.values()
            ),
        ]
        for name, row in first.items()
    ]


def _populations(wells: dict[str, float]) -> str:
    return " / ".join(f"{share:.2f}" for share in wells.values())


def _curves(path: Path, figures: dict[str, Figures], caption: str) -> Picture:
    """Draw one panel for each coordinate with the curves of all force fields, those that fail first."""
    by_name: dict[str, dict[str, Any]] = {}
    for label, numbers in figures.items():
        for curve in numbers["curves"]:
            by_name.setdefault(curve["name"], {})[label] = curve
    names = sorted(by_name, key=lambda name: not any(map(_fails, by_name[name].values())))
    n_panels = min(len(names), MOST_PANELS)
    n_columns = min(4, n_panels)
    n_rows = -(-n_panels // n_columns)
    figure, axes = new_figure(n_rows, n_columns, width=3.2 * n_columns, height=2.7 * n_rows, squeeze=False)
    styles = model_styles(figures)
    for ax, name in zip(axes.flat, names, strict=False):
        for label, curve in by_name[name].items():
            ax.plot(curve["values"], curve["energy_kcal_mol"], label=label, **styles[label])
            for minimum in curve["extra_minima"]:
                ax.axvline(minimum, color=LIMIT, linestyle=":", linewidth=1.2)
        shown = [value for curve in by_name[name].values() for value in curve["energy_kcal_mol"]]
        ax.set_ylim(max(-60.0, min(-5.0, 1.1 * min(shown))), min(HIGHEST_KCAL_MOL, 1.1 * max(shown) + 1.0))
        is_distance = next(iter(by_name[name].values()))["kind"] in ("bond", "approach")
        ax.set_title(name, fontsize=10)
        ax.set_xlabel("distance (Å)" if is_distance else "angle (°)")
    for ax in axes[:, 0]:
        ax.set_ylabel("energy (kcal/mol)")
    for ax in axes.flat[n_panels:]:
        ax.set_axis_off()
    lines: dict[str, Any] = {}  # a force field may lack the first curve
    for ax in axes.flat[:n_panels]:
        lines |= {label: line for line, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    labels = [label for label in figures if label in lines]
    handles = [lines[label] for label in labels]
    if len(figures) > 1:
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), frameon=False)
    left_out = (
        f" {len(names) - n_panels} more curves are in examination.json." if len(names) > n_panels else ""
    )
    return Picture(save(figure, path), caption + left_out, wide=True)


def _fails(curve: dict[str, Any]) -> bool:
    wrong = curve["extra_minima"] and curve["kind"] != "torsion"
    return bool(
        wrong or curve["largest_jump_in_limits"] > 1.0 or curve["lowest_within_reach_kcal_mol"] < -5.0
    )


PART_CONTENTS: dict[str, Callable[[Path, dict[str, Figures]], Content]] = {
    "accuracy": accuracy_content,
    "minimum": minimum_content,
    "bonds": bonds_content,
    "shapes": shapes_content,
    "conservation": conservation_content,
    "dynamics": dynamics_content,
    "distributions": distributions_content,
    **dict.fromkeys(("forces-are-not-enough", "stable", "mlipaudit", "ramp"), protocol_content),
}
"""Part -> function that returns pictures and tables; other parts have none."""
