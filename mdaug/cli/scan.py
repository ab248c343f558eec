"""`mdaug scan`: energy and force along a bond, of one or several models."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from ase import Atoms
from cyclopts import Parameter
from pydantic import Field

from mdaug.analysis.model_scan import calculated_reference, reference_from_csv
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import ScanResult, bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.cli.common import OutputOptions, open_run
from mdaug.cli.progress import console, counted
from mdaug.errors import DataError, MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.frames import FloatArray
from mdaug.geometry.training_bonds import training_range_A
from mdaug.options import Device, Precision
from mdaug.quantum.calculators import GFN2
from mdaug.reports.html import Cell, Table
from mdaug.reports.scan import save_scan_figure
from mdaug.reports.terminal import print_table
from mdaug.workflows.use_model import Model, load_models, own_level, start_structure


def scan(
    *models: Path,
    bond: tuple[int, int],
    distances: Annotated[tuple[float, float] | None, Parameter(name="--range")] = None,
    step: Annotated[float, Field(gt=0)] = 0.02,
    points: Annotated[int | None, Field(ge=2)] = None,
    structure: str | None = None,
    reference: str = "auto",
    dtype: Precision = "float64",
    device: Device = "cpu",
    output: Annotated[OutputOptions, Parameter(name="*")] = OutputOptions(),
) -> None:
    """Stretch and compress a bond: the smaller fragment moves rigidly along it.

    Writes scan.csv (for several models one scan-NAME.csv each), scan.json with the metrics, and scan.png.
    Energies are zero at the start geometry, of model and reference alike; no shift is fitted. The force
    along the bond is −dE/dd: positive pushes the fragments apart, negative pulls them together.

    Parameters
    ----------
    models
        Files model.pt or run folders [default: the latest run].
    bond
        The two atoms, counted from 0.
    distances
        First and last distance in Å [default: 0.6 to 2.5 times the bond's length].
    step
        Distance between points in Å.
    points
        Number of points, instead of --step.
    structure
        Start geometry, a file or SMILES [default: each model's own relaxed geometry].
    reference
        Curve to compare with: none, gfn2-xtb, or a CSV file (distance_A,energy_kcal_mol, zero at the start
        geometry); auto is gfn2-xtb for models trained on GFN2-xTB, else none.
    dtype
        Precision of the models.
    device
        Where the models are evaluated.
    """
    loaded = load_models(models, device=device, dtype=dtype)
    starts = [_start(model, structure) for model in loaded]
    grid = _distances(starts[0], bond, distances, step, points)
    with open_run(output, command="scan") as run:
        scans = []
        for model, atoms in zip(loaded, starts, strict=True):
            with counted(f"scan of {model.label}") as progress:
                found = bond_scan(model.calculator, atoms, bond, grid, label=model.label, progress=progress)
            found = replace(found, training_range_A=training_range_A(model.manifest, atoms.numbers, bond))
            scans.append(_with_reference(found, reference, model, atoms))
        metrics = [scan_metrics(found) for found in scans]
        for found in scans:
            name = "scan.csv" if len(scans) == 1 else f"scan-{found.label}.csv"
            write_text(run.path / name, found.to_csv())
        write_json(run.path / "scan.json", metrics[0] if len(scans) == 1 else {"models": metrics})
        save_scan_figure(scans, run.path / "scan.png")
    print_table(_table(metrics))
    print(run.path / "scan.json")
    print(run.path / "scan.png")


def _start(model: Model, structure: str | None) -> Atoms:
    start = start_structure(model.manifest, model.path, structure)
    if structure is not None:
        return start
    relaxed = relax(model.calculator, start)
    if not relaxed.converged:
        raise DataError(
            f"{model.path}: its lowest training frame does not relax (a force of "
            f"{relaxed.max_force_eV_A:.2g} eV/Å is left); give a start geometry with --structure"
        )
    return relaxed.atoms


def _distances(
    atoms: Atoms,
    bond: tuple[int, int],
    limits: tuple[float, float] | None,
    step: float,
    points: int | None,
) -> FloatArray:
    if max(bond) >= len(atoms) or min(bond) < 0:
        raise DataError(f"bond {bond[0]} {bond[1]}: expected atoms from 0 to {len(atoms) - 1}")
    if limits is None:
        length = atoms.get_distance(*bond, mic=bool(atoms.pbc.any()))
        limits = round(0.6 * length, 2), round(2.5 * length, 2)
    distances = scan_distances(*limits, step)
    return distances if points is None else np.linspace(*limits, points)


def _with_reference(found: ScanResult, reference: str, model: Model, atoms: Atoms) -> ScanResult:
    if reference == "none":
        return found
    if reference not in ("auto", "gfn2-xtb"):
        return reference_from_csv(found, Path(reference))
    training: dict[str, Any] = model.manifest.get("training") or {}
    asked = training if reference == "auto" else training | {"level_of_theory": GFN2}
    try:
        calculator = own_level(asked)
    except MissingDependencyError as error:
        if reference != "auto":
            raise
        console.print(f"no reference curve: {error}", style="yellow")
        return found
    if calculator is None:
        return found
    with counted(f"reference {GFN2}") as progress:
        return calculated_reference(found, calculator, atoms, GFN2, progress=progress)


def _table(metrics: list[dict[str, Any]]) -> Table:
    columns = ["model", "minima", "maxima", "walls", "false barrier", "rmse < 150", "rmse"]
    caption = (
        f"{metrics[0]['bond']}: false minima and maxima, walls that rise all the way, "
        "false barrier (kcal/mol), rmse to the reference (kcal/mol; where it is below 150, all)"
    )
    return Table(columns, [_row(found) for found in metrics], caption)


def _row(found: dict[str, Any]) -> list[Cell]:
    failure, reference = found["failure"], found["reference"] or {}
    walls = [name for name in ("inner", "outer") if found[f"{name}_wall_monotonic"]]
    barrier = "no"
    if failure["false_barrier"]:
        barrier = f"{failure['height_kcal_mol']:.0f} at {failure['position_A']:.2f} Å"
    return [
        found["label"],
        found["n_spurious_minima"],
        found["n_spurious_maxima"],
        {0: "none", 1: "".join(walls), 2: "both"}[len(walls)],
        barrier,
        reference.get("rmse_below_150_kcal_mol"),
        reference.get("rmse_kcal_mol"),
    ]
