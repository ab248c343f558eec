"""Rigid scans along a bond: energy and force while two fragments are pushed together or pulled apart."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.geometry import find_mic

from mdaug.calculators.failures import calculator_failed
from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.bonds import BoolArray, bond_images, bond_name, find_bonds, smaller_fragment
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.units import KCAL_MOL_PER_EV

Progress = Callable[[int, int], None]
"""Called with (points done, points in all)."""


@dataclass(frozen=True)
class ScanResult:
    """Energy and force along a bond whose smaller fragment is moved rigidly.

    Parameters
    ----------
    label
        Name of the force field, for legends and file names.
    bond
        The two atoms, 0-based.
    name
        The bond as text, for example ``O2-H8``.
    moving
        Atoms that are moved, all by the same vector along the bond.
    zero_distance_A
        Distance in the start geometry, where the energy is zero by definition (no shift is fitted).
    distances_A
        Shape (n_points,), increasing.
    energy_kcal_mol
        Shape (n_points,), relative to the start geometry.
    force_along_bond_kcal_mol_A
        −dE/dd, shape (n_points,): the force on the moving fragment along the bond, away from the other atom.
        Positive pushes the fragments apart, negative pulls them together.
    reference_kcal_mol
        Shape (n_points,), the reference energy, zero at the same geometry, NaN where unknown; or None.
    reference_label
        Name of the reference, for legends.
    training_range_A
        Shortest and longest distance of this bond in the training frames, Å; None where the model does not
        record it.
    unlike_training
        How the start geometry differs from the model's training frames, each a sentence.
    failures
        Lengths of the bond, Å, at which the calculator failed, with the reason; first that of the start.
    """

    label: str
    bond: tuple[int, int]
    name: str
    moving: tuple[int, ...]
    zero_distance_A: float
    distances_A: FloatArray
    energy_kcal_mol: FloatArray
    force_along_bond_kcal_mol_A: FloatArray
    reference_kcal_mol: FloatArray | None = None
    reference_label: str | None = None
    training_range_A: tuple[float, float] | None = None
    unlike_training: tuple[str, ...] = ()
    failures: tuple[tuple[float, str], ...] = ()

    @property
    def is_known(self) -> BoolArray:
        """Whether each point has an energy and a force, shape (n_points,)."""
        return np.isfinite(self.energy_kcal_mol) & np.isfinite(self.force_along_bond_kcal_mol_A)

    def without_failures(self) -> "ScanResult":
        """Return the scan with its points that have an energy and a force only."""
        known = self.is_known
        reference = self.reference_kcal_mol
        return replace(
            self,
            distances_A=self.distances_A[known],
            energy_kcal_mol=self.energy_kcal_mol[known],
            force_along_bond_kcal_mol_A=self.force_along_bond_kcal_mol_A[known],
            reference_kcal_mol=None if reference is None else reference[known],
        )

    def with_reference(self, energy_kcal_mol: FloatArray, label: str) -> "ScanResult":
        """Return the scan with a reference curve.

        Parameters
        ----------
        energy_kcal_mol
            Shape (n_points,), on the distances of the scan, zero at the same start geometry; NaN where
            unknown.
        label
            Name of the reference, for legends.
        """
        return replace(self, reference_kcal_mol=np.asarray(energy_kcal_mol, float), reference_label=label)

    def to_csv(self) -> str:
        """Return the text of ``scan.csv``; unknown reference values are left empty."""
        columns = [self.distances_A, self.energy_kcal_mol, self.force_along_bond_kcal_mol_A]
        header = "distance_A,energy_kcal_mol,force_along_bond_kcal_mol_A"
        if self.reference_kcal_mol is not None:
            columns.append(self.reference_kcal_mol)
            header += ",reference_kcal_mol"
        rows = [
            ",".join("" if np.isnan(x) else f"{x:.6f}" for x in row) for row in zip(*columns, strict=True)
        ]
        return "\n".join([header, *rows]) + "\n"


def bond_scan(
    calculator: Calculator,
    atoms: Atoms,
    bond: tuple[int, int],
    distances_A: FloatArray,
    *,
    label: str = "model",
    allow_failures: bool = False,
    progress: Progress | None = None,
) -> ScanResult:
    """Move the smaller fragment rigidly along a bond; energies are relative to that of `atoms`.

    Parameters
    ----------
    calculator
        Any ASE calculator with energy and forces.
    atoms
        Start geometry; not changed.
    bond
        Two bonded atoms, 0-based, not in a ring.
    distances_A
        Distances between the two atoms, Å, positive, at least two; they are sorted.
    label
        Name of the force field, for legends and file names.
    allow_failures
        Use NaN where the calculator raises an error (an SCF that does not converge) or gives nonfinite
        numbers, instead of raising an error; `ScanResult.failures` has the reasons.
    progress
        Called with (points done, points in all).

    Returns
    -------
    ScanResult
        Without reference and training range.

    Raises
    ------
    DataError
        If the bond is in a ring or the two atoms are not bonded, the distances are not at least two positive
        numbers, or the calculator gives energy or forces that are not finite.

    Warns
    -----
    UserWarning
        If the moved atoms come close to another molecule or a periodic image.

    Examples
    --------
    >>> atoms = ase.io.read("ethanol.xyz")
    >>> calculator = MDAugCalculator("runs/latest/model.pt")
    >>> scan = bond_scan(calculator, atoms, (2, 8), np.arange(0.6, 2.5, 0.02))
    >>> scan.distances_A[scan.energy_kcal_mol.argmin()]  # doctest: +SKIP
    0.96
    """
    distances = np.sort(np.asarray(distances_A, dtype=float))
    if len(distances) < 2 or distances[0] <= 0:
        raise DataError("scan distances must be at least two positive numbers in Å")
    moving = smaller_fragment(atoms, bond)
    start, axis, zero_distance = _start(atoms, bond, moving)
    shifts = (distances - zero_distance)[:, None] * axis
    _warn_of_contacts(start, moving, shifts, distances)
    name = bond_name(atoms.numbers, bond)
    zero, _, failure = _energy_and_forces(calculator, start, allow_failures, "at the start")
    failures = [(zero_distance, failure)]
    energies, forces = np.empty(len(distances)), np.empty(len(distances))
    for k, shift in enumerate(shifts):
        moved = start.copy()
        moved.positions[moving] += shift
        where = f"where {name} is {distances[k]:.4g} Å long"
        energies[k], on_atoms, failure = _energy_and_forces(calculator, moved, allow_failures, where)
        # all moving atoms have the same displacement, so their total force along it is −dE/dd
        forces[k] = on_atoms[moving].sum(axis=0) @ axis
        failures.append((float(distances[k]), failure))
        if progress is not None:
            progress(k + 1, len(distances))
    return ScanResult(
        label=label,
        bond=bond,
        name=name,
        moving=tuple(int(k) for k in moving),
        zero_distance_A=zero_distance,
        distances_A=distances,
        energy_kcal_mol=(energies - zero) * KCAL_MOL_PER_EV,
        force_along_bond_kcal_mol_A=forces * KCAL_MOL_PER_EV,
        failures=tuple((length, reason) for length, reason in failures if reason is not None),
    )


def scan_distances(first_A: float, last_A: float, step_A: float) -> FloatArray:
    """Return the distances first, first + step, … up to and including last (the last step may be shorter).

    Parameters
    ----------
    first_A, last_A, step_A
        Å, positive, with first < last.

    Returns
    -------
    FloatArray
        Shape (n_points,), increasing.

    Raises
    ------
    DataError
        If the range or the step is not positive, or the range is empty.
    """
    if not 0 < first_A < last_A or step_A <= 0:
        raise DataError(
            f"scan range {first_A:g} to {last_A:g} Å by {step_A:g}: expected 0 < first < last and step > 0"
        )
    n_steps = int(np.floor((last_A - first_A) / step_A + 1e-9))
    distances: FloatArray = first_A + step_A * np.arange(n_steps + 1, dtype=np.float64)
    return distances if last_A - distances[-1] < 1e-6 else np.append(distances, last_A)


def _warn_of_contacts(start: Atoms, moving: IntArray, shifts: FloatArray, distances_A: FloatArray) -> None:
    """Warn of the point closest to the start at which moved atoms touch another molecule or an image.

    From that point on the curve is not that of the bond alone. `shifts` (n_points, 3) in Å move the atoms
    `moving`; `distances_A` (n_points,) are the lengths of the bond.
    """
    molecule = molecule_of_atom(len(start), find_bonds(start))
    if molecule.max() == 0 and not start.pbc.any():
        return
    for k in np.argsort(np.linalg.norm(shifts, axis=1)):
        contacts = _contacts(start, molecule, moving, shifts[k])
        if len(contacts):
            warnings.warn(
                f"at {distances_A[k]:.2f} Å the moved atoms come within bonding distance of another molecule "
                f"or image ({bond_name(start.numbers, contacts[0])}): from there on the curve is not that of "
                "the bond alone; scan a shorter --range, or the molecule by itself",
                stacklevel=3,
            )
            return


def _contacts(start: Atoms, molecule: IntArray, moving: IntArray, shift: FloatArray) -> IntArray:
    """Return the pairs (n, 2) of moved atoms and atoms of other molecules or images within bonding
    distance."""
    moved = start.copy()
    moved.positions[moving] += shift
    bonds = bond_images(moved)
    i, j = bonds.index.T
    vectors = start.positions[j] - start.positions[i]
    same_image = (
        find_mic(vectors, start.cell, start.pbc)[0] - vectors
    )  # within the molecule, before the motion
    other_image = np.linalg.norm(bonds.shifts - same_image, axis=1) > 1e-6
    foreign = (molecule[i] != molecule[j]) | other_image
    pairs: IntArray = bonds.index[foreign & (np.isin(i, moving) | np.isin(j, moving))]
    return pairs


def _start(atoms: Atoms, bond: tuple[int, int], moving: IntArray) -> tuple[Atoms, FloatArray, float]:
    """Return a copy without calculator, the unit vector towards the moving atom, and the distance."""
    start = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    fixed_atom, moving_atom = bond if bond[1] in moving else bond[::-1]
    vector = start.get_distance(fixed_atom, moving_atom, mic=bool(atoms.pbc.any()), vector=True)
    distance = float(np.linalg.norm(vector))
    return start, vector / distance, distance


def _energy_and_forces(
    calculator: Calculator, atoms: Atoms, allow_failures: bool, where: str
) -> tuple[float, FloatArray, str | None]:
    """Return energy, eV, forces, eV/Å, and the reason where they are NaN."""
    atoms.calc = calculator
    try:
        energy, forces = atoms.get_potential_energy(), atoms.get_forces()
    except Exception as error:
        if not (allow_failures and calculator_failed(error, calculator)):
            error.add_note(where)
            raise
        calculator.reset()
        return np.nan, np.full((len(atoms), 3), np.nan), f"{type(error).__name__}: {error}"
    is_finite = bool(np.isfinite(energy + np.sum(forces)))
    if not is_finite and not allow_failures:
        raise DataError(f"the force field gives energy or forces that are not finite {where}")
    reason = None if is_finite else "energy or forces are not finite"
    return float(energy), np.asarray(forces, dtype=float), reason
