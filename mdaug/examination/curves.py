"""Energy along one coordinate, and the tests of such a curve."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import compress, pairwise
from typing import NamedTuple

import numpy as np
from ase import Atoms
from scipy.interpolate import CubicSpline

from mdaug.analysis.scan import ScanResult
from mdaug.analysis.scan_metrics import PROMINENCE_KCAL_MOL, REFERENCE_LIMIT_KCAL_MOL, extrema
from mdaug.calculators.failures import calculator_failed
from mdaug.examination.force_field import ExaminedForceField
from mdaug.frames import FloatArray
from mdaug.quantum.scan_motions import Motion
from mdaug.verdicts import Level, Verdict

JUMP_KCAL_MOL, JUMP_SHARE = 0.5, 0.1
"""Largest difference between the change of the energy from one point to the next and the work of the forces:
a constant, and a share of the change (the curvature of steep walls)."""

FINER = 8
"""Parts of an interval, where the work between its ends does not explain the change of the energy."""

FAILED_SHARE = 0.1
"""Largest share of the points of a curve at which the calculator may fail; more leave its shape unknown."""


@dataclass(frozen=True)
class Curve:
    """A curve along one coordinate; points at which the calculator fails are left out.

    Parameters
    ----------
    name
        Coordinate and atoms, for example ``angle C0-O2-H8``.
    kind
        ``"bond"``, ``"angle"``, ``"torsion"`` or ``"approach"``.
    zero
        Value at the minimum, Å or degrees.
    values
        Shape (n_points,), Å or degrees, increasing.
    energy_kcal_mol
        Shape (n_points,), relative to the minimum.
    work_kcal_mol
        Shape (n_points − 1,): −∫ F·dr from each point to the next; the change of the energy where points
        between them are left out.
    n_failed
        Number of points left out.
    has_ends
        Whether the first and the last point are not left out.
    """

    name: str
    kind: str
    zero: float
    values: FloatArray
    energy_kcal_mol: FloatArray
    work_kcal_mol: FloatArray
    n_failed: int
    has_ends: tuple[bool, bool]

    @property
    def start(self) -> int:
        """Index of the point nearest to the minimum."""
        return int(np.abs(self.values - self.zero).argmin())

    @property
    def climb_kcal_mol(self) -> FloatArray:
        """Highest energy on the way from the minimum to each point, shape (n_points,)."""
        outer = np.maximum.accumulate(self.energy_kcal_mol[self.start :])
        inner = np.maximum.accumulate(self.energy_kcal_mol[: self.start + 1][::-1])[::-1]
        return np.concatenate([inner[:-1], outer])

    @property
    def within_reach(self) -> np.ndarray:
        """Whether MD can reach each point: the climb is below 150 kcal/mol; shape (n_points,)."""
        return np.asarray(self.climb_kcal_mol < REFERENCE_LIMIT_KCAL_MOL)

    @property
    def extra_minima(self) -> list[float]:
        """Values at minima that MD can reach, other than that of the start."""
        minima, _ = extrema(self.energy_kcal_mol)
        behind = self.climb_kcal_mol - self.energy_kcal_mol > PROMINENCE_KCAL_MOL
        return [float(self.values[k]) for k in minima if self.within_reach[k] and behind[k]]

    @property
    def largest_fall(self) -> tuple[float, float]:
        """Largest fall below an earlier energy on the way from the minimum, within reach, and the value of
        the coordinate where it ends."""
        falls = np.where(self.within_reach, self.climb_kcal_mol - self.energy_kcal_mol, 0.0)
        k = int(falls.argmax())
        return float(falls[k]), float(self.values[k])

    @property
    def n_extrema(self) -> int:
        """Number of minima and maxima; ends do not count."""
        return sum(map(len, extrema(self.energy_kcal_mol)))

    @property
    def lowest_kcal_mol(self) -> float:
        """Lowest energy that MD can reach."""
        return float(self.energy_kcal_mol[self.within_reach].min(initial=0.0))

    @property
    def largest_jump(self) -> float:
        """Largest change of the energy within reach that the forces do not explain, in units of its limit."""
        change = np.diff(self.energy_kcal_mol)
        within = self.within_reach[:-1] & self.within_reach[1:]
        excess = np.abs(change - self.work_kcal_mol) / (JUMP_KCAL_MOL + JUMP_SHARE * np.abs(change))
        return float(excess[within].max(initial=0.0))

    @property
    def curvature_kcal_mol_A2(self) -> float | None:
        """Second derivative of the energy at its minimum, for distances of at least four points."""
        if len(self.values) < 4 or self.kind not in ("bond", "approach"):
            return None
        return float(CubicSpline(self.values, self.energy_kcal_mol)(self.zero, 2))

    def to_json(self) -> dict[str, object]:
        """Return the curve with its tests."""
        return {
            "name": self.name,
            "kind": self.kind,
            "zero": self.zero,
            "values": np.round(self.values, 4).tolist(),
            "energy_kcal_mol": np.round(self.energy_kcal_mol, 4).tolist(),
            "extra_minima": self.extra_minima,
            "largest_fall_kcal_mol": self.largest_fall[0],
            "n_extrema": self.n_extrema,
            "lowest_within_reach_kcal_mol": self.lowest_kcal_mol,
            "largest_jump_in_limits": self.largest_jump,
            "curvature_kcal_mol_A2": self.curvature_kcal_mol_A2,
            "n_failed": self.n_failed,
        }


def curve_of_scan(scan: ScanResult) -> Curve:
    """Return the curve of a bond scan; points without an energy are left out.

    Parameters
    ----------
    scan
        The scan.
    """
    has_energy = scan.is_known
    distances, force = scan.distances_A[has_energy], scan.force_along_bond_kcal_mol_A[has_energy]
    energy, n_failed = scan.energy_kcal_mol[has_energy], int((~has_energy).sum())
    work = np.empty(0)
    if len(distances) > 1:
        work = -np.diff(CubicSpline(distances, force).antiderivative()(distances))
        work = np.where(np.diff(np.flatnonzero(has_energy)) > 1, np.diff(energy), work)
    has_ends = bool(has_energy[0]), bool(has_energy[-1])
    name, zero = f"bond {scan.name}", scan.zero_distance_A
    return Curve(name, "bond", zero, distances, energy, work, n_failed, has_ends)


def jumps(curves: list[Curve]) -> Verdict:
    """Return the check that forces explain every change of the energy from point to point.

    Parameters
    ----------
    curves
        At least one.
    """
    worst = max(curves, key=lambda curve: curve.largest_jump)
    value = worst.largest_jump
    level: Level = "ok" if value <= 1.0 else "error"
    if level == "ok":
        text = "Along all curves the energy changes by the work of the forces."
    else:
        text = (
            f"Along {worst.name} the energy does not change by the work of the forces: the difference is "
            f"{value:.3g} times its limit."
        )
    return Verdict("jumps", level, value, 1.0, text)


def failures(curves: Sequence[Curve]) -> tuple[Verdict, ...]:
    """Return a check that decides nothing where the calculator fails at many points of a curve; else none.

    Parameters
    ----------
    curves
        All that were tried.
    """

    def share(curve: Curve) -> float:
        return curve.n_failed / max(curve.n_failed + len(curve.values), 1)

    worst = max(curves, key=share)
    if share(worst) <= FAILED_SHARE:
        return ()
    text = (
        f"The calculator fails at {share(worst):.0%} of the points along {worst.name}; expected are at most "
        f"{FAILED_SHARE:.0%}."
    )
    return (Verdict("failed points", "cannot tell", share(worst), FAILED_SHARE, text),)


def follow(examined: ExaminedForceField, motion: Motion, values: FloatArray) -> Curve:
    """Return the curve of a motion from the minimum.

    Parameters
    ----------
    examined
        The force field.
    motion
        The coordinate.
    values
        Its values, increasing, Å or degrees.

    Raises
    ------
    DataError
        The atoms cannot be moved along the coordinate.
    """
    start = Atoms(examined.minimum.numbers, examined.minimum.positions)
    move = partial(motion.mover(start), start)
    zero = examined.evaluate(start)[0]
    tried = [_point(examined, move, float(value)) for value in values]
    has_energy = [bool(np.isfinite(point.energy - zero + point.forces.sum())) for point in tried]
    points = list(compress(tried, has_energy))
    return Curve(
        motion.name(start.numbers),
        motion.kind,
        motion.value(start),
        np.array([point.value for point in points]),
        np.array([point.energy - zero for point in points]),
        np.array([_work_between(examined, move, *ends) for ends in pairwise(points)]),
        n_failed=len(tried) - len(points),
        has_ends=(has_energy[0], has_energy[-1]),
    )


class _Point(NamedTuple):
    """A point of a curve: value of the coordinate, positions (Å), energy (kcal/mol), forces (kcal/mol/Å)."""

    value: float
    positions: FloatArray
    energy: float
    forces: FloatArray


def _point(examined: ExaminedForceField, move: Callable[[float], Atoms], value: float) -> _Point:
    moved = move(value)
    return _Point(value, moved.positions, *_evaluate(examined, moved))


def _work_between(
    examined: ExaminedForceField, move: Callable[[float], Atoms], first: _Point, last: _Point
) -> float:
    """Return the work from a point to the next; by way of more points where these two do not explain the
    change of the energy, because they may be too far apart. It is this change where the calculator fails
    on the way."""
    change, coarse = last.energy - first.energy, _work([first, last])
    if abs(change - coarse) <= JUMP_KCAL_MOL + JUMP_SHARE * abs(change):
        return coarse
    values = np.linspace(first.value, last.value, FINER + 1)[1:-1]
    fine = _work([first, *(_point(examined, move, float(value)) for value in values), last])
    return fine if np.isfinite(fine) else change


def _work(points: Sequence[_Point]) -> float:
    """Return the work against the forces on the way through several points, by the trapezoidal rule."""
    forces, positions = np.array([p.forces for p in points]), np.array([p.positions for p in points])
    means = 0.5 * (forces[1:] + forces[:-1])
    return -float((means * np.diff(positions, axis=0)).sum())


def _evaluate(examined: ExaminedForceField, atoms: Atoms) -> tuple[float, FloatArray]:
    """Return energy and forces, NaN where the calculator fails."""
    try:
        return examined.evaluate(atoms)
    except Exception as error:
        if not calculator_failed(error, examined.calculator):
            raise
        examined.calculator.reset()
        return np.nan, np.full((len(atoms), 3), np.nan)
