"""Labels from the change of another potential V and the slope of the parent frame.

    ΔE = V(r') − V(r) − Σ_i τ_i R_i·Δr_i,   R = F − F_V(r),   τ_i = 1/(1 + (|Δr_i|/0.4 Å)⁴)
    F' = −∂E'/∂r' = F_V(r') + τ_i R_i + (R_i·Δr_i) ∂τ_i/∂Δr_i

Near the parent this is exact to first order for any V; far from it, where the parent's residual R carries no
information, it is V's own change.
"""

import numpy as np
from ase.calculators.calculator import Calculator

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.spring_labels import Labels
from mdaug.frames import FloatArray, FrameSet
from mdaug.quantum.calculators import GFN2, calculate_frames, charged_calculator

REACH_A = 0.4
"""Displacement at which the parent's residual force counts half, Å."""

ADVICE = "use smaller displacements or another label rule"


def corrected_labels(
    parents: FrameSet,
    displacements: FloatArray,
    before: tuple[FloatArray, FloatArray],
    after: tuple[FloatArray, FloatArray],
) -> Labels:
    """Return the labels of displaced parents.

    Parameters
    ----------
    parents
        The frames before the displacement.
    displacements
        Δr, shape (n_frames, n_atoms, 3), Å.
    before, after
        V's energies (n_frames,) in eV and forces (n_frames, n_atoms, 3) in eV/Å before and after.
    """
    residual = parents.forces - before[1]
    work = np.sum(residual * displacements, axis=-1)
    trust, slope = switch(np.linalg.norm(displacements, axis=-1))
    return Labels(
        after[0] - before[0] - np.sum(trust * work, axis=-1),
        after[1] + trust[..., None] * residual + (work * slope)[..., None] * displacements,
    )


def switch(length: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return τ and τ'/|Δr| (1/Å²), shaped as `length`.

    Parameters
    ----------
    length
        |Δr|, Å.
    """
    fourth = (length / REACH_A) ** 4
    return 1 / (1 + fourth), -4 * (length / REACH_A) ** 2 / REACH_A**2 / (1 + fourth) ** 2


class SemiempiricalRule:
    """Labels from differences of a calculator's energies and forces.

    They come from another level of theory, not from the frames, and serve comparisons.

    Parameters
    ----------
    calculator
        An ASE calculator.
    """

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator

    def __call__(self, displaced: Displacements) -> Labels:
        """Return the labels of displaced frames."""
        parents, shift = displaced.parents, displaced.displacements
        before = calculate_frames(self.calculator, parents, advice=ADVICE)
        after = calculate_frames(self.calculator, parents, parents.positions + shift, advice=ADVICE)
        return corrected_labels(parents, shift, before, after)


def semiempirical_rule(frames: FrameSet) -> SemiempiricalRule:
    """Return the rule `gfn2-xtb` for frames of this charge and multiplicity.

    Parameters
    ----------
    frames
        Charge and multiplicity are taken from them.

    Raises
    ------
    MissingDependencyError
        If tblite is not installed.
    """
    return SemiempiricalRule(charged_calculator(GFN2, frames.charge, frames.multiplicity))
