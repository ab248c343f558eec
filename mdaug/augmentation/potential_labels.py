"""Labels by the change of another potential V, put on the parent's own slope.

    ΔE = V(r') − V(r) − Σ_i τ_i R_i·Δr_i,   R = F − F_V(r),   τ_i = 1/(1 + (|Δr_i|/0.4 Å)⁴)
    F' = −∂E'/∂r' = F_V(r') + τ_i R_i + (R_i·Δr_i) ∂τ_i/∂Δr_i

Near the parent this is exact to first order whatever V is; far from it, where the parent's residual R says
nothing, it is V's own change.
"""

import numpy as np

from mdaug.augmentation.spring_labels import Labels
from mdaug.frames import FloatArray, FrameSet

REACH_A = 0.4
"""Displacement at which half of the parent's residual force is believed."""


def corrected_labels(
    parents: FrameSet,
    displacements: FloatArray,
    before: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray],
) -> Labels:
    """Return the labels of displaced parents.

    Parameters
    ----------
    displacements
        Δr, shape (n_frames, n_atoms, 3), Å.
    before, after
        V's energies (n_frames,) in eV and forces (n_frames, n_atoms, 3) in eV/Å at parents and copies.
    """
    residual = parents.forces - before[1]
    work = np.sum(residual * displacements, axis=-1)
    believed, slope = switch(np.linalg.norm(displacements, axis=-1))
    return Labels(
        after[0] - before[0] - np.sum(believed * work, axis=-1),
        after[1] + believed[..., None] * residual + (work * slope)[..., None] * displacements,
    )


def switch(length: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return τ and τ'/|Δr| (1/Å²) at |Δr| = `length` (Å)."""
    fourth = (length / REACH_A) ** 4
    return 1 / (1 + fourth), -4 * (length / REACH_A) ** 2 / REACH_A**2 / (1 + fourth) ** 2
