"""Short validation of a model: bond scan, energy drift, stability, survival at high temperature."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from mdaug.analysis.drift import DriftResult, energy_drift
from mdaug.analysis.model_scan import (
    RELATIVE_RANGE,
    bond_to_hydrogen,
    minimum_with_same_bonds,
    reference_end,
    scan_grid,
    scan_model,
    scan_reach,
)
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics, scan_verdicts
from mdaug.analysis.stability import StabilityResult, stability
from mdaug.analysis.survival import SurvivalResult, survival
from mdaug.analysis.thermo_log import read_thermo
from mdaug.analysis.trajectory import open_trajectory, structures_before
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.calculators.trained_systems import manifest_for
from mdaug.errors import DataError, MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.frames import FrameSet, structure_from_json
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.md import DynamicsOptions, DynamicsResult
from mdaug.quantum.calculators import GFN2
from mdaug.reports.molecule import MoleculeView
from mdaug.verdicts import Verdict
from mdaug.workflows.dynamics import prepare_run, run_model
from mdaug.workflows.options import ModelRunOptions, ValidationOptions
from mdaug.workflows.progress import Progress
from mdaug.workflows.use_model import own_level, start_structure

MOST_ATOMS_OF_REFERENCE = 60
"""Largest number of atoms for a relaxation and a GFN2-xTB reference before the scan; larger systems would
take minutes."""


@dataclass(frozen=True)
class Validation:
    """Results of the validation of one model.

    Parameters
    ----------
    scan
        None if no hydrogen is bonded.
    drift
        None if the run at constant energy was stopped.
    stability
        Stability of the run at the temperature of the frames.
    survival
        Survival of the hot runs; None if several runs at once are not possible (periodic systems).
    nve_stopped, nvt_stopped
        Reason why the guard stopped a run; None for a complete run.
    failure
        The last frames of the hot run that failed first, None if none did.
    """

    scan: ScanResult | None
    drift: DriftResult | None
    stability: StabilityResult
    survival: SurvivalResult | None
    nve_stopped: str | None
    nvt_stopped: str | None
    failure: MoleculeView | None

    @property
    def verdicts(self) -> list[Verdict]:
        """The verdicts of all parts."""
        drift = None if self.drift is None else self.drift.verdict
        if drift is None:
            text = f"The run was stopped: {self.nve_stopped}."
            drift = Verdict("energy drift", "error", None, None, text)
        survived = [] if self.survival is None else [self.survival.verdict]
        scan = [] if self.scan is None else scan_verdicts(self.scan)
        return [*survived, *scan, *self.stability.verdicts, drift]


def validate(
    model: Path,
    frames: FrameSet,
    folder: Path,
    options: ValidationOptions,
    *,
    scan: ScanResult | None,
    label: str,
    progress: Progress,
) -> Validation:
    """Run dynamics with a model and compare them with the training frames.

    Parameters
    ----------
    model
        The model.pt.
    frames
        Its training frames.
    folder
        Folder for the runs ``nve/``, ``nvt/`` and ``hot/`` and the results as JSON.
    options
        Lengths and temperatures of the runs.
    scan
        The scan made after the training, see `scan_bond_to_hydrogen`.
    label
        Name of the model, for legends.
    progress
        Called with (what, done, total).
    """
    bonds = TrainingBonds.from_frames(frames)
    conditions: dict[str, Any] = {"length_ps": options.nve_ps, "temperature": options.nve_temperature}
    (nve,) = _run(model, folder / "nve", options, progress, ensemble="nve", **conditions)
    conditions = {"length_ps": options.nvt_ps, "temperature": frames.temperature_K or options.nve_temperature}
    (nvt,) = _run(model, folder / "nvt", options, progress, **conditions)
    judged = stability(open_trajectory(folder / "nvt"), bonds, frames=frames)
    write_json(folder / "stability.json", judged.to_json())
    drift = None
    if not nve.stopped_because:
        drift = replace(energy_drift(read_thermo(folder / "nve")), source=label)
        write_json(folder / "drift.json", drift.to_json())
    lives = _hot_runs(model, bonds, folder / "hot", options, progress)
    return Validation(
        scan=scan,
        drift=drift,
        stability=judged,
        survival=lives,
        nve_stopped=nve.stopped_because,
        nvt_stopped=nvt.stopped_because,
        failure=None if lives is None else _first_failure(folder / "hot", lives, bonds),
    )


def scan_bond_to_hydrogen(
    model: Path,
    folder: Path,
    options: ValidationOptions,
    *,
    label: str,
    system: str | None = None,
    progress: Progress | None = None,
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
    progress
        Called with (``"scan"`` or ``"reference"``, points done, points in all).

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
            progress=progress,
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


def _run(
    model: Path,
    folder: Path,
    options: ValidationOptions,
    progress: Progress,
    *,
    length_ps: float,
    temperature: float,
    ensemble: Literal["nve", "nvt"] = "nvt",
    replicas: int = 1,
) -> Sequence[DynamicsResult]:
    """Run dynamics from the lowest training frame in `folder`."""
    dynamics = DynamicsOptions(
        ensemble=ensemble,
        steps=round(1000.0 * length_ps / options.timestep),
        timestep=options.timestep,
        temperature=temperature,
        equilibration=options.equilibration,
    )
    run = prepare_run(model, ModelRunOptions(dtype="float64", replicas=replicas), dynamics, folder)
    return run_model(run, folder, lambda phase, done, total: progress(f"{folder.name} {phase}", done, total))


def _hot_runs(
    model: Path, bonds: TrainingBonds, folder: Path, options: ValidationOptions, progress: Progress
) -> SurvivalResult | None:
    """Run replicas at the high temperature; None where replicas are not possible."""
    n_runs = options.hot_replicas
    conditions: dict[str, Any] = {"length_ps": options.hot_ps, "temperature": options.hot_temperature}
    try:
        results = _run(model, folder, options, progress, replicas=n_runs, **conditions)
    except DataError:  # periodic, or a linear molecule: the core cannot integrate several replicas
        return None
    calculator = MDAugCalculator(model, dtype="float64", strict=None)
    relaxed = relax(calculator, structure_from_json(calculator.manifest["training"]["reference_structure"]))
    lives = survival(
        [folder / f"replica-{k}" for k in range(n_runs)],
        [result.stopped_because for result in results],
        bonds,
        temperature_K=options.hot_temperature,
        duration_ps=options.hot_ps,
        minimum_eV=relaxed.energy_eV if relaxed.converged else None,
        frames_temperature_K=calculator.manifest["training"].get("temperature_K"),
    )
    write_json(folder.parent / "survival.json", lives.to_json())
    return lives


def _first_failure(folder: Path, lives: SurvivalResult, bonds: TrainingBonds) -> MoleculeView | None:
    """Return the last structures of the run that failed first."""
    if lives.first_failure is None:
        return None
    life = lives.lives[lives.first_failure]
    structures = structures_before(open_trajectory(folder / f"replica-{lives.first_failure}"), life.lived_ps)
    drawn = bonds.bonds if life.broken_bond is not None else find_bonds(structures[-1])
    return MoleculeView(structures, drawn, life.broken_bond, f"{life.failure}, after {life.lived_ps:.3g} ps.")
