"""Rule `force-matched`: labels by a force field fitted to the frames, and their expected errors.

Errors are measured between held-out frames. A force field is fitted to every other frame; each remaining
frame is labeled as a displaced copy of the most similar other ones, whose true forces are known. The error
of the forces grows with the strain, the change of the energy beyond first order (in proportion over two
orders of magnitude for the embedded ethanol frames).
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ase.build.rotate import rotation_matrix_from_points

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.force_matching.assessment import (
    FieldAssessment,
    fit_sound_field,
)
from mdaug.augmentation.force_matching.checks import HeldOut
from mdaug.augmentation.force_matching.force_field import CUTOFF_A, ForceField
from mdaug.augmentation.force_matching.shared_parameters import Donor
from mdaug.augmentation.potential_labels import corrected_labels
from mdaug.augmentation.spring_labels import Labels
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.geometry.pairs import minimum_image
from mdaug.springs.distances import pair_name
from mdaug.units import EV_PER_KCAL_MOL

N_FRAMES, N_SIMILAR = 150, 4
"""Frames whose labels are measured, and similar frames that each is labeled from."""

LEAST_PER_STRAIN = 0.1
"""Lower bound of `ErrorModel.per_strain` for several molecules, 1/Å: between similar frames molecules may
have moved past each other, which is much strain with little error. (Measured: two waters, two methanols:
0.11.)"""

BROKEN_FORCE_ERROR = 10.0 * EV_PER_KCAL_MOL
"""Error along a bond that is half broken, eV/Å: the spread of bond curves between molecules (about 5 kcal/mol
over half an Å)."""


@dataclass(frozen=True)
class ErrorModel:
    """Expected errors of labels.

    Parameters
    ----------
    per_strain
        Rms error of a force component over strain, 1/Å.
    """

    per_strain: float

    def force_error(self, strain: FloatArray, broken: FloatArray) -> FloatArray:
        """Return the expected rms error of the force components of augmented frames, eV/Å, shape (n_frames,).

        Parameters
        ----------
        strain
            Change of the energy beyond first order, eV, shape (n_frames,).
        broken
            Shape (n_frames,): 0 with all bonds intact, 1 with one half broken.
        """
        return np.hypot(self.per_strain * strain, BROKEN_FORCE_ERROR * broken)


@dataclass(frozen=True)
class ForceMatchedRule:
    """Labels from a force field fitted to the frames, with their expected errors.

    Parameters
    ----------
    field
        The force field M.
    errors
        Errors of its labels.
    assessment
        Verdicts on the field; None where it was not assessed.
    """

    field: ForceField
    errors: ErrorModel
    assessment: FieldAssessment | None = None

    def __call__(self, displaced: Displacements) -> Labels:
        """Return the labels of displaced frames."""
        labels, strain = label_changes(self.field, displaced.parents, displaced.displacements)
        moved = displaced.parents.positions + displaced.displacements
        broken = self.field.broken(moved, displaced.parents.periodic_cells)
        return Labels(labels.energy_change, labels.forces, self.errors.force_error(strain, broken))

    def covers(self, displaced: Displacements) -> BoolArray:
        """Return which displaced frames M can label, shape (n_frames,): untabulated bonds are near r̄."""
        parents, cells = displaced.parents, displaced.parents.periodic_cells
        return self.field.covers(parents.positions, parents.positions + displaced.displacements, cells)

    @property
    def excluded_bonds(self) -> list[tuple[int, int]]:
        """Bonds that must not be stretched: those without tabulated curve."""
        return [(int(i), int(j)) for i, j in self.field.untabulated_bonds]

    def forces_at(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return the forces of the force field, eV/Å, shape (n_frames, n_atoms, 3).

        Parameters
        ----------
        positions
            Å, shape (n_frames, n_atoms, 3).
        cells
            Cell vectors in rows, Å, shape (n_frames, 3, 3); None for no cell.
        """
        return self.field.evaluate(positions, cells)[1]


def force_matched_rule(
    frames: FrameSet, cutoff: float = CUTOFF_A, donors: Sequence[Donor] = ()
) -> ForceMatchedRule:
    """Fit a force field to `frames`, assess it, and estimate the errors of its labels.

    Warns of bonds without tabulated curve.

    Parameters
    ----------
    frames
        Frames of molecules near equilibrium.
    cutoff
        Distance (Å) beyond which bonds are broken and pairs of a molecule have no energy.
    donors
        As for `fit_and_assess`.

    Raises
    ------
    DataError
        If no force field can be fitted to these frames, or they are fewer than 4.
    UnsoundFieldError
        If the field fails its assessment.
    """
    field, held_out, assessment = fit_sound_field(frames, cutoff, donors)
    rule = ForceMatchedRule(field, estimate_errors(held_out), assessment)
    names = {pair_name(*frames.atomic_numbers[[i, j]]) for i, j in rule.excluded_bonds}
    if names:
        warnings.warn(
            f"rule 'force-matched': no dissociation energy is tabulated for {', '.join(sorted(names))} "
            "bonds, so no frames are made in which they are stretched; there the model has the frames alone",
            stacklevel=4,
        )
    return rule


def label_changes(
    field: ForceField, parents: FrameSet, displacements: FloatArray
) -> tuple[Labels, FloatArray]:
    """Return the labels of displaced parents by `field`, and the strain of each.

    The strain is |M(r') − M(r) + Σ F_M·Δr|, eV, shape (n_frames,): M's change beyond first order, of one
    molecule where there are several.

    Parameters
    ----------
    field
        The force field M.
    parents
        The frames before the displacement.
    displacements
        Δr, Å, shape (n_frames, n_atoms, 3).
    """
    cells = parents.periodic_cells
    before = field.evaluate(parents.positions, cells)
    after = field.evaluate(parents.positions + displacements, cells)
    slope = np.sum(before[1] * displacements, axis=(1, 2))
    strain = np.abs(after[0] - before[0] + slope)
    n_strained = strained_molecules(displacements, after[1] - before[1], field.topology.molecule)
    return corrected_labels(parents, displacements, before, after), strain / n_strained


def strained_molecules(displacements: FloatArray, change: FloatArray, molecule: IntArray) -> FloatArray:
    """Return the number of molecules that share the strain, (Σ_m w_m)²/Σ_m w_m², shape (n_frames,).

    w_m is |Σ Δr·ΔF_M| over the atoms of molecule m.

    Parameters
    ----------
    displacements
        Δr, Å, shape (n_frames, n_atoms, 3).
    change
        ΔF_M, eV/Å, shape (n_frames, n_atoms, 3).
    molecule
        Number of each atom's molecule, from 0, shape (n_atoms,).
    """
    work = np.sum(displacements * change, axis=-1)
    share = np.abs(work @ np.eye(int(molecule.max()) + 1)[molecule])
    squared, total = share.sum(axis=1) ** 2, np.sum(share**2, axis=1)
    return np.divide(squared, total, out=np.ones_like(total), where=total > 0)


class SimilarFrames(NamedTuple):
    """Pairs of similar frames, the second as a displaced copy of the first.

    Parameters
    ----------
    parent, other
        Indices of the two frames, shape (n_pairs,).
    parents
        The first frames.
    displacements
        From the first to the second, Å, shape (n_pairs, n_atoms, 3).
    forces
        Of the second, rotated with it, eV/Å, shape (n_pairs, n_atoms, 3).
    """

    parent: IntArray
    other: IntArray
    parents: FrameSet
    displacements: FloatArray
    forces: FloatArray


def similar_frames(frames: FrameSet) -> SimilarFrames:
    """Return frames with the most similar ones of other groups, rotated onto them where there is no cell.

    Parameters
    ----------
    frames
        The first 150 are used.

    Raises
    ------
    DataError
        If all frames are of one group.
    """
    used = frames.select(np.arange(min(N_FRAMES, len(frames))))
    if len(np.unique(used.group)) < 2:
        raise DataError(f"{frames.name}: too few frames to measure the errors of labels; expected at least 4")
    centered = used.positions - used.positions.mean(axis=1, keepdims=True)
    parents, others, moved, forces = [], [], [], []
    for index in range(len(used)):
        if used.periodic:
            shift = minimum_image(used.positions - used.positions[index], used.periodic_cells)
            turns = np.broadcast_to(np.eye(3), (len(used), 3, 3))
        else:
            one = centered[index]
            turns = np.array([rotation_matrix_from_points(other.T, one.T) for other in centered])
            shift = np.array([other @ turn.T for other, turn in zip(centered, turns, strict=True)]) - one
        distance = np.linalg.norm(shift, axis=-1).max(axis=1)
        distance[used.group == used.group[index]] = np.inf
        for other in np.argsort(distance)[: min(N_SIMILAR, np.isfinite(distance).sum())]:
            parents.append(index)
            others.append(other)
            moved.append(shift[other])
            forces.append(used.forces[other] @ turns[other].T)
    first, second = np.array(parents), np.array(others)
    return SimilarFrames(first, second, used.select(first), np.array(moved), np.array(forces))


def estimate_errors(held_out: HeldOut) -> ErrorModel:
    """Measure the errors of labels between frames that a force field has not seen.

    Parameters
    ----------
    held_out
        A force field and frames that it was not fitted to.

    Raises
    ------
    DataError
        If these are too few.
    """
    field, pairs = held_out.field, similar_frames(held_out.others)
    labels, strain = label_changes(field, pairs.parents, pairs.displacements)
    squared = np.mean((labels.forces - pairs.forces) ** 2)
    per_strain = float(np.sqrt(squared / np.mean(strain**2)))
    several = field.topology.molecule.any()
    return ErrorModel(max(per_strain, LEAST_PER_STRAIN) if several else per_strain)
