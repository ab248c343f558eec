"""Scan of a model along a bond: distances, training range of the bond, and a reference curve beside it."""

import csv
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import atomic_numbers
from scipy.interpolate import CubicSpline

from mdaug.analysis.relax import relax
from mdaug.analysis.scan import Progress, ScanResult, bond_scan, scan_distances
from mdaug.calculators.applicability import mismatches
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.geometry.training_bonds import training_range_A

DISTANCE = "distance_A"
ENERGY = "energy_kcal_mol"

MOST_NAMED = 3
"""Points of a failing calculator that are named in a warning."""

RELATIVE_RANGE = (0.6, 2.5)
"""First and last distance of a scan in units of the bond's length, where no range is given."""

PAST_CUTOFF_A = 0.5
"""A scan of a molecule goes at least this far beyond the cutoff of the model, Å: there a model can bind an
atom that has left."""


def scan_model(
    calculator: Calculator,
    manifest: dict[str, Any],
    atoms: Atoms,
    bond: tuple[int, int],
    distances_A: FloatArray,
    *,
    label: str,
    reference: Calculator | Path | None = None,
    reference_label: str = "reference",
    reference_to_A: float = np.inf,
    leave_out_failures: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> ScanResult:
    """Scan a bond with a model, with the bond's range in the training frames and a reference curve.

    `mdaug.analysis.scan_metrics.scan_metrics` gives the metrics and verdicts of the result.

    Parameters
    ----------
    calculator
        The model as an ASE calculator.
    manifest
        Manifest of the model, for the range of the bond in its training frames and for how `atoms` differ
        from them; ``{}`` for a calculator without one.
    atoms
        Start geometry, where model and reference have zero energy; not changed.
    bond
        Two bonded atoms, 0-based, not in a ring.
    distances_A
        Distances to compute, Å; see `scan_grid`.
    label
        Name of the model, for legends and file names.
    reference
        A calculator, evaluated on the same geometries; a CSV file (see `reference_from_csv`); or None.
    reference_label
        Name of the reference calculator; a file is named by its stem.
    reference_to_A
        Last distance at which a reference calculator is evaluated, Å: a closed-shell method is wrong for a
        bond that is broken.
    leave_out_failures
        Leave out the points at which `calculator` fails, with a warning, instead of raising its error.
    progress
        Called with (``"scan"`` or ``"reference"``, points done, points in all).

    Raises
    ------
    DataError
        If the bond cannot be scanned, the model gives no finite energy, or the reference has no usable point.

    Warns
    -----
    UserWarning
        If points are left out: their distances, and the errors.
    """
    report = progress or (lambda part, done, total: None)
    scan = bond_scan(
        calculator,
        atoms,
        bond,
        distances_A,
        label=label,
        allow_failures=leave_out_failures,
        progress=partial(report, "scan"),
    )
    scan = replace(
        _without_failures(scan),
        training_range_A=training_range_A(manifest, atoms.numbers, bond),
        unlike_training=tuple(mismatches(atoms, manifest)),
    )
    if reference is None:
        return scan
    if isinstance(reference, Path):
        return reference_from_csv(scan, reference)
    return calculated_reference(
        scan,
        reference,
        atoms,
        reference_label,
        to_A=reference_to_A,
        progress=partial(report, "reference"),
    )


def _without_failures(scan: ScanResult) -> ScanResult:
    """Return the scan without the points at which the calculator failed, and warn of them."""
    if not scan.failures:
        return scan
    first, more = scan.failures[:MOST_NAMED], len(scan.failures) - MOST_NAMED
    places = ", ".join(f"{length:.4g} Å ({reason})" for length, reason in first)
    text = f"{scan.label} fails at {scan.name} lengths of {places}{f' and {more} more' * (more > 0)}"
    points = scan.without_failures()
    if len(points.distances_A) < 2:
        raise DataError(f"{text}: no curve is left; give another start with --structure, or another --range")
    warnings.warn(f"{text}: these points are left out of its curve", stacklevel=3)
    return points


def scan_grid(
    atoms: Atoms,
    bond: tuple[int, int],
    *,
    range_A: tuple[float, float] | None = None,
    relative_range: tuple[float, float] = RELATIVE_RANGE,
    reach_A: float = 0.0,
    step_A: float = 0.02,
    n_points: int | None = None,
) -> FloatArray:
    """Return the distances of a scan.

    Parameters
    ----------
    atoms
        Start geometry.
    bond
        The two atoms, 0-based.
    range_A
        First and last distance in Å; if None, `relative_range` times the bond's length in `atoms`, rounded to
        0.01 Å.
    relative_range
        First and last distance in units of the bond's length.
    reach_A
        Least last distance, Å, where `range_A` is None; see `scan_reach`.
    step_A
        Distance between points, Å.
    n_points
        Number of equally spaced points, instead of `step_A`.

    Returns
    -------
    FloatArray
        Shape (n_points,), Å, increasing.

    Raises
    ------
    DataError
        If an atom of `bond` does not exist, or the range or the step is not positive.
    """
    if max(bond) >= len(atoms) or min(bond) < 0:
        raise DataError(f"bond {bond[0]} {bond[1]}: expected atoms from 0 to {len(atoms) - 1}")
    if range_A is None:
        length = atoms.get_distance(*bond, mic=bool(atoms.pbc.any()))
        range_A = round(relative_range[0] * length, 2), max(reach_A, round(relative_range[1] * length, 2))
    distances = scan_distances(*range_A, step_A)
    return distances if n_points is None else np.linspace(*range_A, n_points)


def scan_reach(manifest: dict[str, Any], atoms: Atoms) -> float:
    """Return the distance (Å) that a scan should reach: past the model's cutoff for one molecule, else 0.

    Among several molecules or images a fragment would meet others on its way.

    Parameters
    ----------
    manifest
        Manifest of the model; ``{}`` for a calculator without one.
    atoms
        Start geometry.
    """
    alone = not atoms.pbc.any() and molecule_of_atom(len(atoms), find_bonds(atoms)).max() == 0
    return float(manifest.get("cutoff_A", 0.0)) + PAST_CUTOFF_A if alone else 0.0


def reference_end(atoms: Atoms, bond: tuple[int, int]) -> float:
    """Return the last distance (Å) at which a closed-shell reference is of use: 2.5 lengths of the bond.

    Parameters
    ----------
    atoms
        Start geometry.
    bond
        The two atoms, 0-based.
    """
    return float(RELATIVE_RANGE[1] * atoms.get_distance(*bond, mic=bool(atoms.pbc.any()))) + 1e-6


def bond_to_hydrogen(training: dict[str, Any], atoms: Atoms) -> tuple[int, int] | None:
    """Return the bond (heavy atom, hydrogen) with the heaviest heavy atom; the first of several.

    Parameters
    ----------
    training
        Entry ``"training"`` of a model's manifest, with the bonds of the training frames.
    atoms
        Structure in the atom order of the training frames.

    Returns
    -------
    tuple of int or None
        None if no hydrogen is bonded.
    """
    hydrogen = atomic_numbers["H"]
    bonds = [sorted(bond["atoms"], key=lambda k: -atoms.numbers[k]) for bond in training["bonds"]]
    to_hydrogen = [(i, j) for i, j in bonds if atoms.numbers[j] == hydrogen]
    return max(to_hydrogen, key=lambda bond: atoms.numbers[bond[0]], default=None)


def minimum_with_same_bonds(calculator: Calculator, start: Atoms) -> Atoms:
    """Return the minimum of `calculator` nearest to `start` if it has the same bonds, else `start`.

    Parameters
    ----------
    calculator
        Any ASE calculator with energy and forces.
    start
        Start geometry; not changed.
    """
    relaxed = relax(calculator, start)
    intact = relaxed.converged and np.array_equal(find_bonds(relaxed.atoms), find_bonds(start))
    return relaxed.atoms if intact else start


def calculated_reference(
    scan: ScanResult,
    calculator: Calculator,
    atoms: Atoms,
    label: str,
    *,
    to_A: float = np.inf,
    progress: Progress | None = None,
) -> ScanResult:
    """Return `scan` with the curve of another calculator for the same motion of the same atoms.

    Parameters
    ----------
    scan
        Scan of the model.
    calculator
        Calculator of the reference; points where it fails are NaN.
    atoms
        Start geometry of `scan`.
    label
        Name of the reference, for legends.
    to_A
        Last distance that is computed, Å; beyond it the reference is NaN.
    progress
        Called with (points done, points in all).

    Raises
    ------
    DataError
        If the calculator fails on every point, or at the start geometry.
    """
    wanted = scan.distances_A <= to_A
    reference = bond_scan(
        calculator,
        atoms,
        scan.bond,
        scan.distances_A[wanted],
        label=label,
        allow_failures=True,
        progress=progress,
    )
    if not np.isfinite(reference.energy_kcal_mol).any():
        raise DataError(
            f"{label} fails on every point of the scan or on its start geometry; give another reference, or "
            "none"
        )
    energies = np.full(len(wanted), np.nan)
    energies[wanted] = reference.energy_kcal_mol
    return scan.with_reference(energies, label)


def reference_from_csv(scan: ScanResult, path: Path) -> ScanResult:
    """Return `scan` with the curve of a CSV file with columns ``distance_A,energy_kcal_mol``.

    No shift is fitted, so the energy in the file must be zero at the start geometry of the scan. The points
    are interpolated by a cubic spline; outside their range the reference is NaN.

    Parameters
    ----------
    scan
        Scan of the model.
    path
        The CSV file; rows without an energy are left out.

    Raises
    ------
    DataError
        If the file is missing, lacks a column, holds something else than numbers, or fewer than 4 rows.
    """
    distances, energies = _read(path)
    spline = CubicSpline(distances, energies, extrapolate=False)
    return scan.with_reference(spline(scan.distances_A), path.stem)


def _read(path: Path) -> tuple[FloatArray, FloatArray]:
    """Return distances (Å) and energies (kcal/mol) of a reference file, in order of distance."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        points = np.array([(float(row[DISTANCE]), float(row[ENERGY])) for row in rows if row[ENERGY]])
    except OSError as error:
        raise DataError(f"{path}: cannot read the reference curve ({error.strerror})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path}: expected columns {DISTANCE},{ENERGY} of numbers ({error!r})") from error
    if len(points) < 4:
        raise DataError(f"{path}: {len(points)} points; expected at least 4 for a reference curve")
    if not np.isfinite(points).all() or np.abs(points).max() > 1e12:
        raise DataError(
            f"{path}: NaN, infinity or a number beyond 1e12; leave the energies of such points empty"
        )
    points = points[points[:, 0].argsort()]
    if (np.diff(points[:, 0]) <= 0).any():
        raise DataError(f"{path}: a distance is given twice; expected one energy for each distance")
    return points[:, 0], points[:, 1]
