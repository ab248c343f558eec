"""Bends, torsions and contacts: falls that should not be there, energies below the minimum, jumps."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from mdaug.analysis.survival import FALL_KCAL_MOL
from mdaug.errors import DataError
from mdaug.examination.curves import Curve, failures, follow, jumps
from mdaug.examination.force_field import Budget, ExaminedForceField
from mdaug.examination.results import PartResult
from mdaug.frames import IntArray, evenly_spaced
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.torsions import rotatable_torsions
from mdaug.quantum.scan_motions import Motion, default_grid, grid
from mdaug.verdicts import Level, Verdict

MOST_OF_A_KIND = 24
"""Largest number of coordinates of one kind, evenly spaced among all."""

POINTS_OF_ONE = 25
"""Usual number of points of one coordinate."""

FEWEST = 5 * POINTS_OF_ONE
"""Fewest points of all coordinates together."""

FEWEST_KNOWN = 4
"""Fewest points of a curve with an energy."""

FALLING_KCAL_MOL = 1.0
"""Largest fall of the energy of a bend or contact that leaves the minimum, where MD can reach it."""

MOST_EXTREMA = 12
"""Most minima and maxima of a torsion: a sixfold one has twelve."""


def examine_shapes(examined: ExaminedForceField, budget: Budget) -> PartResult:
    """Follow bends, torsions, and pairs of atoms that are pushed together.

    Parameters
    ----------
    examined
        The force field.
    budget
        Decides the number of coordinates.
    """
    if not examined.is_one_molecule:
        return PartResult.not_run("Bends, torsions and contacts are scanned for one molecule without a cell.")
    atoms = examined.minimum
    kinds = coordinates(atoms.numbers, find_bonds(atoms), atoms.get_all_distances())
    asked = budget.evaluations(at_least=FEWEST, at_most=3 * MOST_OF_A_KIND * POINTS_OF_ONE)
    each = max(2, asked // (3 * POINTS_OF_ONE))
    tried = [curve for motions in kinds.values() for curve in _follow(examined, motions, each)]
    curves = [curve for curve in tried if len(curve.values) >= FEWEST_KNOWN]
    if not curves:
        return PartResult.not_run("No bend, torsion or contact can be scanned, or no energy is finite.")
    checks = [*_of_kinds(curves), _below(curves), jumps(curves), *failures(tried)]
    return PartResult(tuple(checks), {"curves": [curve.to_json() for curve in curves]})


def coordinates(numbers: IntArray, bonds: IntArray, distances: np.ndarray) -> dict[str, list[Motion]]:
    """Return the bends, torsions and contacts of a molecule.

    Contacts are pairs of atoms that are neither bonded nor bonded to a common atom, the nearest first.

    Parameters
    ----------
    numbers
        Atomic numbers, shape (n_atoms,).
    bonds
        Shape (n_bonds, 2), i < j.
    distances
        Distances of all pairs of atoms, shape (n_atoms, n_atoms), Å.
    """
    n, pairs = len(numbers), {(int(i), int(j)) for i, j in bonds}
    neighbors = [sorted(j for i, j in pairs | {p[::-1] for p in pairs} if i == k) for k in range(n)]
    bends = [(i, j, k) for j in range(n) for i in neighbors[j] for k in neighbors[j] if i < k]
    close = pairs | {(i, k) for i, _, k in bends}
    far = [(i, j) for i in range(n) for j in range(i + 1, n) if (i, j) not in close]
    torsions = [tuple(map(int, torsion)) for torsion in rotatable_torsions(numbers, bonds)]
    return {
        "angle": [Motion("angle", bend) for bend in bends],
        "torsion": [Motion("torsion", torsion) for torsion in torsions],
        "approach": [Motion("approach", pair) for pair in sorted(far, key=lambda pair: distances[pair])],
    }


def _follow(examined: ExaminedForceField, motions: Sequence[Motion], most: int) -> Iterator[Curve]:
    """Yield the curves of evenly spaced ones of the motions; a bend in a ring has none."""
    if motions and motions[0].kind != "approach":
        motions = [motions[k] for k in evenly_spaced(len(motions), most)]
    for motion in motions[:most]:
        with suppress(DataError):
            yield follow(examined, motion, grid(*default_grid(motion, examined.minimum)))


def _of_kinds(curves: list[Curve]) -> Iterator[Verdict]:
    """Yield the check of the minima of each kind of coordinate."""
    for kind, name in (("angle", "bends"), ("approach", "contacts")):
        of_kind = [curve for curve in curves if curve.kind == kind]
        if of_kind:
            wrong = sum(curve.largest_fall[0] > FALLING_KCAL_MOL for curve in of_kind)
            worst = max(of_kind, key=lambda curve: curve.largest_fall[0])
            fall, at = worst.largest_fall
            text = f"The energy of {len(of_kind)} {name} rises on both sides of the minimum"
            if wrong:
                unit = "°" if kind == "angle" else " Å"
                text = (
                    f"The energy falls in {wrong} of {len(of_kind)} {name} that leave the minimum, by up to "
                    f"{fall:.2g} kcal/mol: {worst.name}, at {at:.3g}{unit}"
                )
            text += f"; the limit is {FALLING_KCAL_MOL:g}."
            yield Verdict(name, _level(not wrong), fall, FALLING_KCAL_MOL, text)
    torsions = [curve for curve in curves if curve.kind == "torsion"]
    if torsions:
        roughest = max(torsions, key=lambda curve: curve.n_extrema)
        n = roughest.n_extrema
        text = f"{roughest.name} has {n} minima and maxima; a sixfold torsion has {MOST_EXTREMA}."
        yield Verdict("torsions", _level(n <= MOST_EXTREMA), n, MOST_EXTREMA, text)


def _below(curves: list[Curve]) -> Verdict:
    """Return the check that no curve falls far below the minimum."""
    lowest = min(curves, key=lambda curve: curve.lowest_kcal_mol)
    value = lowest.lowest_kcal_mol
    text = f"No curve falls below the minimum by more than {max(-value, 0.0):.2g} kcal/mol"
    if value < -FALL_KCAL_MOL:
        text = f"Along {lowest.name} the energy falls {-value:.3g} kcal/mol below the minimum"
    text += f"; the limit is {FALL_KCAL_MOL:g}."
    return Verdict("below the minimum", _level(value >= -FALL_KCAL_MOL), -value, FALL_KCAL_MOL, text)


def _level(passes: Any) -> Level:
    return "ok" if passes else "error"
