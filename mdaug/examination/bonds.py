"""Every bond from compression to beyond the cutoff: extrema, walls, jumps, curvature, dissociation."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import scan_metrics, scan_verdicts
from mdaug.examination.bond_scans import scan_bonds, scanned_bonds
from mdaug.examination.curves import Curve, curve_of_scan, failures, jumps
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import IS_COMPLETE, PartResult
from mdaug.verdicts import Level, Verdict

FEWEST, MOST = 40, 150
"""Limits of the number of distances for each bond."""

FEWEST_KNOWN = 7
"""Fewest points of a scan with an energy."""

WALL_KCAL_MOL = 50.0
"""Least energy of a bond compressed to 0.6 of its length; those of C-C and O-H are above 130 there."""

STIFFNESS_KCAL_MOL_A2 = (50.0, 6000.0)
"""Limits of the curvature along a bond at its minimum; N≡N, the stiffest, has 3300 (22.95 mdyn/Å)."""

WEAKEST_KCAL_MOL = 20.0
"""Least energy of a parted bond; that of F-F, one of the weakest covalent bonds, is 38."""

LAST_FORCE_KCAL_MOL_A = 5.0
"""Largest force along the bond at the last distance: the fragments no longer act on each other."""


def examine_bonds(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Scan every bond that is not in a ring, to 0.5 Å beyond the cutoff of the force field.

    Parameters
    ----------
    examined
        The force field.
    budget
        Decides the number of distances, and when no further bond is scanned.
    """
    if not examined.is_one_molecule:
        return PartResult.not_run("Bonds are scanned for one molecule without a cell only.")
    until = time.monotonic() + budget.seconds_of_all
    bonds = scanned_bonds(examined)
    if not bonds:
        return PartResult.not_run("No bond can be scanned: all are in rings.")
    n_points = budget.evaluations(at_least=FEWEST * len(bonds), at_most=MOST * len(bonds)) // len(bonds)
    tried = scan_bonds(examined, bonds, n_points, until)
    all_curves = [curve_of_scan(scan) for scan in tried]
    shaped = [pair for pair in zip(all_curves, tried, strict=True) if len(pair[0].values) >= FEWEST_KNOWN]
    if not shaped:
        return PartResult.not_run("No bond can be scanned: no energy is finite.")
    curves, scans = [curve for curve, _ in shaped], [scan.without_failures() for _, scan in shaped]
    checks = (
        _extrema(scans),
        *_at_end(0, curves, _walls),
        jumps(curves),
        _curvatures(curves),
        *_at_end(1, curves, _dissociation),
        *failures(all_curves),
        *_unscanned(len(tried), len(bonds)),
    )
    figures = {
        "n_bonds": len(bonds),
        "n_scanned": len(tried),
        IS_COMPLETE: len(tried) == len(bonds),
        "curves": [_with_metrics(*pair) for pair in zip(curves, scans, strict=True)],
    }
    return PartResult(checks, figures)


def _unscanned(n_scanned: int, n_bonds: int) -> tuple[Verdict, ...]:
    """Return a check that decides nothing where the time ended before all bonds were scanned; else none."""
    if n_scanned == n_bonds:
        return ()
    text = f"{n_scanned} of {n_bonds} bonds were scanned in the time (--minutes); --resume scans the others."
    return (Verdict("scanned bonds", "cannot tell", n_scanned, n_bonds, text),)


def _extrema(scans: list[ScanResult]) -> Verdict:
    wrong = [(scan, shape) for scan in scans if (shape := scan_verdicts(scan)[0]).verdict == "error"]
    level: Level = "error" if wrong else "ok"
    text = f"None of {len(scans)} bonds has a second minimum or a maximum that MD can reach."
    if wrong:
        scan, shape = wrong[0]
        text = f"{len(wrong)} of {len(scans)} bonds have extrema that should not be there; {scan.name}: "
        text += f"{shape.text[:1].lower()}{shape.text[1:]}"
    return Verdict("extrema", level, len(wrong), 0, text)


def _at_end(
    end: int, curves: list[Curve], judge: Callable[[list[Curve]], tuple[Verdict, ...]]
) -> Iterator[Verdict]:
    """Yield the checks of the first (0) or last (1) points of the curves, and one that decides nothing where
    the calculator fails at some of these points."""
    complete = [curve for curve in curves if curve.has_ends[end]]
    if complete:
        yield from judge(complete)
    short = [curve.name for curve in curves if not curve.has_ends[end]]
    if short:
        name = f"{('first', 'last')[end]} distance"
        text = f"The calculator fails at the {name} of {len(short)} of {len(curves)} bonds: {short[0]}."
        yield Verdict(name, "cannot tell", len(short), 0, text)


def _walls(curves: list[Curve]) -> tuple[Verdict]:
    """Return the check that compression to 0.6 of the length costs energy."""
    lowest = min(curves, key=lambda curve: float(curve.energy_kcal_mol[0]))
    value = float(lowest.energy_kcal_mol[0])
    text = (
        f"Compressed to {lowest.values[0]:.2f} Å, {lowest.name} has {value:.0f} kcal/mol; at least "
        f"{WALL_KCAL_MOL:g} are expected of every bond."
    )
    level: Level = "ok" if value >= WALL_KCAL_MOL else "error"
    return (Verdict("walls", level, value, f"≥ {WALL_KCAL_MOL:g}", text),)


def _curvatures(curves: list[Curve]) -> Verdict:
    """Return the check that bonds are neither soft nor stiffer than any that exists."""
    low, high = STIFFNESS_KCAL_MOL_A2
    stiffness = [(float(curve.curvature_kcal_mol_A2 or 0.0), curve.name) for curve in curves]
    (least, softest), (most, stiffest) = min(stiffness), max(stiffness)
    text = (
        f"Curvatures from {least:.0f} ({softest}) to {most:.0f} kcal/mol/Å² ({stiffest}); the limits are "
        f"{low:g} and {high:g}."
    )
    within = low <= least and most <= high
    value = least if least < low else most
    return Verdict("curvature", "ok" if within else "error", value, f"{low:g} to {high:g}", text)


def _dissociation(curves: list[Curve]) -> tuple[Verdict, Verdict]:
    """Return the checks that a parted bond has cost energy, and that the fragments no longer interact."""
    ends = [float(curve.energy_kcal_mol[-1] - curve.energy_kcal_mol.min()) for curve in curves]
    k = int(np.argmin(ends))
    text = (
        f"At {curves[k].values[-1]:.1f} Å, {curves[k].name} lies {ends[k]:.0f} kcal/mol above its minimum; "
        f"at least {WEAKEST_KCAL_MOL:g} are expected of every bond."
    )
    bound = ends[k] >= WEAKEST_KCAL_MOL
    level: Level = "ok" if bound else "error"
    energy = Verdict("energy of dissociation", level, ends[k], f"≥ {WEAKEST_KCAL_MOL:g}", text)
    slopes = [abs(float(curve.work_kcal_mol[-1] / np.diff(curve.values[-2:])[0])) for curve in curves]
    k = int(np.argmax(slopes))
    text = (
        f"At {curves[k].values[-1]:.1f} Å the force along {curves[k].name} is {slopes[k]:.2g} kcal/mol/Å; "
        f"the limit is {LAST_FORCE_KCAL_MOL_A:g}."
    )
    parted = slopes[k] <= LAST_FORCE_KCAL_MOL_A
    force = Verdict(
        "force after dissociation", "ok" if parted else "error", slopes[k], LAST_FORCE_KCAL_MOL_A, text
    )
    return energy, force


def _with_metrics(curve: Curve, scan: ScanResult) -> dict[str, Any]:
    left_out = ("label", "verdicts", "reference", "unlike_training", "moving_atoms", "n_points")
    metrics = {key: value for key, value in scan_metrics(scan).items() if key not in left_out}
    return curve.to_json() | {"scan": metrics}
