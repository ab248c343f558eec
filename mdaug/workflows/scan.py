"""A bond scan of one or several models beside a reference, with files and figure."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.analysis.model_scan import reference_end, scan_grid, scan_model, scan_reach
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.calculators.applicability import check_applicability
from mdaug.calculators.trained_systems import manifest_for
from mdaug.errors import DataError, MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.quantum.calculators import GFN2
from mdaug.reports.scan import write_scan_report
from mdaug.workflows.progress import Progress, ignore
from mdaug.workflows.settings.options import CalculatorOptions
from mdaug.workflows.settings.workflow_options import ScanOptions
from mdaug.workflows.use_calculator import CalculatorChoice
from mdaug.workflows.use_model import Model, load_models, own_level


@dataclass(frozen=True)
class ModelScans:
    """Scans of one bond, one for each model.

    Parameters
    ----------
    scans
        The curves.
    metrics
        Content of scan.json, one entry for each model.
    report
        The HTML page.
    """

    scans: list[ScanResult]
    metrics: list[dict[str, Any]]
    report: Path


def scan_models(
    models: Sequence[Path],
    bond: tuple[int, int],
    options: ScanOptions,
    folder: Path,
    progress: Progress = ignore,
    *,
    calculator: CalculatorOptions = CalculatorOptions(),
) -> ModelScans:
    """Scan a bond, and write scan.csv, scan.json, scan.png and report.html into `folder`.

    Parameters
    ----------
    models
        Files model.pt or run folders; empty for the latest run.
    bond
        The two atoms, 0-based.
    options
        Distances, start geometry and reference.
    folder
        Output folder.
    progress
        Called with the stage and the numbers of distances done and in all.
    calculator
        A calculator that is scanned instead of a model or beside the models.

    Raises
    ------
    DataError
        If a model or the start is not found, or the bond cannot be scanned.
    """
    choice = CalculatorChoice.from_options(calculator, options.structure)
    loaded = load_models(models, choice, device=options.device, dtype=options.dtype)
    starts = [_start(model, loaded[0], options) for model in loaded]
    distances = scan_grid(
        starts[0],
        bond,
        range_A=options.range,
        reach_A=max(scan_reach(model.manifest, starts[0]) for model in loaded),
        step_A=options.step or 0.02,
        n_points=options.points,
    )
    scans = []
    for model, atoms in zip(loaded, starts, strict=True):
        scan = scan_model(
            model.calculator,
            manifest_for(model.manifest, atoms),
            atoms,
            bond,
            distances,
            label=model.label,
            reference=_reference(options.reference, model, atoms),
            reference_label=GFN2,
            reference_to_A=reference_end(atoms, bond) if options.range is None else float("inf"),
            leave_out_failures=model.choice is not None,
            progress=partial(_report, progress, model.label),
        )
        scans.append(scan)
    metrics = [scan_metrics(scan) for scan in scans]
    for scan in scans:
        name = "scan.csv" if len(scans) == 1 else f"scan-{scan.label}.csv"
        write_text(folder / name, scan.to_csv())
    write_json(folder / "scan.json", metrics[0] if len(scans) == 1 else {"models": metrics})
    bonds = manifest_for(loaded[0].manifest, starts[0]).get("training", {}).get("bonds") or []
    report = write_scan_report(folder, scans, starts[0], bonds)
    return ModelScans(scans, metrics, report)


def _start(model: Model, first: Model, options: ScanOptions) -> Atoms:
    """Return the start geometry of a model: the one named by `options`, or its own minimum.

    That of a calculator is next to the lowest training frame of the `first` model.
    """
    source = model if model.choice is None or options.structure is not None else first
    start = source.start(options.structure)
    check_applicability(start, model.manifest, strict=options.strict)
    if options.structure is not None:
        return start
    relaxed = relax(model.calculator, start)
    if not relaxed.converged:
        raise DataError(
            f"{model.name}: the lowest training frame does not relax (the largest force is "
            f"{relaxed.max_force_eV_A:.2g} eV/Å); give a start geometry with --structure"
        )
    return relaxed.atoms


def _reference(reference: str, model: Model, atoms: Atoms) -> Calculator | Path | None:
    """Return the reference that ``--reference`` names, for the charge of the system of `atoms`."""
    if reference == "none":
        return None
    if reference not in ("auto", "gfn2-xtb"):
        return Path(reference)
    own = model.training | (manifest_for(model.manifest, atoms).get("training") or {})
    level = own if reference == "auto" else own | {"level_of_theory": GFN2}
    try:
        return own_level(level)
    except MissingDependencyError as error:
        if reference != "auto":
            raise
        warnings.warn(f"no reference curve: {error}", stacklevel=2)
        return None


def _report(progress: Progress, label: str, part: str, done: int, total: int) -> None:
    """Report a point of the scan, or of its reference, under the name of the model or of the reference."""
    progress(f"scan of {label}" if part == "scan" else f"reference {GFN2}", done, total)
