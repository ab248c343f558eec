"""Tables and figures of paper.json, as `paper.py` writes it.

python benchmarks/paper_report.py FOLDER/paper.json [--springs RUN/springs.json] --out FOLDER
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.ticker import LogLocator, SymmetricalLogLocator
from scipy.stats import spearmanr

from mdaug.reports.style import ORANGE, RAW, REFERENCE, SKY, new_figure, save

PUBLISHED = {  # the paper's Table 2: distance (Å), k (kcal/mol/Å²); docs/theory.md
    "H-H": [(1.79, 129), (2.48, 27.7), (3.00, 25.0), (3.69, 14.0)],
    "H-C": [(1.11, 533), (2.16, 64.5), (2.91, 14.2)],
    "H-O": [(0.97, 737), (2.08, 125), (2.76, 85.6), (3.38, 23.5)],
    "C-C": [(1.54, 388)],
    "C-O": [(1.45, 450), (2.47, 122)],
}

QUANTITIES: dict[str, Callable[[dict], float | None]] = {
    "held-out energy MAE": lambda run: run["test"]["energy_mae_kcal_mol"],
    "held-out force MAE": lambda run: run["test"]["force_mae_kcal_mol_A"],
    "mean energy error, training frames": lambda run: run["raw_frames"]["train_kcal_mol"],
    "mean energy error, test frames": lambda run: run["raw_frames"]["test_kcal_mol"],
    "energy error at equilibrium": lambda run: run["equilibrium"]["energy_error_kcal_mol"],
    "rms force error at equilibrium": lambda run: run["equilibrium"]["force_rms_kcal_mol_A"],
    "O-H scan rms": lambda run: run["scan"]["rms_kcal_mol"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("--springs", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    content = json.loads(given.results.read_text())
    runs = sorted(
        content["runs"], key=lambda run: (run["n_displaced"] or 0, run["epsilon_A"] or 0, run["seed"])
    )
    print("\n".join(run_table(runs)), "\n")
    print("\n".join(correlations(runs)), "\n")
    print("\n".join(conservation(runs, content["ps"])), "\n")
    if given.springs is not None:
        print("\n".join(spring_table(json.loads(given.springs.read_text())["pairs"])))
    draw_errors(runs, given.out / "paper_errors.png")
    draw_scans(runs, given.out / "paper_scans.png")


def run_table(runs: list[dict]) -> list[str]:
    """Return a Markdown row for every run."""
    lines = [
        "| n | ε (Å) | seed | energy MAE | force MAE | mean energy error: training, test frames "
        "| at equilibrium: energy error | force error, rms | O-H scan rms | 0.77 to 1.55 lengths | beyond "
        "| spurious minima and maxima | barrier | at 2.5 lengths |",
        "|---" * 14 + "|",
    ]
    for run in runs:
        scan, equilibrium, means = run["scan"], run["equilibrium"], run["raw_frames"]
        barrier = scan["failure"]["position_A"]
        shown = "" if barrier is None else f"{scan['failure']['height_kcal_mol']:.0f} at {barrier:.2f} Å"
        off = equilibrium["energy_error_kcal_mol"]
        cells = [
            str(run["n_displaced"] or "raw"),
            f"{run['epsilon_A']:g}" if run["epsilon_A"] else "",
            str(run["seed"]),
            f"{run['test']['energy_mae_kcal_mol']:.3f}",
            f"{run['test']['force_mae_kcal_mol_A']:.3f}",
            f"{means['train_kcal_mol']:+.3f}, {means['test_kcal_mol']:+.3f}",
            "" if off is None else f"{off:+.2f}",
            f"{equilibrium['force_rms_kcal_mol_A']:.2f}",
            *(f"{scan[key]:.1f}" for key in ("rms_kcal_mol", "rms_inner_kcal_mol", "rms_outer_kcal_mol")),
            str(scan["n_spurious_extrema"]),
            shown,
            f"{scan['end_kcal_mol']:.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def correlations(runs: list[dict]) -> list[str]:
    """Return a row for each quantity: rank correlation with ε, and its 95 % interval, for each n."""
    counts = sorted({run["n_displaced"] for run in runs if run["n_displaced"]})
    lines = [
        "| against ε | " + " | ".join(f"n = {n}" for n in counts) + " |",
        "|---" * (1 + len(counts)) + "|",
    ]
    for name, value in QUANTITIES.items():
        cells = []
        for n in counts:
            chosen = [run for run in runs if run["n_displaced"] == n and value(run) is not None]
            cells.append(
                rank_correlation([run["epsilon_A"] for run in chosen], [value(run) for run in chosen])
            )
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def rank_correlation(x: list[float], y: list[float]) -> str:
    """Return ρ with its interval by Fisher's z and the error of Bonett and Wright (10.1007/BF02294183)."""
    if len(x) < 4:
        return ""
    rho = float(spearmanr(x, y).statistic)
    if abs(rho) > 1 - 1e-9:
        return f"{rho:+.0f} (all {len(x)} in order)"
    z, error = np.arctanh(rho), np.sqrt((1 + rho**2 / 2) / (len(x) - 3))
    low, high = np.tanh([z - 1.96 * error, z + 1.96 * error])
    return f"{rho:+.2f} ({low:+.2f} to {high:+.2f})"


def conservation(runs: list[dict], ps: float) -> list[str]:
    """Return a row for each kind of model and temperature."""
    lines = [
        f"| n | T (K) | finished {ps:g} ps | slopes (meV/atom/ps) | rms fluctuation (meV/atom) |",
        "|---" * 5 + "|",
    ]
    done = [(run["n_displaced"] or 0, run["name"], one) for run in runs for one in run["nve"]]
    for n, temperature in sorted({(n, one["temperature_K"]) for n, _, one in done}):
        same = [one for m, _, one in done if (m, one["temperature_K"]) == (n, temperature)]
        good = [one for one in same if not one["stopped_because"]]
        slopes = [one["slope_meV_per_atom_ps"] for one in good]
        swing = [one["rms_fluctuation_meV_per_atom"] for one in good]
        both = [f"{min(x):.2g} to {max(x):.2g}" if x else "" for x in (slopes, swing)]
        lines.append(f"| {n or 'raw'} | {temperature:g} | {len(good)} of {len(same)} | {' | '.join(both)} |")
    failed = [(name, one) for _, name, one in done if one["stopped_because"]]
    return lines + [f"{name}, {one['temperature_K']:g} K: {one['stopped_because']}" for name, one in failed]


def spring_table(pairs: dict) -> list[str]:
    lines = ["| pair | d published | k published | d here | k here | k here / published |", "|---" * 6 + "|"]
    for pair, rows in PUBLISHED.items():
        for (d, k), own in zip(rows, pairs[pair], strict=True):
            cells = [
                pair,
                f"{d:.2f}",
                f"{k:g}",
                f"{own['distance']:.2f}",
                f"{own['k']:.3g}",
                f"{own['k'] / k:.2f}",
            ]
            lines.append("| " + " | ".join(cells) + " |")
    return lines


def draw_errors(runs: list[dict], path: Path) -> None:
    """Held-out errors, and errors at equilibrium, against ε; the raw model is a line."""
    figure, axes = new_figure(2, 2, width=10.0, height=7.2)
    shown = {
        "held-out energy MAE": ("kcal/mol", "log"),
        "held-out force MAE": ("kcal/mol/Å", "log"),
        "energy error at equilibrium": ("kcal/mol", "symlog"),  # of both signs
        "rms force error at equilibrium": ("kcal/mol/Å", "log"),
    }
    for ax, (name, (unit, scale)) in zip(axes.flat, shown.items(), strict=True):
        value = QUANTITIES[name]
        for n, color in ((1, ORANGE), (9, SKY)):
            chosen = [run for run in runs if run["n_displaced"] == n and value(run) is not None]
            ax.plot(
                [r["epsilon_A"] for r in chosen],
                [value(r) for r in chosen],
                "o-",
                color=color,
                label=f"n = {n}",
            )
        for run in runs:
            if not run["n_displaced"] and value(run) is not None:
                ax.axhline(value(run), color=RAW, linestyle="--", linewidth=1.6, label="raw")
        ax.set(xlabel="ε (Å)", ylabel=f"{name}\n({unit})", xscale="log", yscale=scale)
        locator = LogLocator if scale == "log" else partial(SymmetricalLogLocator, base=10, linthresh=1)
        ax.yaxis.set_major_locator(locator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.set_xticks([0.01, 0.03, 0.05, 0.1, 0.2, 0.5], ["0.01", "0.03", "0.05", "0.1", "0.2", "0.5"])
        ax.minorticks_off()
    axes[0, 0].legend(frameon=False)
    save(figure, path)


def draw_scans(runs: list[dict], path: Path) -> None:
    """The O-H scan of every ε beside raw and the reference, one panel for each n."""
    figure, axes = new_figure(1, 2, width=12.0, height=4.4, sharey=True)
    sizes = sorted({run["epsilon_A"] for run in runs if run["epsilon_A"]})
    colors = dict(zip(sizes, matplotlib.colormaps["viridis"](np.linspace(0, 0.92, len(sizes))), strict=True))
    for ax, n in zip(axes, (1, 9), strict=True):
        for run in runs:
            if run["n_displaced"] == n:
                curve, epsilon = run["scan"], run["epsilon_A"]
                style = {"color": colors[epsilon], "label": f"ε = {epsilon:g} Å", "linewidth": 1.4}
                ax.plot(curve["distance_A"], curve["energy_kcal_mol"], **style)
        for run in runs:
            if not run["n_displaced"]:
                curve = run["scan"]
                ax.plot(curve["distance_A"], curve["energy_kcal_mol"], color=RAW, label="raw", linewidth=2)
        curve = runs[0]["scan"]
        ax.plot(
            curve["distance_A"],
            np.array(curve["reference_kcal_mol"], dtype=float),
            color=REFERENCE,
            linestyle="--",
            label="reference",
        )
        ax.set(title=f"n = {n}", xlabel="O-H distance (Å)", ylim=(-60, 200))
    axes[0].set_ylabel("energy (kcal/mol)")
    for ax in axes:
        ax.legend(frameon=False, fontsize=8, ncols=2)
    save(figure, path)


if __name__ == "__main__":
    main()
