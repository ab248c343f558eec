"""The rule `matched`: the parent's own slope and a matched force field's change.

    ΔE = M(r') − M(r) − Σ_i τ_i R_i·Δr_i,   R = F − F_M(r),   τ_i = 1/(1 + (|Δr_i|/0.4 Å)⁴)
    F' = −∂E'/∂r' = F_M(r') + τ_i R_i + (R_i·Δr_i) ∂τ_i/∂Δr_i

Near the parent this is exact to first order whatever M is; far from it, where the parent's residual R says
nothing, it is M's own change.
"""

from dataclasses import dataclass

import numpy as np

from mdaug.augment.displacements import Displacements
from mdaug.augment.labels import Labels
from mdaug.augment.matched.errors import ErrorModel, estimate_errors
from mdaug.augment.matched.fit import match
from mdaug.augment.matched.force_field import ForceField
from mdaug.frames.frame_set import FloatArray, FrameSet

REACH_A = 0.4
"""Displacement at which half of the parent's residual force is believed."""


@dataclass(frozen=True)
class MatchedRule:
    """Labels from a force field matched to the frames, with their estimated errors."""

    field: ForceField
    errors: ErrorModel

    def __call__(self, displaced: Displacements) -> Labels:
        labels, strain = change_by(self.field, displaced.parents, displaced.displacements)
        moved = displaced.parents.positions + displaced.displacements
        return Labels(
            labels.energy_change, labels.forces, self.errors.force_error(strain, self.field.broken(moved))
        )


def matched_rule(frames: FrameSet) -> MatchedRule:
    """Match a force field to `frames`, and estimate what its labels are worth."""
    return MatchedRule(match(frames), estimate_errors(frames))


def change_by(field: ForceField, parents: FrameSet, displacements: FloatArray) -> tuple[Labels, FloatArray]:
    """Return the labels of displaced parents by `field`, and the strain of each copy.

    The strain is |M(r') − M(r) + Σ F_M·Δr|, eV, shape (n_frames,): M's change beyond first order.
    """
    before, forces = field.evaluate(parents.positions)
    after, new_forces = field.evaluate(parents.positions + displacements)
    residual = parents.forces - forces
    work = np.sum(residual * displacements, axis=-1)
    believed, slope = switch(np.linalg.norm(displacements, axis=-1))
    label = Labels(
        after - before - np.sum(believed * work, axis=-1),
        new_forces + believed[..., None] * residual + (work * slope)[..., None] * displacements,
    )
    return label, np.abs(after - before + np.sum(forces * displacements, axis=(1, 2)))


def switch(length: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return τ and τ'/|Δr| (1/Å²) at |Δr| = `length` (Å)."""
    fourth = (length / REACH_A) ** 4
    return 1 / (1 + fourth), -4 * (length / REACH_A) ** 2 / REACH_A**2 / (1 + fourth) ** 2
