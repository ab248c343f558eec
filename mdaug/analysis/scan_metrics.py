"""Metrics and verdicts of a scan curve: error, spurious minima and maxima, walls, force jumps."""

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.signal import find_peaks

from mdaug.analysis.scan import ScanResult
from mdaug.frames import FloatArray, IntArray
from mdaug.verdicts import Verdict

PROMINENCE_KCAL_MOL = 0.5
"""Least prominence of an extremum: the curve falls (rises) by more than this on both sides. Smaller extrema
are noise."""

REFERENCE_LIMIT_KCAL_MOL = 150.0
"""MD can reach the points of a scan whose energy is below this."""

ERROR_LIMIT_KCAL_MOL = 5.0
"""Largest acceptable rms error in the part of a scan that MD can reach: a barrier that is too low by this is
crossed 4000 times too often at 300 K."""

REAL_MINIMUM_WITHIN_A = 0.2
"""The real minimum is the one nearest to the start geometry, within this distance. An extremum of the model
is real if the reference has one of the same kind within this distance."""

SPURIOUS_BARRIER_WINDOW = (1.24, 1.86)
"""Range of the spurious barrier in the paper's Fig. 1, in units of the start distance: O-H 1.2 to 1.8 Å."""


def scan_metrics(scan: ScanResult) -> dict[str, Any]:
    """Return the metrics of one scan as plain numbers, ready for ``scan.json``.

    Parameters
    ----------
    scan
        The scan, with or without reference.

    Returns
    -------
    dict
        Energies in kcal/mol, distances in Å, forces in kcal/mol/Å; ``"verdicts"`` of `scan_verdicts`. All
        keys are documented in docs/validation.md.
    """
    distances, energy = scan.distances_A, scan.energy_kcal_mol
    minima, maxima = extrema(energy)
    real = _real_minimum(distances, minima, scan.zero_distance_A)
    bottom = real if real is not None else int(np.abs(distances - scan.zero_distance_A).argmin())
    inner, outer = energy[: bottom + 1][::-1], energy[bottom:]
    spurious = [int(k) for k in minima if k != real]
    return {
        "label": scan.label,
        "bond": scan.name,
        "atoms": list(scan.bond),
        "moving_atoms": list(scan.moving),
        "zero_distance_A": scan.zero_distance_A,
        "n_points": len(distances),
        "training_range_A": None if scan.training_range_A is None else list(scan.training_range_A),
        "minimum_distance_A": None if real is None else float(distances[real]),
        "minimum_energy_kcal_mol": None if real is None else float(energy[real]),
        "n_spurious_minima": len(spurious),
        "spurious_minima_A": [float(distances[k]) for k in spurious],
        "n_spurious_maxima": len(maxima),
        "spurious_maxima_A": [float(distances[k]) for k in maxima],
        "inner_wall_monotonic": largest_fall(inner) <= PROMINENCE_KCAL_MOL,
        "outer_wall_monotonic": largest_fall(outer) <= PROMINENCE_KCAL_MOL,
        "inner_wall_largest_fall_kcal_mol": largest_fall(inner),
        "outer_wall_largest_fall_kcal_mol": largest_fall(outer),
        **_force_metrics(scan),
        "failure": _failure(scan, maxima),
        "reference": _reference_metrics(scan),
        "unlike_training": list(scan.unlike_training),
        "verdicts": [verdict.to_json() for verdict in scan_verdicts(scan)],
    }


def scan_verdicts(scan: ScanResult) -> tuple[Verdict, ...]:
    """Return the verdicts on the shape of a scan curve and on its error against the reference.

    Parameters
    ----------
    scan
        The scan, with or without reference.
    """
    return _shape_verdict(scan), _error_verdict(scan)


def extrema(energy_kcal_mol: FloatArray) -> tuple[IntArray, IntArray]:
    """Return the indices of minima and maxima of a curve; its ends and extrema within noise do not count.

    Parameters
    ----------
    energy_kcal_mol
        Shape (n_points,).
    """
    minima, _ = find_peaks(-energy_kcal_mol, prominence=PROMINENCE_KCAL_MOL)
    maxima, _ = find_peaks(energy_kcal_mol, prominence=PROMINENCE_KCAL_MOL)
    return minima, maxima


def largest_fall(energy: FloatArray) -> float:
    """Return the largest fall of a curve below an earlier value; zero for a rising curve.

    Parameters
    ----------
    energy
        Shape (n_points,), from the minimum outwards.
    """
    return float(np.max(np.maximum.accumulate(energy) - energy))


def _real_minimum(distances: FloatArray, minima: IntArray, zero_distance: float) -> int | None:
    if len(minima) == 0:
        return None
    nearest = int(minima[np.abs(distances[minima] - zero_distance).argmin()])
    return nearest if abs(distances[nearest] - zero_distance) <= REAL_MINIMUM_WITHIN_A else None


def _force_metrics(scan: ScanResult) -> dict[str, float | None]:
    """Compare the forces with −dE/dd of a spline through the energies.

    A jump is the change of the force between neighboring points. If the curvature of the energies does not
    explain the jump, the curve has a kink or the force is not the gradient of the energy.
    """
    distances, force = scan.distances_A, scan.force_along_bond_kcal_mol_A
    jumps = np.diff(force)
    largest = int(np.abs(jumps).argmax())
    metrics: dict[str, float | None] = {
        "largest_force_jump_kcal_mol_A": float(abs(jumps[largest])),
        "largest_force_jump_at_A": float(distances[largest : largest + 2].mean()),
        "force_jump_implied_by_energy_kcal_mol_A": None,
        "largest_unexplained_force_jump_kcal_mol_A": None,
        "force_minus_gradient_rms_kcal_mol_A": None,
        "force_minus_gradient_max_kcal_mol_A": None,
    }
    if len(distances) < 7:
        return metrics
    slope = -CubicSpline(distances, scan.energy_kcal_mol)(distances, 1)
    implied = np.diff(slope)
    inside = slice(2, -2)  # the spline's slope is poor at its ends
    difference = (force - slope)[inside]
    return metrics | {
        "force_jump_implied_by_energy_kcal_mol_A": float(abs(implied[largest])),
        "largest_unexplained_force_jump_kcal_mol_A": float(np.abs(jumps - implied)[inside].max()),
        "force_minus_gradient_rms_kcal_mol_A": float(np.sqrt(np.mean(difference**2))),
        "force_minus_gradient_max_kcal_mol_A": float(np.abs(difference).max()),
    }


def _failure(scan: ScanResult, maxima: IntArray) -> dict[str, Any]:
    """Return whether the curve fails like the one in the paper's Fig. 1: a barrier at a short distance, then
    falling energy."""
    ratio = scan.distances_A / scan.zero_distance_A
    low, high = SPURIOUS_BARRIER_WINDOW
    barrier = next((int(k) for k in maxima if low <= ratio[k] <= high), None)
    beyond = scan.energy_kcal_mol[ratio > 1.0]
    failure: dict[str, Any] = {
        "false_barrier": barrier is not None,
        "position_A": None,
        "height_kcal_mol": None,
        "fall_kcal_mol": None,
        "falls_below_zero": bool(len(beyond) and beyond[-1] < 0),
    }
    if barrier is not None:
        after = scan.energy_kcal_mol[barrier:]
        failure["position_A"] = float(scan.distances_A[barrier])
        failure["height_kcal_mol"] = float(after[0])
        failure["fall_kcal_mol"] = float(after[0] - after.min())
    return failure


def _reference_metrics(scan: ScanResult) -> dict[str, Any] | None:
    """Return errors against the reference, and its own extrema; points without reference are left out."""
    if scan.reference_kcal_mol is None:
        return None
    has_reference = np.isfinite(scan.reference_kcal_mol)
    reference = scan.reference_kcal_mol[has_reference]
    error = scan.energy_kcal_mol[has_reference] - reference
    below = reference < REFERENCE_LIMIT_KCAL_MOL
    minima, maxima = extrema(reference)
    return {
        "label": scan.reference_label,
        "n_points": int(has_reference.sum()),
        "rmse_kcal_mol": _rms(error),
        "n_points_below_150_kcal_mol": int(below.sum()),
        "rmse_below_150_kcal_mol": _rms(error[below]),
        "largest_error_kcal_mol": float(np.abs(error).max()) if len(error) else None,
        "n_minima": len(minima),
        "n_maxima": len(maxima),
    }


MOST_NAMED = 3
"""Spurious minima and maxima whose distances a verdict gives."""


def _rms(values: FloatArray) -> float | None:
    return float(np.sqrt(np.mean(values**2))) if len(values) else None


def _shape_verdict(scan: ScanResult) -> Verdict:
    """Return an error for a spurious minimum or maximum that MD can reach, a warning for one that it
    cannot."""
    distances, energy = scan.distances_A, scan.energy_kcal_mol
    minima, maxima = extrema(energy)
    real = _real_minimum(distances, minima, scan.zero_distance_A)
    start = int(np.abs(distances - scan.zero_distance_A).argmin()) if real is None else real
    spurious = {
        "minimum": [int(k) for k in minima if k != real and not _in_reference(scan, -1.0, k)],
        "maximum": [int(k) for k in maxima if not _in_reference(scan, 1.0, k)],
    }
    places = [f"{kind} at {distances[k]:.2f} Å" for kind, indices in spurious.items() for k in indices]
    name, n = f"shape of the {scan.name} scan", len(places)
    if not places:
        return Verdict(name, "ok", 0, 0, "One minimum, and no other minimum or maximum on either side of it.")
    climbs = [
        energy[min(k, start) : max(k, start) + 1].max() for indices in spurious.values() for k in indices
    ]
    lowest = float(min(climbs))
    more = f" and {n - MOST_NAMED} more" if n > MOST_NAMED else ""
    text = f"Spurious {', '.join(places[:MOST_NAMED])}{more}; the limit is none. "
    if lowest < REFERENCE_LIMIT_KCAL_MOL:
        text += f"MD reaches it over {round(lowest)} kcal/mol and may not come back."
        return Verdict(name, "error", n, 0, text)
    text += f"It lies above {REFERENCE_LIMIT_KCAL_MOL:.0f} kcal/mol, which MD hardly reaches."
    return Verdict(name, "warning", n, 0, text)


def _in_reference(scan: ScanResult, sign: float, k: int) -> bool:
    """Return whether the reference too has a maximum (sign 1) or minimum (−1) near point `k`."""
    if scan.reference_kcal_mol is None:
        return False
    has_reference = np.isfinite(scan.reference_kcal_mol)
    peaks, _ = find_peaks(sign * scan.reference_kcal_mol[has_reference], prominence=PROMINENCE_KCAL_MOL)
    places = scan.distances_A[has_reference][peaks]
    return bool((np.abs(places - scan.distances_A[k]) <= REAL_MINIMUM_WITHIN_A).any())


def _error_verdict(scan: ScanResult) -> Verdict:
    """Compare the rms error in the part of the scan that MD can reach with `ERROR_LIMIT_KCAL_MOL`."""
    name, limit = f"error of the {scan.name} scan", ERROR_LIMIT_KCAL_MOL
    metrics = _reference_metrics(scan)
    rmse = None if metrics is None else metrics["rmse_below_150_kcal_mol"]
    if metrics is None or rmse is None:
        return Verdict(name, "cannot tell", None, limit, "No reference curve to compare with.")
    where = f"against {metrics['label']} below {REFERENCE_LIMIT_KCAL_MOL:.0f} kcal/mol"
    text = f"The rms error {where} is {rmse:.2g} kcal/mol; the limit is {limit:g}."
    return Verdict(name, "ok" if rmse <= limit else "warning", rmse, limit, text)
