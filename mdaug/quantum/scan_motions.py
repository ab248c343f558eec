"""Motions of a scan: the coordinate and the atoms that move, relative to a fixed start geometry."""

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
        ``bond`` i-j: the smaller fragment moves rigidly along it, as in `mdaug scan`. ``angle`` i-j-k: all
        atoms beyond bond j-k rotate rigidly about j in the plane of the three. ``torsion`` i-j-k-l: all atoms
        beyond bond j-k rotate rigidly about it. ``approach`` i-j: the two atoms alone move along their line,
        each by half.
    atoms
        Indices, 0-based.

    Raises
    ------
    DataError
        The kind does not exist, or needs another number of different atoms.
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
        """Whether the coordinate is a distance (Å) and not an angle (degrees)."""
        return self.kind in ("bond", "approach")

    def name(self, atomic_numbers: IntArray) -> str:
        """Return a name, for example ``bond O2-H8``.

        Parameters
        ----------
        atomic_numbers
            Shape (n_atoms,).
        """
        return f"{self.kind} {bond_name(atomic_numbers, self.atoms)}"

    def value(self, atoms: Atoms) -> float:
        """Return the value of the coordinate: Å, or degrees (torsions −180 to 180, IUPAC's sign).

        Parameters
        ----------
        atoms
            The geometry.
        """
        if self.is_distance:
            return float(atoms.get_distance(*self.atoms))
        if self.kind == "angle":
            return float(atoms.get_angle(*self.atoms))
        return float((atoms.get_dihedral(*self.atoms) + 180) % 360 - 180)

    def mover(self, start: Atoms) -> Callable[[Atoms, float], Atoms]:
        """Return a function ``move(atoms, value)``, which gives the coordinate a new value.

        The moving atoms and the direction are those of `start`, so motions of several coordinates add up.

        Parameters
        ----------
        start
            The start geometry.

        Raises
        ------
        DataError
            An index is out of range, or the motion would not separate the molecule into two fragments.
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
        """Return the motion of an angle or torsion: all beyond a bond rotates about its inner atom."""
        *_, inner, outer = self.atoms if self.kind == "angle" else self.atoms[:3]
        both_sides = sides(len(start), find_bonds(start), (inner, outer))
        if both_sides is None:
            raise DataError(
                f"{self.name(start.numbers)}: no bond separates two fragments that could rotate; name a "
                "coordinate outside rings"
            )
        center, along = start.positions[inner], start.positions[outer] - start.positions[inner]
        arm = start.positions[self.atoms[0]] - center
        axis = along if self.kind == "torsion" else np.cross(arm, along)
        zero, rotating = self.value(start), both_sides[1]

        def move(atoms: Atoms, value: float) -> Atoms:
            moved = atoms.copy()
            moved.positions[rotating] = _rotated(moved.positions[rotating], center, axis, value - zero)
            return moved

        return move


def default_grid(motion: Motion, start: Atoms) -> tuple[float, float, float]:
    """Return the default range of a coordinate.

    Bonds: 0.6 to 2.5 times the length, on multiples of 0.05 Å, at least 0.6 Å. Angles: 60 to 180° in steps of
    5°. Torsions: −180 to 180° in steps of 10°. Approaches: 0.4 to 1.2 times the distance in steps of 0.1 Å.

    Parameters
    ----------
    motion
        The coordinate.
    start
        The start geometry.

    Returns
    -------
    first, last, step
        Å or degrees.
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
    """Return the values of a range, rounded to 1e-6 so that equal geometries have equal coordinates.

    Parameters
    ----------
    first, last, step
        Å or degrees.

    Returns
    -------
    values
        first, first + step, … up to `last`.

    Raises
    ------
    DataError
        The range is empty.
    """
    if not first < last or step <= 0:
        raise DataError(f"scan range {first:g}:{last:g}:{step:g}: expected first < last and step > 0")
    return np.round(first + step * np.arange(int((last - first) / step + 1e-6) + 1), 6)


def _multiple(value: float, step: float) -> float:
    return round(round(value / step) * step, 6)


def _rotated(points: FloatArray, center: FloatArray, axis: FloatArray, degrees: float) -> FloatArray:
    """Rotate `points` (n, 3) about `axis` through `center`, right-handed (Rodrigues' formula)."""
    unit, angle = axis / np.linalg.norm(axis), np.radians(degrees)
    relative = points - center
    along = np.outer(relative @ unit, unit)
    turned = np.cos(angle) * (relative - along) + np.sin(angle) * np.cross(unit, relative)
    return center + along + turned
