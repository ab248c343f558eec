"""A low-level method beside the reference method of the frames, and the force field fitted to its forces.

In Δ-learning a network learns the difference of two methods. Here both are taken less a force-matched field:
with the reference method E and its field M, and the low-level method X and its field M_X, it learns
(E - M) - (X - M_X). Force fields have the harmonic part of a method, in which low-level methods are poor;
what they leave is similar in both methods. For a molecule that has no force field (a shared proton, say),
both fields are zero: the network learns E - X.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator

from mdaug.augmentation.force_matching.fit import match_forces
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.quantum.calculators import XTB_METHODS, check_spin
from mdaug.quantum.point_store import PointStore
from mdaug.quantum.stored_labels import stored_labels
from mdaug.workflows.use_calculator import CalculatorChoice

MOST_FAILURES = 0.02
"""Largest share of the frames of the data on which the method may fail."""


@dataclass(frozen=True)
class LowLevel:
    """A method for one molecule.

    Parameters
    ----------
    name
        Name of the method.
    calculator
        Its ASE calculator.
    level
        Text that identifies it with charge and multiplicity.
    store
        Finished calculations.
    field
        The force-matched field M_X; None for none.
    zero_eV
        Mean of X - M_X over the training frames, which is subtracted.
    """

    name: str
    calculator: Calculator
    level: str
    store: PointStore
    field: ForceField | None
    zero_eV: float

    @classmethod
    def fitted(
        cls,
        method: str,
        train: FrameSet,
        cutoff: float,
        store: Path,
        progress: Callable[[int, int], None],
        *,
        with_field: bool = True,
    ) -> Self:
        """Return the method with the field of its forces on the training frames.

        Parameters
        ----------
        method
            A method of tblite, or an ASE calculator as module:Class.
        train
            Training frames of a molecule.
        cutoff
            Cutoff of the field, Å.
        store
            File of finished calculations.
        progress
            Called with the numbers of frames done and in all.
        with_field
            Whether M_X is fitted; it is zero otherwise.

        Raises
        ------
        MissingDependencyError
            The method is not installed.
        DataError
            It cannot be used for these atoms, it fails on more than 2 % of the frames, or no field can be
            fitted.
        """
        choice = CalculatorChoice(method, {}, int(train.charge or 0), train.multiplicity or 1)
        if method in XTB_METHODS:
            check_spin(Atoms(train.atomic_numbers), choice.charge, choice.multiplicity)
        level = json.dumps(choice.to_json(), sort_keys=True)
        calculator, points = choice.make(), PointStore(store, "remove the file")
        labeled, _, failures = _labeled(calculator, level, train, points, progress)
        if len(failures) > MOST_FAILURES * len(train):
            raise DataError(f"{method} fails on {len(failures)} of {len(train)} frames ({failures[0]})")
        field = match_forces(labeled, cutoff=cutoff) if with_field else None
        zero = float(np.mean(labeled.energies - evaluate(field, labeled.positions)[0]))
        return cls(method, calculator, level, points, field, zero)

    def residual(self, frames: FrameSet, progress: Callable[[int, int], None]) -> tuple[FrameSet, IntArray]:
        """Return frames with the labels X - M_X, and their numbers among the given ones.

        Frames on which the method fails are left out.

        Parameters
        ----------
        frames
            Frames of the molecule, whose labels are not read.
        progress
            Called with the numbers of frames done and in all.
        """
        labeled, kept, _ = _labeled(self.calculator, self.level, frames, self.store, progress)
        energies, forces = evaluate(self.field, labeled.positions)
        return replace(
            labeled, energies=labeled.energies - energies - self.zero_eV, forces=labeled.forces - forces
        ), kept


def evaluate(field: ForceField | None, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return energies, eV, and forces, eV/Å, of a field; zeros without one.

    Parameters
    ----------
    field
        The field.
    positions
        (n_frames, n_atoms, 3), Å.
    """
    if field is None:
        return np.zeros(len(positions)), np.zeros_like(positions)
    return field.evaluate(positions)


def _labeled(
    calculator: Calculator,
    level: str,
    frames: FrameSet,
    store: PointStore,
    progress: Callable[[int, int], None],
) -> tuple[FrameSet, IntArray, list[str]]:
    """Return the frames on which a calculator does not fail with its labels, their numbers, and why it fails
    on the others."""
    no_origins: list[dict[str, object]] = [{}] * len(frames)
    energies, forces, failures = stored_labels(
        calculator, level, frames, no_origins, store, progress=progress
    )
    kept = np.flatnonzero([failure is None for failure in failures])
    labeled = replace(frames.select(kept), energies=energies[kept], forces=forces[kept], stresses=None)
    return labeled, kept, [failure for failure in failures if failure is not None]
