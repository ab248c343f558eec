"""Motions of a scan: what moves, along which coordinate, from a fixed start geometry."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from ase import Atoms

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import bond_name, find_bonds, sides, smaller_fragment

Kind = Literal["bond", "angle", "torsion", "approach"]
N_ATOMS = {"bond": 2, "angle": 3, "torsion": 4, "approach": 2}


@dataclass(frozen=True)
class Motion:
    """One coordinate of a scan.

    Parameters
    ----------
    kind
        ``bond``: the smaller fragment moves rigidly along it, as in `mdaug scan`. ``angle`` i-j-k: all beyond
        bond j-k turns rigidly about j in the plane of the three. ``torsion`` i-j-k-l: all beyond bond j-k
        turns rigidly about it. ``approach`` i-j: the two atoms alone move along their line, each by half.
    atoms
        0-based.
    """

    kind: Kind
    atoms: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise DataError(f"scan of {self.kind!r}: expected one of {', '.join(get_args(Kind))}")
        if len(set(self.atoms)) != N_ATOMS[self.kind] or len(self.atoms) != N_ATOMS[self.kind]:
            raise DataError(
                f"scan of {self.kind} {'-'.join(map(str, self.atoms))}: "
                f"expected {N_ATOMS[self.kind]} different atoms"
            )

    @property
    def is_distance(self) -> bool:
        return self.kind in ("bond", "approach")

    def name(self, atomic_numbers: IntArray) -> str:
        """Return for example ``bond O2-H8``."""
        return f"{self.kind} {bond_name(atomic_numbers, self.atoms)}"

    def value(self, atoms: Atoms) -> float:
        """Return the coordinate of `atoms`: Å, or degrees (torsions −180 to 180, IUPAC's sign)."""
        if self.is_distance:
            return float(atoms.get_distance(*self.atoms))
        if self.kind == "angle":
            return float(atoms.get_angle(*self.atoms))
        return float((atoms.get_dihedral(*self.atoms) + 180) % 360 - 180)

    def mover(self, start: Atoms) -> Callable[[Atoms, float], Atoms]:
        """Return ``move(atoms, value)``: `atoms` moved by the difference of `value` to that of `start`.

        What moves and along which direction is that of `start`, so motions of several coordinates add up.
        """
        if max(self.atoms) >= len(start):
            raise DataError(f"scan of {self.kind} {self.atoms}: atoms count from 0 to {len(start) - 1}")
        match self.kind:
            case "bond":
                return self._along_line(start, smaller_fragment(start, self._ends))
            case "approach":
                return self._along_line(start, None)
            case _:
                return self._turning(start)

    @property
    def _ends(self) -> tuple[int, int]:
        return self.atoms[0], self.atoms[1]

    def _along_line(self, start: Atoms, fragment: IntArray | None) -> Callable[[Atoms, float], Atoms]:
        i, j = self._ends
        vector = start.positions[j] - start.positions[i]
        zero = float(np.linalg.norm(vector))
        shifts = np.zeros((len(start), 3))
        if fragment is None:
            shifts[[i, j]] = np.outer([-0.5, 0.5], vector / zero)
        else:
            shifts[fragment] = (vector if j in fragment else -vector) / zero

        def move(atoms: Atoms, value: float) -> Atoms:
            moved = atoms.copy()
            moved.positions += (value - zero) * shifts
            return moved

        return move

    def _turning(self, start: Atoms) -> Callable[[Atoms, float], Atoms]:
        """Angles and torsions: what lies beyond a bond turns about an axis through its near end."""
        *_, near, far = self.atoms if self.kind == "angle" else self.atoms[:3]
        parts = sides(len(start), find_bonds(start), (near, far))
        if parts is None:
            raise DataError(f"{self.name(start.numbers)}: no bond that parts the molecule, so nothing turns")
        center, along = start.positions[near], start.positions[far] - start.positions[near]
        outer = start.positions[self.atoms[0]] - center
        axis = along if self.kind == "torsion" else np.cross(outer, along)
        zero = self.value(start)

        def move(atoms: Atoms, value: float) -> Atoms:
            moved = atoms.copy()
            moved.positions[parts[1]] = _rotated(moved.positions[parts[1]], center, axis, value - zero)
            return moved

        return move


def default_grid(motion: Motion, start: Atoms) -> tuple[float, float, float]:
    """Return first, last and step: 0.6 to 2.5 times a bond by 0.05 Å (on multiples of it, 0.6 Å at least).

    Angles 60 to 180° by 5°, torsions −180 to 180° by 10°, approaches 0.4 to 1.2 times the distance by 0.1 Å.
    """
    value = motion.value(start)
    match motion.kind:
        case "bond":
            return max(0.6, _multiple(0.6 * value, 0.05)), _multiple(2.5 * value, 0.05), 0.05
        case "approach":
            return _multiple(0.4 * value, 0.1), _multiple(1.2 * value, 0.1), 0.1
        case "angle":
            return 60.0, 180.0, 5.0
        case _:
            return -180.0, 180.0, 10.0


def grid(first: float, last: float, step: float) -> FloatArray:
    """Return first, first + step, … up to `last`, rounded to 1e-6 so that equal geometries are equal.

    Raises
    ------
    DataError
        If the range is empty.
    """
    if not first < last or step <= 0:
        raise DataError(f"scan range {first:g}:{last:g}:{step:g}: expected first < last and step > 0")
    return np.round(first + step * np.arange(int((last - first) / step + 1e-6) + 1), 6)


def _multiple(value: float, step: float) -> float:
    return round(round(value / step) * step, 6)


def _rotated(points: FloatArray, center: FloatArray, axis: FloatArray, degrees: float) -> FloatArray:
    """Rodrigues' rotation of `points` (n, 3) about `axis` through `center`, right-handed."""
    unit, angle = axis / np.linalg.norm(axis), np.radians(degrees)
    relative = points - center
    along = np.outer(relative @ unit, unit)
    turned = np.cos(angle) * (relative - along) + np.sin(angle) * np.cross(unit, relative)
    return center + along + turned
