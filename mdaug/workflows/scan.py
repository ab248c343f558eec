"""A bond scan of one or several models beside a reference, with files and figure."""

import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms

from mdaug.analysis.model_scan import calculated_reference, reference_from_csv
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import ScanResult, bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.errors import DataError, MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.frames import FloatArray
from mdaug.geometry.training_bonds import training_range_A
from mdaug.quantum.calculators import GFN2
from mdaug.reports.scan import save_scan_figure
from mdaug.workflows.options import ScanOptions
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.use_model import Model, load_models, own_level, start_structure


def scan_models(
    models: Sequence[Path],
    bond: tuple[int, int],
    options: ScanOptions,
    folder: Path,
    progress: Progress = ignore,
) -> list[dict[str, Any]]:
    """Scan a bond, write scan.csv, scan.json and scan.png into `folder`, and return the metrics.

    Parameters
    ----------
    models
        Files model.pt or run folders; empty for the latest run.
    bond
        The two atoms, 0-based.
    options
        Distances, start geometry and reference.
    folder
        Where the files go.
    progress
        Called with the stage and the numbers of distances done and in all.

    Raises
    ------
    DataError
        If a model or the start cannot be had, or the bond cannot be scanned.
    """
    loaded = load_models(models, device=options.device, dtype=options.dtype)
    starts = [_start(model, options.structure) for model in loaded]
    distances = _distances(starts[0], bond, options)
    scans = []
    for model, atoms in zip(loaded, starts, strict=True):
        stage = partial(progress, f"scan of {model.label}")
        scan = bond_scan(model.calculator, atoms, bond, distances, label=model.label, progress=stage)
        scan = replace(scan, training_range_A=training_range_A(model.manifest, atoms.numbers, bond))
        scans.append(_with_reference(scan, options.reference, model, atoms, progress))
    metrics = [scan_metrics(scan) for scan in scans]
    for scan in scans:
        name = "scan.csv" if len(scans) == 1 else f"scan-{scan.label}.csv"
        write_text(folder / name, scan.to_csv())
    write_json(folder / "scan.json", metrics[0] if len(scans) == 1 else {"models": metrics})
    save_scan_figure(scans, folder / "scan.png")
    return metrics


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


def _distances(atoms: Atoms, bond: tuple[int, int], options: ScanOptions) -> FloatArray:
    if max(bond) >= len(atoms) or min(bond) < 0:
        raise DataError(f"bond {bond[0]} {bond[1]}: expected atoms from 0 to {len(atoms) - 1}")
    limits = options.range
    if limits is None:
        length = atoms.get_distance(*bond, mic=bool(atoms.pbc.any()))
        limits = round(0.6 * length, 2), round(2.5 * length, 2)
    distances = scan_distances(*limits, options.step or 0.02)
    return distances if options.points is None else np.linspace(*limits, options.points)


def _with_reference(
    scan: ScanResult, reference: str, model: Model, atoms: Atoms, progress: Progress
) -> ScanResult:
    if reference == "none":
        return scan
    if reference not in ("auto", "gfn2-xtb"):
        return reference_from_csv(scan, Path(reference))
    training: dict[str, Any] = model.manifest.get("training") or {}
    level = training if reference == "auto" else training | {"level_of_theory": GFN2}
    try:
        calculator = own_level(level)
    except MissingDependencyError as error:
        if reference != "auto":
            raise
        warnings.warn(f"no reference curve: {error}", stacklevel=2)
        return scan
    if calculator is None:
        return scan
    return calculated_reference(
        scan, calculator, atoms, GFN2, progress=partial(progress, f"reference {GFN2}")
    )
