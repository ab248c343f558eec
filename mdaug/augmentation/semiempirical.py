"""The rule `gfn2-xtb`: GFN2-xTB's change of energy and forces, on the parent's own slope.

A second level of theory makes these labels, not the frames: they are an alternative to the matched force
field, to be compared with it, and never part of it. Needs tblite (pip install 'mdaug[xtb]').
"""

from ase.calculators.calculator import Calculator

from mdaug.augmentation.displacements import Displacements
from mdaug.augmentation.potential_labels import corrected_labels
from mdaug.augmentation.spring_labels import Labels
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import GFN2, calculate_frames, charged_calculator

ADVICE = "use smaller displacements or another label rule"


class SemiempiricalRule:
    """Labels by differences of a calculator's energies and forces."""

    def __init__(self, calculator: Calculator) -> None:
        self.calculator = calculator

    def __call__(self, displaced: Displacements) -> Labels:
        parents, shift = displaced.parents, displaced.displacements
        before = calculate_frames(self.calculator, parents, advice=ADVICE)
        after = calculate_frames(self.calculator, parents, parents.positions + shift, advice=ADVICE)
        return corrected_labels(parents, shift, before, after)


def semiempirical_rule(frames: FrameSet) -> SemiempiricalRule:
    """Return the rule for frames of this charge and multiplicity.

    Raises
    ------
    MissingDependencyError
        If tblite is not installed.
    """
    return SemiempiricalRule(charged_calculator(GFN2, frames.charge, frames.multiplicity))
