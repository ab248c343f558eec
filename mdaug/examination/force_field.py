"""What every part of an examination is given: a force field, a start structure, held-out frames, time."""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.analysis.relax import RelaxResult, relax
from mdaug.calculators.failures import calculator_failed
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray, one_frame
from mdaug.geometry.bonds import find_bonds
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.geometry.training_bonds import TrainingBonds
from mdaug.units import KCAL_MOL_PER_EV

ASSUMED_K = 300.0
"""Temperature of the frames where it is unknown."""

N_CONFORMERS, CONFORMERS_S = 5, 20.0
"""Frames that are relaxed in search of a lower minimum, and the time after which no other one is."""

SAME_LENGTH_A = 0.1
"""Largest change of a bond from one conformer to another one: in spurious minima bonds are often longer."""

N_TIMED = 3
"""Evaluations that are timed, after one that is not."""


@dataclass(frozen=True)
class ExaminedForceField:
    """A force field that is examined.

    Parameters
    ----------
    label
        Name in tables and figures.
    calculator
        Energies and forces.
    start
        A structure near a minimum.
    folder
        Folder for the trajectories of this force field.
    manifest
        Manifest of a model; ``{}`` for another calculator.
    model
        The model.pt; None for another calculator.
    frames
        Held-out frames of the same atoms in the same order as `start`; None without.
    may_be_trained_on
        Whether the force field may have been trained on some of the frames.
    temperature_K
        Temperature of the frames; None where unknown.
    charge
        Total charge, e.
    multiplicity
        Spin multiplicity 2S+1.
    seed
        Seed of displacements, rotations and velocities.
    """

    label: str
    calculator: Calculator
    start: Atoms
    folder: Path
    manifest: dict[str, Any]
    model: Path | None = None
    frames: FrameSet | None = None
    may_be_trained_on: bool = False
    temperature_K: float | None = None
    charge: int = 0
    multiplicity: int = 1
    seed: int = 0

    @property
    def kelvin(self) -> float:
        """Temperature of the frames, `ASSUMED_K` where unknown."""
        return self.temperature_K or ASSUMED_K

    @cached_property
    def relaxed(self) -> RelaxResult:
        """The minimum next to the start structure, if the relaxation converged."""
        return relax(self.calculator, self.start, fmax_eV_A=1e-3, max_steps=600)

    @cached_property
    def minimum(self) -> Atoms:
        """The minimum if it has the bonds of the start structure, else the start structure."""
        try:
            relaxed = self.relaxed
        except DataError:  # energy or forces became nonfinite
            return self.start
        intact = relaxed.converged and np.array_equal(find_bonds(relaxed.atoms), find_bonds(self.start))
        return relaxed.atoms if intact else self.start

    @cached_property
    def minimum_eV(self) -> float | None:
        """Lowest energy of the minimum next to the start structure and of those next to a few frames, whose
        conformers may be lower; None if the relaxation of the start structure did not converge."""
        try:
            relaxed = self.relaxed
        except DataError:
            return None
        if not relaxed.converged:
            return None
        return min([relaxed.energy_eV, *(other.energy_eV for other in self._conformers(relaxed))])

    def _conformers(self, relaxed: RelaxResult) -> Iterator[RelaxResult]:
        """Yield the minima next to a few frames that have the bonds of `relaxed` and their lengths."""
        if self.frames is None:
            return
        began, bonds = time.monotonic(), find_bonds(relaxed.atoms)
        few = self.frames.evenly_spaced(N_CONFORMERS)
        for n in range(len(few)):
            if time.monotonic() - began > CONFORMERS_S:
                return
            with suppress(DataError):
                other = relax(self.calculator, few.structure(n), fmax_eV_A=1e-2, max_steps=600)
                if other.converged and _same_lengths(other.atoms, relaxed.atoms, bonds):
                    yield other

    @property
    def is_one_molecule(self) -> bool:
        """Whether the system is one molecule without a cell."""
        bonds = find_bonds(self.start)
        return not self.start.pbc.any() and bool(molecule_of_atom(len(self.start), bonds).max() == 0)

    def bonds(self) -> TrainingBonds:
        """Return the bonds of the frames, of a manifest of the same atoms, or of the minimum.

        Raises
        ------
        DataError
            No two atoms are bonded.
        """
        if self.frames is not None:
            return TrainingBonds.from_frames(self.frames)
        with suppress(DataError):
            recorded = TrainingBonds.from_manifest(self.manifest)
            if np.array_equal(recorded.atomic_numbers, self.start.numbers):
                return recorded
        return TrainingBonds.from_frames(one_frame(self.minimum, 0.0, self.label))

    def evaluate(self, atoms: Atoms) -> tuple[float, FloatArray]:
        """Return energy, kcal/mol, and forces, kcal/mol/Å, shape (n_atoms, 3), of a structure.

        Parameters
        ----------
        atoms
            The structure; not changed.
        """
        asked = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
        asked.calc = self.calculator
        energy, forces = asked.get_potential_energy(), np.asarray(asked.get_forces(), dtype=float)
        return float(energy) * KCAL_MOL_PER_EV, forces * KCAL_MOL_PER_EV


def _same_lengths(one: Atoms, other: Atoms, bonds: IntArray) -> bool:
    """Return whether two structures have the same bonds, their lengths within `SAME_LENGTH_A`."""
    if not np.array_equal(find_bonds(one), bonds):
        return False
    pairs, mic = [(int(i), int(j)) for i, j in bonds], bool(one.pbc.any())
    changes = [one.get_distance(*pair, mic=mic) - other.get_distance(*pair, mic=mic) for pair in pairs]
    return bool((np.abs(changes) < SAME_LENGTH_A).all())


@dataclass(frozen=True)
class Budget:
    """Time for one part.

    Parameters
    ----------
    seconds
        Time of this part.
    seconds_per_evaluation
        Time of one evaluation of energy and forces.
    seconds_of_all
        Time that is left for this and the later parts.
    """

    seconds: float
    seconds_per_evaluation: float
    seconds_of_all: float = np.inf

    def evaluations(self, *, at_least: int, at_most: int) -> int:
        """Return the number of evaluations that the time allows.

        Parameters
        ----------
        at_least, at_most
            Limits of the number.
        """
        allowed = self.seconds / max(self.seconds_per_evaluation, 1e-6)
        return int(np.clip(allowed, at_least, at_most))


def displaced(atoms: Atoms, rng: np.random.Generator, size_A: float = 0.05) -> Atoms:
    """Return a structure with normally distributed displacements of every coordinate.

    Parameters
    ----------
    atoms
        The structure; not changed.
    rng
        Source of the displacements.
    size_A
        Standard deviation, Å.
    """
    moved = Atoms(atoms.numbers, atoms.positions, cell=atoms.cell, pbc=atoms.pbc)
    moved.positions += rng.normal(scale=size_A, size=moved.positions.shape)
    return moved


def seconds_per_evaluation(examined: ExaminedForceField) -> float:
    """Return the time of one evaluation of energy and forces, the median of several.

    Parameters
    ----------
    examined
        The force field.

    Raises
    ------
    Exception
        Error of the calculator, if it fails in every evaluation; one that fails at times is examined.
    """
    rng, times, failed = np.random.default_rng(0), list[float](), Exception()
    for _ in range(1 + N_TIMED):
        moved = displaced(examined.start, rng, 0.01)
        began = time.perf_counter()
        try:
            examined.evaluate(moved)
        except Exception as error:
            if not calculator_failed(error, examined.calculator):
                raise
            examined.calculator.reset()
            failed = error
        else:
            times.append(time.perf_counter() - began)
    if not times:
        raise failed
    return float(np.median(times[1:] or times))
