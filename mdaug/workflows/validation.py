"""The proof of a model in short: a bond scan, a run at constant energy, a thermostatted run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers

from mdaug.analysis.drift import DriftResult, energy_drift
from mdaug.analysis.model_scan import calculated_reference
from mdaug.analysis.relax import relax
from mdaug.analysis.scan import ScanResult, bond_scan, scan_distances
from mdaug.analysis.scan_metrics import scan_metrics
from mdaug.analysis.stability import StabilityResult, stability
from mdaug.analysis.thermo_log import read_thermo
from mdaug.analysis.trajectory import open_trajectory
from mdaug.calculators.ase_calculator import MDAugCalculator
from mdaug.errors import MissingDependencyError
from mdaug.files import write_json, write_text
from mdaug.frames import FrameSet, structure_from_json
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.training_bonds import TrainingBonds, training_range_A
from mdaug.md import DynamicsOptions, run_dynamics
from mdaug.options import Options
from mdaug.quantum.calculators import GFN2
from mdaug.workflows.use_model import own_level

Progress = Callable[[str, int, int], None]
"""Called with (what, done, total)."""


class ProofOptions(Options):
    """How long and how far a model is tried."""

    scan_from: float = 0.6
    """First distance of the scan, in units of the bond's length."""

    scan_to: float = 2.5
    """Last distance of the scan, in units of the bond's length."""

    scan_step: float = 0.02
    """Distance between points of the scan in Å."""

    nve_ps: float = 10.0
    """Length of the run at constant energy."""

    nve_temperature: float = 300.0
    """Its temperature in K."""

    nvt_ps: float = 20.0
    """Length of the thermostatted run at the temperature of the frames."""

    timestep: float = 0.5
    """Time step of both runs in fs."""

    equilibration: float = 1.0
    """Langevin dynamics before both in ps."""


@dataclass(frozen=True)
class Proof:
    """What became of a model: each is None where it could not be had."""

    scan: ScanResult | None
    drift: DriftResult | None
    stability: StabilityResult
    nve_stopped: str | None
    nvt_stopped: str | None


def prove(
    model: Path, frames: FrameSet, folder: Path, options: ProofOptions, *, label: str, progress: Progress
) -> Proof:
    """Scan a bond to hydrogen and run dynamics, judged by the training `frames`; files go into `folder`."""
    calculator = MDAugCalculator(model, dtype="float64")
    training = calculator.manifest["training"]
    start = structure_from_json(training["reference_structure"])
    scan = scan_hydrogen(calculator, start, options, label=label, progress=progress)
    if scan is not None:
        write_text(folder / "scan.csv", scan.to_csv())
        write_json(folder / "scan.json", scan_metrics(scan))
    nve_stopped = _dynamics(calculator, start, folder / "nve", options, progress, ensemble="nve")
    nvt_stopped = _dynamics(
        calculator, start, folder / "nvt", options, progress, ensemble="nvt", temperature=frames.temperature_K
    )
    judged = stability(open_trajectory(folder / "nvt"), TrainingBonds.from_frames(frames), frames=frames)
    write_json(folder / "stability.json", judged.to_json())
    drift = None if nve_stopped else replace(energy_drift(read_thermo(folder / "nve")), source=label)
    if drift is not None:
        write_json(folder / "drift.json", drift.to_json())
    return Proof(scan, drift, judged, nve_stopped, nvt_stopped)


def scan_hydrogen(
    calculator: MDAugCalculator, start: Atoms, options: ProofOptions, *, label: str, progress: Progress
) -> ScanResult | None:
    """Scan the bond of a hydrogen to the heaviest atom that has one; None if no hydrogen is bonded.

    For a model of GFN2-xTB frames the reference is GFN2-xTB, and the start geometry its minimum; else the
    model's own, if it has one with the bonds of the start.
    """
    bond = hydrogen_bond(calculator.manifest["training"], start)
    if bond is None:
        return None
    reference = _reference(calculator.manifest["training"])
    atoms = _minimum(reference or calculator, start)
    length = atoms.get_distance(*bond, mic=bool(atoms.pbc.any()))
    distances = scan_distances(options.scan_from * length, options.scan_to * length, options.scan_step)
    scan = bond_scan(calculator, atoms, bond, distances, label=label, progress=partial(progress, "scan"))
    scan = replace(scan, training_range_A=training_range_A(calculator.manifest, atoms.numbers, bond))
    if reference is None:
        return scan
    return calculated_reference(scan, reference, atoms, GFN2, progress=partial(progress, "reference"))


def _minimum(calculator: Calculator, start: Atoms) -> Atoms:
    relaxed = relax(calculator, start)
    intact = relaxed.converged and np.array_equal(find_bonds(relaxed.atoms), find_bonds(start))
    return relaxed.atoms if intact else start


def hydrogen_bond(training: dict[str, Any], atoms: Atoms) -> tuple[int, int] | None:
    """Return the bond (heavy atom, hydrogen) whose heavy atom is the heaviest; the first of equals."""
    hydrogen = atomic_numbers["H"]
    bonds = [sorted(bond["atoms"], key=lambda k: -atoms.numbers[k]) for bond in training["bonds"]]
    found = [(i, j) for i, j in bonds if atoms.numbers[j] == hydrogen]
    return max(found, key=lambda bond: atoms.numbers[bond[0]], default=None)


def _reference(training: dict[str, Any]) -> Calculator | None:
    try:
        return own_level(training)
    except MissingDependencyError:
        return None


def _dynamics(
    calculator: Calculator,
    start: Atoms,
    folder: Path,
    options: ProofOptions,
    progress: Progress,
    *,
    ensemble: Literal["nve", "nvt"],
    temperature: float | None = None,
) -> str | None:
    """Run dynamics in `folder`; return why it stopped early, or None."""
    length_ps = options.nve_ps if ensemble == "nve" else options.nvt_ps
    dynamics = DynamicsOptions(
        ensemble=ensemble,
        steps=round(1000.0 * length_ps / options.timestep),
        timestep=options.timestep,
        temperature=temperature or options.nve_temperature,
        equilibration=options.equilibration,
    )

    def tell(phase: str, done: int, total: int) -> None:
        progress(f"{ensemble} {phase}", done, total)

    return run_dynamics(start, calculator, dynamics, folder, progress=tell).stopped_because
