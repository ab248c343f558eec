"""The rule `force-matched`: the change of a force field matched to the frames, on the parent's own slope."""

import warnings
from dataclasses import dataclass

import numpy as np

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.force_matching.fit import match
from mdaug.augmentation.force_matching.force_field import ForceField
from mdaug.augmentation.force_matching.label_errors import ErrorModel, estimate_errors
from mdaug.augmentation.potential_labels import corrected_labels
from mdaug.augmentation.spring_labels import Labels
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.springs.distances import pair_name

GUESS_RANGE, GUESS_CHANGE = (0.85, 1.2), 0.05
"""Lengths that bonds which are not tabulated may have in copies, and by how much they may differ from the
parent's whatever it is, in mean lengths."""


@dataclass(frozen=True)
class MatchedRule:
    """Labels from a force field matched to the frames, with their estimated errors."""

    field: ForceField
    errors: ErrorModel

    def __call__(self, displaced: Displacements) -> Labels:
        labels, strain = change_by(self.field, displaced.parents, displaced.displacements)
        moved = displaced.parents.positions + displaced.displacements
        broken = self.field.broken(moved, displaced.parents.periodic_cells)
        return Labels(labels.energy_change, labels.forces, self.errors.force_error(strain, broken))

    def knows(self, displaced: Displacements) -> BoolArray:
        """Tell which copies (n_copies,) M may label: guessed bonds have lengths as in frames."""
        parents, cells = displaced.parents, displaced.parents.periodic_cells
        before = self.field.guessed_stretch(parents.positions, cells)
        after = self.field.guessed_stretch(parents.positions + displaced.displacements, cells)
        inside = (after > GUESS_RANGE[0]) & (after < GUESS_RANGE[1])
        return np.all(inside | (np.abs(after - before) < GUESS_CHANGE), axis=1)

    @property
    def left_bonds(self) -> list[tuple[int, int]]:
        """Bonds that are not to be stretched: how they break is not known."""
        return [(int(i), int(j)) for i, j in self.field.guessed]

    def forces_at(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return the force field's forces (n_frames, n_atoms, 3), eV/Å, at `positions` in Å."""
        return self.field.evaluate(positions, cells)[1]


def matched_rule(frames: FrameSet) -> MatchedRule:
    """Match a force field to `frames`, and estimate what its labels are worth.

    Warns of bonds that are not tabulated.
    """
    rule = MatchedRule(match(frames), estimate_errors(frames))
    names = {pair_name(*frames.atomic_numbers[[i, j]]) for i, j in rule.left_bonds}
    if names:
        warnings.warn(
            f"rule 'force-matched': no dissociation energy is tabulated for {', '.join(sorted(names))} "
            "bonds, so no frames are made in which they are stretched; the model has the frames alone there",
            stacklevel=4,
        )
    return rule


def change_by(field: ForceField, parents: FrameSet, displacements: FloatArray) -> tuple[Labels, FloatArray]:
    """Return the labels of displaced parents by `field`, and the strain of each copy.

    The strain is |M(r') − M(r) + Σ F_M·Δr|, eV, shape (n_frames,): M's change beyond first order; of
    several molecules, that of one.
    """
    cells = parents.periodic_cells
    before = field.evaluate(parents.positions, cells)
    after = field.evaluate(parents.positions + displacements, cells)
    slope = np.sum(before[1] * displacements, axis=(1, 2))
    strain = np.abs(after[0] - before[0] + slope)
    n_strained = strained_molecules(displacements, after[1] - before[1], field.topology.molecule)
    return corrected_labels(parents, displacements, before, after), strain / n_strained


def strained_molecules(displacements: FloatArray, change: FloatArray, molecule: IntArray) -> FloatArray:
    """Return over how many molecules the strain is spread, (Σ_m w_m)²/Σ_m w_m², shape (n_frames,).

    w_m is |Σ Δr·ΔF_M| of a molecule. `change` is ΔF_M (n_frames, n_atoms, 3); `molecule` the number of each
    atom's molecule.
    """
    work = np.sum(displacements * change, axis=-1)
    share = np.abs(work @ np.eye(int(molecule.max()) + 1)[molecule])
    squared, total = share.sum(axis=1) ** 2, np.sum(share**2, axis=1)
    return np.divide(squared, total, out=np.ones_like(total), where=total > 0)
