"""Scans of every bond of a molecule by several models: errors, spurious minima and maxima, walls.

    python benchmarks/bond_scans.py raw=RUN ours=RUN … --structure inputs/reference/ethanol.xyz \
        --references inputs/reference --out FOLDER

A bond has a reference where the folder holds bond-NAME.csv (as `mdaug reference` writes it). Distances go
from 0.6 to 2.5 times the bond's length, zero is the given geometry, no shift is fitted. Runs with the same
label are seeds of one kind: the table gives their mean and range.
"""

import argparse
from pathlib import Path

import ase.io
import numpy as np
from summary_statistics import mean_and_range

from mdaug.analysis.model_scan import reference_from_csv
from mdaug.analysis.scan import ScanResult, bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.files import write_json
from mdaug.geometry.bonds import find_bonds
from mdaug.reports.style import REFERENCE, model_styles, new_figure, save

LIMIT_KCAL_MOL = 150.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="+", metavar="LABEL=RUN")
    parser.add_argument("--structure", type=Path, required=True)
    parser.add_argument("--references", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    atoms = ase.io.read(given.structure)
    rows, scans = [], {}
    for text in given.models:
        label, _, run = text.partition("=")
        calculator = MDAugCalculator(Path(run) / "model.pt", dtype="float64")
        for bond in find_bonds(atoms):
            scan = scan_one(calculator, atoms, (int(bond[0]), int(bond[1])), label, given.references)
            rows.append({"model": label, "run": Path(run).name, **measure(scan)})
            scans.setdefault(scan.name, []).append(scan)
    write_json(given.out / "bond_scans.json", rows)
    draw(scans, given.out / "bond_scans.png")
    for line in table(rows):
        print(line)


def scan_one(calculator, atoms, bond, label, references) -> ScanResult:
    length = atoms.get_distance(*bond)
    scan = bond_scan(calculator, atoms, bond, scan_distances(0.6 * length, 2.5 * length, 0.01), label=label)
    path = None if references is None else references / f"bond-{scan.name}.csv"
    return reference_from_csv(scan, path) if path is not None and path.exists() else scan


def measure(scan: ScanResult) -> dict:
    metrics = scan_metrics(scan)
    row = {
        "bond": scan.name,
        "n_spurious_extrema": metrics["n_spurious_minima"] + metrics["n_spurious_maxima"],
        "monotonic": metrics["inner_wall_monotonic"] and metrics["outer_wall_monotonic"],
        "end_kcal_mol": float(scan.energy_kcal_mol[-1]),
    }
    if scan.reference_kcal_mol is None:
        return row
    known = np.isfinite(scan.reference_kcal_mol)
    d, e, reference = (a[known] for a in (scan.distances_A, scan.energy_kcal_mol, scan.reference_kcal_mol))
    low, ratio = reference < LIMIT_KCAL_MOL, d / scan.zero_distance_A
    parts = {"all": low, "inner": low & (ratio < 1.55) & (ratio > 0.77), "outer": low & (ratio >= 1.55)}
    row |= {f"rms_{name}": rms((e - reference)[chosen]) for name, chosen in parts.items()}
    wall = ~low
    row["wall_ratio"] = [float(x) for x in (e / reference)[wall][[0, -1]]] if wall.any() else None
    return row


def rms(values: np.ndarray) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None


def table(rows: list[dict]) -> list[str]:
    lines = [
        "| bond | model | runs | rms below 150 | of these 0.77 to 1.55 lengths | beyond "
        "| spurious minima and maxima | monotonic | end |",
        "|---" * 9 + "|",
    ]
    for bond, label in dict.fromkeys((row["bond"], row["model"]) for row in rows):
        same = [row for row in rows if (row["bond"], row["model"]) == (bond, label)]
        errors = [
            mean_and_range([row.get(f"rms_{part}") for row in same]) for part in ("all", "inner", "outer")
        ]
        extrema = ", ".join(str(row["n_spurious_extrema"]) for row in same)
        walls = f"{sum(row['monotonic'] for row in same)} of {len(same)}"
        ends = mean_and_range([row["end_kcal_mol"] for row in same])
        lines.append(
            f"| {bond} | {label} | {len(same)} | {' | '.join(errors)} | {extrema} | {walls} | {ends} |"
        )
    return lines


def draw(scans: dict[str, list[ScanResult]], path: Path) -> None:
    """Draw one panel a bond, with every run in the style of its kind of model."""
    figure, axes = new_figure(2, -(-len(scans) // 2), width=14.0, height=6.6, squeeze=False)
    for ax, (name, runs) in zip(axes.flat, scans.items(), strict=False):
        styles = model_styles(dict.fromkeys(scan.label for scan in runs))
        for scan in runs:
            known = scan.label in ax.get_legend_handles_labels()[1]
            shown = "_" if known else scan.label
            ax.plot(scan.distances_A, scan.energy_kcal_mol, label=shown, **styles[scan.label])
        if runs[0].reference_kcal_mol is not None:
            style = {"color": REFERENCE, "linestyle": "--", "linewidth": 1.4, "label": "reference"}
            ax.plot(runs[0].distances_A, runs[0].reference_kcal_mol, **style)
        ax.set_xlabel(f"{name} (Å)")
        ax.set_ylim(-40, 200)
    for ax in axes[:, 0]:
        ax.set_ylabel("energy (kcal/mol)")
    lines, names = axes.flat[0].get_legend_handles_labels()
    figure.legend(lines, names, loc="outside upper center", ncols=len(names), frameon=False)
    save(figure, path)


if __name__ == "__main__":
    main()
