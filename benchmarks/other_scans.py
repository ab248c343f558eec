"""Torsion, bend, approaches and two bonds at once by several models, beside references.

    python benchmarks/other_scans.py raw=RUN ours=RUN … --references inputs/reference --out FOLDER

Takes every scan of the folder (as `mdaug reference` writes it) that is not of one bond: the geometries of its
xyz, the curve of its csv, zero at the start geometry (its ethanol.xyz). Errors are over the points below
150 kcal/mol. Runs with the same label are seeds of one kind.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from summary_statistics import mean_and_range

from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.files import write_json
from mdaug.reports.style import REFERENCE, model_styles, new_figure, save
from mdaug.units import KCAL_MOL_PER_EV

LIMIT_KCAL_MOL = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    names = sorted(path.stem for path in given.references.glob("*.csv"))
    names = [name for name in names if not name.startswith("bond-") or "+" in name]
    start = ase.io.read(given.references / "ethanol.xyz")
    rows, curves = [], {}
    for text in given.models:
        label, _, run = text.partition("=")
        calculator = MDAugCalculator(Path(run) / "model.pt", dtype="float64")
        zero = energy(calculator, start)
        for name in names:
            frames = ase.io.read(given.references / f"{name}.xyz", index=":")
            curve = np.array([energy(calculator, frame) for frame in frames]) - zero
            rows.append({"scan": name, "model": label, "run": Path(run).name, **measure(given, name, curve)})
            curves.setdefault(name, []).append((label, curve))
    write_json(given.out / "other_scans.json", rows)
    draw(given, curves, given.out / "other_scans.png")
    print("| scan | model | runs | rms below 150 kcal/mol | largest error |")
    print("|---|---|---|---|---|")
    for name, label in dict.fromkeys((row["scan"], row["model"]) for row in rows):
        same = [row for row in rows if (row["scan"], row["model"]) == (name, label)]
        errors = [mean_and_range([row[key] for row in same]) for key in ("rms", "largest")]
        print(f"| {name} | {label} | {len(same)} | {' | '.join(errors)} |")


def energy(calculator: MDAugCalculator, atoms: ase.Atoms) -> float:
    return float(calculator.get_potential_energy(atoms)) * KCAL_MOL_PER_EV


def reference(given: argparse.Namespace, name: str) -> np.ndarray:
    """Return the table of a scan; its first column is the coordinate (of two, O-H's)."""
    return np.genfromtxt(given.references / f"{name}.csv", delimiter=",", names=True)


def measure(given: argparse.Namespace, name: str, curve: np.ndarray) -> dict[str, float]:
    true = reference(given, name)["energy_kcal_mol"]
    error = (curve - true)[true < LIMIT_KCAL_MOL]
    return {"rms": float(np.sqrt(np.mean(error**2))), "largest": float(np.abs(error).max())}


def draw(given: argparse.Namespace, curves: dict, path: Path) -> None:
    """Draw each scan of one coordinate with every run of every label; for two, error against energy."""
    figure, axes = new_figure(2, -(-len(curves) // 2), width=13.0, height=6.6, squeeze=False)
    for ax, (name, by_run) in zip(axes.flat, curves.items(), strict=False):
        table, labels = reference(given, name), list(dict.fromkeys(label for label, _ in by_run))
        true, two = table["energy_kcal_mol"], "+" in name
        coordinate = table.dtype.names[0]
        for label, curve in by_run:
            style = model_styles(labels)[label]
            known = label in ax.get_legend_handles_labels()[1]
            shown = "_" if known else label
            if two:
                ax.plot(true, curve, ".", color=style["color"], label=shown)
            else:
                ax.plot(table[coordinate], curve, label=shown, **style)
        if two:
            ax.axline((0, 0), slope=1, color=REFERENCE, linestyle="--", linewidth=1.2)
            ax.set_xlabel("reference (kcal/mol)")
        else:
            ax.plot(
                table[coordinate], true, color=REFERENCE, linestyle="--", label="reference", linewidth=1.4
            )
            ax.set_xlabel(coordinate.replace("_A", " (Å)").replace("_deg", " (°)"))
        ax.set_title(name.replace("bond-", ""))
        ax.set_ylim(min(-0.05 * true.max(), -0.5), 1.3 * true.max())
        ax.set_ylabel("energy (kcal/mol)")
    axes.flat[0].legend(frameon=False, fontsize=8)
    for ax in axes.flat[len(curves) :]:
        ax.set_visible(False)
    save(figure, path)


if __name__ == "__main__":
    main()
