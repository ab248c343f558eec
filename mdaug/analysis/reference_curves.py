"""Reference curves for scans: from any calculator at the very same geometries, or from a file."""

import csv
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from scipy.interpolate import CubicSpline

from mdaug.analysis.scan import Progress, ScanResult, bond_scan
from mdaug.errors import DataError
from mdaug.frames import FloatArray

DISTANCE = "distance_A"
ENERGY = "energy_kcal_mol"


def calculated_reference(
    scan: ScanResult,
    calculator: Calculator,
    atoms: Atoms,
    label: str,
    *,
    progress: Progress | None = None,
) -> ScanResult:
    """Return `scan` with the curve of `calculator` for the same motion of the same `atoms`.

    Points where the calculator fails are left unknown.
    """
    reference = bond_scan(
        calculator, atoms, scan.bond, scan.distances_A, label=label, allow_failures=True, progress=progress
    )
    if not np.isfinite(reference.energy_kcal_mol).any():
        raise DataError(f"{label} fails on every point of the scan or on its start geometry")
    return scan.with_reference(reference.energy_kcal_mol, label)


def reference_from_csv(scan: ScanResult, path: Path) -> ScanResult:
    """Return `scan` with the curve of a CSV file with columns ``distance_A,energy_kcal_mol``.

    Energies are taken as they are, so the file must have its zero at the geometry of the scan: no shift is
    fitted. A cubic spline goes through the points; beyond them the reference is unknown.

    Raises
    ------
    DataError
        If the file is missing, lacks a column, holds something else than numbers, or fewer than 4 rows.
    """
    distances, energies = _read(path)
    spline = CubicSpline(distances, energies, extrapolate=False)
    return scan.with_reference(spline(scan.distances_A), path.stem)


def _read(path: Path) -> tuple[FloatArray, FloatArray]:
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
        raise DataError(f"{path}: NaN, infinity or an absurd number; leave the energies of such points empty")
    points = points[points[:, 0].argsort()]
    if (np.diff(points[:, 0]) <= 0).any():
        raise DataError(f"{path}: a distance comes twice; expected one energy for each")
    return points[:, 0], points[:, 1]
