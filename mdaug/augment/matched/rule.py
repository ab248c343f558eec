"""The rule `matched`: the change of a force field matched to the frames, on the parent's own slope."""

from dataclasses import dataclass

import numpy as np

from mdaug.augment.corrected import corrected_labels
from mdaug.augment.displacements import Displacements
from mdaug.augment.labels import Labels
from mdaug.augment.matched.errors import ErrorModel, estimate_errors
from mdaug.augment.matched.fit import match
from mdaug.augment.matched.force_field import ForceField
from mdaug.frames.frame_set import FloatArray, FrameSet


@dataclass(frozen=True)
class MatchedRule:
    """Labels from a force field matched to the frames, with their estimated errors."""

    field: ForceField
    errors: ErrorModel

    def __call__(self, displaced: Displacements) -> Labels:
        labels, strain = change_by(self.field, displaced.parents, displaced.displacements)
        broken = self.field.broken(displaced.parents.positions + displaced.displacements)
        return Labels(labels.energy_change, labels.forces, self.errors.force_error(strain, broken))

    def forces_at(self, positions: FloatArray) -> FloatArray:
        """Return the force field's forces (n_frames, n_atoms, 3), eV/Å, at `positions` in Å."""
        return self.field.evaluate(positions)[1]


def matched_rule(frames: FrameSet) -> MatchedRule:
    """Match a force field to `frames`, and estimate what its labels are worth."""
    return MatchedRule(match(frames), estimate_errors(frames))


def change_by(field: ForceField, parents: FrameSet, displacements: FloatArray) -> tuple[Labels, FloatArray]:
    """Return the labels of displaced parents by `field`, and the strain of each copy.

    The strain is |M(r') − M(r) + Σ F_M·Δr|, eV, shape (n_frames,): M's change beyond first order.
    """
    before, after = field.evaluate(parents.positions), field.evaluate(parents.positions + displacements)
    slope = np.sum(before[1] * displacements, axis=(1, 2))
    strain = np.abs(after[0] - before[0] + slope)
    return corrected_labels(parents, displacements, before, after), strain
