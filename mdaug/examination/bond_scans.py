"""Scans of the bonds of a molecule while the time lasts, continued by a later examination."""

import json
import time
from typing import Any

import numpy as np

from mdaug.analysis.model_scan import scan_grid, scan_reach
from mdaug.analysis.scan import ScanResult, bond_scan
from mdaug.archives import read_json
from mdaug.errors import DataError
from mdaug.examination.force_field import ExaminedForceField
from mdaug.files import write_text
from mdaug.frames import evenly_spaced
from mdaug.geometry.bonds import find_bonds, sides

MOST_BONDS = 40
"""Largest number of bonds that are scanned, evenly spaced among all."""

REACH_A = 6.0
"""Last distance of the scan of a calculator whose cutoff is unknown, at least."""

FILE = "bonds.json"
"""Scans of an examination whose time ended before all bonds were scanned."""

_ARRAYS = ("distances_A", "energy_kcal_mol", "force_along_bond_kcal_mol_A")
_KEPT = ("label", "bond", "name", "moving", "zero_distance_A", *_ARRAYS)


def scanned_bonds(examined: ExaminedForceField) -> list[tuple[int, int]]:
    """Return the bonds of the minimum that are not in a ring, `MOST_BONDS` at most.

    Parameters
    ----------
    examined
        The force field.
    """
    atoms = examined.minimum
    bonds = find_bonds(atoms)
    some = [(int(i), int(j)) for i, j in bonds[evenly_spaced(len(bonds), MOST_BONDS)]] if len(bonds) else []
    return [bond for bond in some if sides(len(atoms), bonds, bond) is not None]


def scan_bonds(
    examined: ExaminedForceField, bonds: list[tuple[int, int]], n_points: int, until: float
) -> list[ScanResult]:
    """Scan bonds while the time lasts, at least one, with NaN where the calculator fails.

    Scans of an earlier examination whose time ended, of the same force field from the same minimum, are not
    repeated.

    Parameters
    ----------
    examined
        The force field.
    bonds
        From `scanned_bonds`.
    n_points
        Number of distances of each bond.
    until
        When the time ends, by `time.monotonic`.
    """
    scans = _earlier(examined)
    for n, bond in enumerate(bond for bond in bonds if bond not in scans):
        if n and time.monotonic() >= until:
            break
        scans[bond] = _scan(examined, bond, n_points)
    unfinished = examined.folder / FILE
    if len(scans) < len(bonds):
        content = _start(examined) | {"scans": [_to_json(scan) for scan in scans.values()]}
        examined.folder.mkdir(parents=True, exist_ok=True)
        write_text(unfinished, json.dumps(content))  # where the calculator fails, it has NaN
    else:
        unfinished.unlink(missing_ok=True)
    return [scans[bond] for bond in bonds if bond in scans]


def _scan(examined: ExaminedForceField, bond: tuple[int, int], n_points: int) -> ScanResult:
    atoms = examined.minimum
    reach = scan_reach(examined.manifest, atoms) if examined.manifest else REACH_A
    distances = scan_grid(atoms, bond, reach_A=reach, n_points=n_points)
    return bond_scan(examined.calculator, atoms, bond, distances, allow_failures=True)


def _start(examined: ExaminedForceField) -> dict[str, Any]:
    """Return structure and energy of the minimum, by which the force field of a file is known."""
    energy, _ = examined.evaluate(examined.minimum)
    atoms = examined.minimum
    return {"numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist(), "energy": energy}


def _earlier(examined: ExaminedForceField) -> dict[tuple[int, int], ScanResult]:
    """Return the scans in the folder of the examination from the same minimum."""
    path = examined.folder / FILE
    if not path.exists():
        return {}
    start = _start(examined)
    try:
        content = read_json(path, "scans of bonds")
        same = all(np.allclose(content[key], start[key], rtol=0, atol=1e-6) for key in start)
        scans = [_from_json(entry) for entry in content["scans"]] if same else []
    except (DataError, KeyError, TypeError, ValueError):
        return {}
    return {scan.bond: scan for scan in scans}


def _to_json(scan: ScanResult) -> dict[str, Any]:
    entry = {key: getattr(scan, key) for key in _KEPT}
    return entry | {key: entry[key].tolist() for key in _ARRAYS}


def _from_json(entry: dict[str, Any]) -> ScanResult:
    arrays = {key: np.array(entry[key], dtype=float) for key in _ARRAYS}
    i, j = entry["bond"]
    return ScanResult(**entry | arrays | {"bond": (int(i), int(j)), "moving": tuple(entry["moving"])})
