"""Bond scan of a model after its training."""

import contextlib
from pathlib import Path
from typing import Any

from mdaug.analysis.model_scan import (
    RELATIVE_RANGE,
    bond_to_hydrogen,
    minimum_with_same_bonds,
    reference_end,
    scan_grid,
    scan_model,
    scan_reach,
)
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.trained_systems import manifest_for
from mdaug.errors import DataError, MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.quantum.calculators import GFN2
from mdaug.workflows.settings.workflow_options import ValidationOptions
from mdaug.workflows.use_model import own_level, start_structure

MOST_ATOMS_OF_REFERENCE = 60
"""Largest number of atoms for a relaxation and a GFN2-xTB reference before the scan; larger systems would
take minutes."""


def scan_bond_to_hydrogen(
    model: Path,
    folder: Path,
    options: ValidationOptions,
    *,
    label: str,
    system: str | None = None,
) -> ScanResult | None:
    """Scan the bond of a hydrogen to the heaviest atom that has one; write ``scan.csv`` and ``scan.json``.

    For a model of GFN2-xTB frames the reference is GFN2-xTB, and the start geometry its minimum; else the
    start is the model's own minimum, if it has one with the bonds of the lowest training frame.

    Parameters
    ----------
    model
        The model.pt.
    folder
        Output folder.
    options
        Range and step of the scan.
    label
        Name of the model, for legends.
    system
        Label of the system, for a model of several.

    Returns
    -------
    ScanResult or None
        None if no hydrogen is bonded, or the bond cannot be scanned.
    """
    calculator = MDAugCalculator(model, dtype="float64", strict=None)
    atoms = start_structure(calculator.manifest, model, system)
    manifest = manifest_for(calculator.manifest, atoms)
    training = manifest["training"]
    bond = bond_to_hydrogen(training, atoms)
    if bond is None:
        return None
    reference = None
    if len(atoms) <= MOST_ATOMS_OF_REFERENCE:
        reference = _reference(training)
        atoms = minimum_with_same_bonds(reference or calculator, atoms)
    distances = scan_grid(
        atoms,
        bond,
        relative_range=(options.scan_from, options.scan_to or RELATIVE_RANGE[1]),
        reach_A=scan_reach(manifest, atoms) if options.scan_to is None else 0.0,
        step_A=options.scan_step,
    )
    try:
        scan = scan_model(
            calculator,
            manifest,
            atoms,
            bond,
            distances,
            label=label,
            reference=reference,
            reference_label=GFN2,
            reference_to_A=reference_end(atoms, bond) if options.scan_to is None else float("inf"),
        )
    except DataError:  # the bond is part of a ring, or an energy is not finite
        return None
    write_text(folder / "scan.csv", scan.to_csv())
    write_json(folder / "scan.json", scan_metrics(scan))
    return scan


def _reference(training: dict[str, Any]) -> Any:
    """Return the calculator of the frames' level of theory, None if it is not available."""
    with contextlib.suppress(MissingDependencyError):
        return own_level(training)
    return None
