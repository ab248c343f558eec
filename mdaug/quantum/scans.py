"""Scans of one or two coordinates: geometries, energies, and their CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from ase import Atoms

from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.geometry.bonds import bond_name, find_bonds
from mdaug.quantum.mean_field import Bond, breaking_bonds
from mdaug.quantum.scan_motions import Motion, default_grid, grid
from mdaug.quantum.single_point_jobs import SinglePointJob, SinglePointResult
from mdaug.units import KCAL_MOL_PER_EV


@dataclass(frozen=True)
class Scan:
    """A grid of geometries, in which the last coordinate changes fastest.

    Parameters
    ----------
    motions
        One or two.
    values
        Shape (n_points, n_motions), Å or degrees.
    points
        The geometries, one for each row of `values`.
    """

    motions: tuple[Motion, ...]
    values: FloatArray
    points: tuple[Atoms, ...]

    @property
    def name(self) -> str:
        """Name for files, for example ``bond-O2-H8`` or ``bond-O2-H8+bond-C0-O2``."""
        return "+".join(motion.name(self.points[0].numbers).replace(" ", "-") for motion in self.motions)

    @property
    def columns(self) -> list[str]:
        """Names of the coordinates in the CSV."""
        units = ["distance_A" if motion.is_distance else f"{motion.kind}_deg" for motion in self.motions]
        if len(units) == 1:
            return units
        numbers = self.points[0].numbers
        names = [bond_name(numbers, motion.atoms) for motion in self.motions]
        return [f"{name}_{unit}" for name, unit in zip(names, units, strict=True)]


@dataclass(frozen=True)
class ScanEnergies:
    """Energies of a scan, relative to the start geometry; NaN where unknown.

    Parameters
    ----------
    scan
        The geometries.
    energy_kcal_mol, restricted_kcal_mol, unrestricted_kcal_mol
        Shape (n_points,).
    spin_square
        ⟨S²⟩ of the unrestricted solution, shape (n_points,).
    """

    scan: Scan
    energy_kcal_mol: FloatArray
    restricted_kcal_mol: FloatArray
    unrestricted_kcal_mol: FloatArray
    spin_square: FloatArray

    @property
    def gap_kcal_mol(self) -> FloatArray:
        """Restricted minus unrestricted energy, shape (n_points,); NaN where one was not computed."""
        return self.restricted_kcal_mol - self.unrestricted_kcal_mol

    def to_csv(self) -> str:
        """Return the text of the CSV that `mdaug scan --reference` reads; unknown values are empty."""
        header = ["energy", "restricted", "unrestricted", "gap"]
        names = [*self.scan.columns, *(f"{name}_kcal_mol" for name in header), "spin_square"]
        table = np.column_stack(
            [
                self.scan.values,
                self.energy_kcal_mol,
                self.restricted_kcal_mol,
                self.unrestricted_kcal_mol,
                self.gap_kcal_mol,
                self.spin_square,
            ]
        )
        rows = [",".join("" if np.isnan(x) else f"{x:.6f}" for x in row) for row in table]
        return "\n".join([",".join(names), *rows]) + "\n"


def parse_scan(text: str, start: Atoms) -> Scan:
    """Parse the description of a scan.

    Parameters
    ----------
    text
        ``kind:i-j[=first:last:step]``; two of them joined by ``+`` make a grid.
    start
        The start geometry.

    Raises
    ------
    DataError
        The text has another form, or the atoms cannot be moved in this way.

    Examples
    --------
    ``bond:2-8``, ``bond:2-8=0.6:2.4:0.05``, ``torsion:1-0-2-8``, ``bond:2-8=0.8:2:0.2+bond:0-2=1.2:2:0.2``.
    """
    motions, grids = [], []
    for part in text.split("+"):
        motion, values = _parse_motion(part, start)
        motions.append(motion)
        grids.append(values)
    if len(motions) > 2:
        raise DataError(f"scan {text}: expected one coordinate, or two joined by +")
    moves = [motion.mover(start) for motion in motions]
    values = np.array(list(product(*grids)))
    points = []
    for row in values:
        atoms = Atoms(start.numbers, start.positions)
        for move, value in zip(moves, row, strict=True):
            atoms = move(atoms, float(value))
        points.append(atoms)
    return Scan(tuple(motions), values, tuple(points))


def scan_jobs(scans: Sequence[Scan], start: Atoms) -> list[SinglePointJob]:
    """Return the jobs of scans: the start geometry first, then all points of all scans in order.

    Parameters
    ----------
    scans
        The most important one first.
    start
        The start geometry, whose energy is the zero of all scans.
    """
    jobs = [SinglePointJob(Atoms(start.numbers, start.positions))]
    bonds = find_bonds(start)
    for number, scan in enumerate(scans):
        breaking = [breaking_bonds(point, bonds) for point in scan.points]
        shape = [len(np.unique(column)) for column in scan.values.T]
        order = np.arange(len(scan.points)).reshape(shape)
        offset = len(jobs)
        for k, point in enumerate(scan.points):
            follows = _further_out(order, k, breaking)
            link = None if follows is None else offset + follows
            jobs.append(SinglePointJob(point, breaking[k], link, number))
    return jobs


def scan_energies(scans: Sequence[Scan], energies: Sequence[SinglePointResult]) -> list[ScanEnergies]:
    """Return the energies of scans, relative to the start geometry.

    Parameters
    ----------
    scans
        The scans.
    energies
        Results of `scan_jobs`.

    Raises
    ------
    DataError
        The start geometry has no energy.
    """
    zero, position, curves = energies[0].energy_eV, 1, []
    if np.isnan(zero):
        raise DataError(
            "the energy of the start geometry, which is the zero of the scans, did not converge; give "
            "another structure, or another level of theory"
        )
    for scan in scans:
        part = energies[position : position + len(scan.points)]
        position += len(scan.points)
        curves.append(
            ScanEnergies(
                scan,
                _relative([result.energy_eV for result in part], zero),
                _relative([result.restricted_eV for result in part], zero),
                _relative([result.unrestricted_eV for result in part], zero),
                np.array([result.spin_square for result in part]),
            )
        )
    return curves


def _relative(energies_eV: list[float], zero_eV: float) -> FloatArray:
    return (np.array(energies_eV) - zero_eV) * KCAL_MOL_PER_EV


def _parse_motion(text: str, start: Atoms) -> tuple[Motion, FloatArray]:
    expected = f"scan {text}: expected kind:i-j[=first:last:step], as bond:2-8 or angle:1-0-2=60:180:5"
    name, _, limits = text.partition("=")
    kind, _, atoms = name.partition(":")
    try:
        indices = tuple(int(atom) for atom in atoms.split("-"))
        given = [float(limit) for limit in limits.split(":")] if limits else []
    except ValueError as error:
        raise DataError(expected) from error
    if len(given) not in (0, 3):
        raise DataError(expected)
    motion = Motion(kind, indices)  # type: ignore[arg-type]
    motion.mover(start)
    return motion, grid(*(given or default_grid(motion, start)))


def _further_out(order: np.ndarray, k: int, breaking: list[tuple[Bond, ...]]) -> int | None:
    """Return the next point at larger distance on a bond-breaking coordinate in which the same bonds
    break."""
    index = np.unravel_index(k, order.shape)
    for axis in range(order.ndim):
        if index[axis] + 1 < order.shape[axis]:
            neighbor = int(order[(*index[:axis], index[axis] + 1, *index[axis + 1 :])])
            if breaking[k] and breaking[neighbor] == breaking[k]:
                return neighbor
    return None
