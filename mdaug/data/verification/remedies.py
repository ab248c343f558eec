"""What would mend frames that contradict themselves: units, sign, energies per atom. Each is tried first."""

from collections.abc import Callable
from functools import cached_property

import numpy as np

from mdaug.data.stated_units import StatedUnits
from mdaug.data.verification.unit_inference import FittingUnits, UnitEvidence, fitting_units, options_of
from mdaug.frames import FrameSet

MAX_TRIED = 4
"""Units that are tried, the likeliest first."""

AS_LIKELY, AS_GOOD = 5.0, 1.0
"""Differences of the costs and misfits of units up to which the frames do not decide between them."""

MUCH_LESS_LIKELY = 7.0
"""Cost of units that are not proposed where energies per atom fit too: those in which energies and forces
differ."""

FAR_OFF = 5.0
"""Ratios off by this factor are so by their unit, not by fixed atoms or forces of other positions."""


class Remedies:
    """Changes to frames that make lengths, energies and forces agree, each verified by applying it.

    Parameters
    ----------
    frames
        All frames as they were read.
    evidence
        Their measured ratios.
    stated
        Units in which they were read.
    agrees
        Whether changed frames agree: measures all ratios again.
    doubt
        Why the forces are not those of the positions, so that no unit would mend them; None if they may be.
        It does not explain ratios that are far off.
    """

    def __init__(
        self,
        frames: FrameSet,
        evidence: UnitEvidence,
        stated: StatedUnits,
        agrees: Callable[[FrameSet], bool],
        doubt: str | None = None,
    ) -> None:
        self.evidence, self.stated = evidence, stated
        self.doubt = None if _is_far_off(evidence) else doubt
        self._frames, self._agrees = frames, agrees
        self.force_sign = -1.0 if evidence.stiffness is not None and evidence.stiffness < 0 else 1.0
        slope = 1.0 if evidence.slope is None else evidence.slope
        self.energy_sign = -1.0 if slope * self.force_sign < 0 else 1.0

    @cached_property
    def units(self) -> tuple[FittingUnits, ...]:
        """Units that fit, the likeliest first; several only if the frames do not decide between them."""
        if self.doubt is not None:
            return ()
        fitting: list[FittingUnits] = []
        for one in fitting_units(self.evidence, self.stated)[:MAX_TRIED]:
            best = fitting[0] if fitting else one
            if one.cost > best.cost + AS_LIKELY or one.misfit > best.misfit + AS_GOOD:
                continue
            units = one.units
            if self._mends(
                units.ev_per_energy / self.stated.ev_per_energy,
                units.ev_a_per_force / self.stated.ev_a_per_force,
                units.a_per_length / self.stated.a_per_length,
            ):
                fitting.append(one)
        return tuple(fitting)

    def other_units(self) -> tuple[StatedUnits, ...]:
        """Return the units that fit; none where those stated do."""
        units = tuple(one.units for one in self.units)
        return () if self.stated in units else units

    @cached_property
    def is_per_atom(self) -> bool:
        """Whether energies times the number of atoms fit."""
        n_atoms, slope = self._frames.n_atoms, self.evidence.slope
        if n_atoms < 2 or slope is None:
            return False
        is_near = abs(np.log(abs(slope) * n_atoms)) < 2 * self.evidence.slope_width
        return bool(is_near) and self._mends(n_atoms, 1.0, 1.0)

    def explain_slope(self, slope: float) -> str:
        """Return why energies do not fit forces, and what would mend it.

        Parameters
        ----------
        slope
            Of the energies against those integrated from the forces.
        """
        start = "energies do not fit the forces: "
        return start + (self._explain_by_units(slope) if self.doubt is None else self.doubt)

    def _explain_by_units(self, slope: float) -> str:
        options = options_of(self.other_units(), self.stated)
        if slope < 0:
            if self.evidence.stiffness is None:
                what = "either the energies or the forces have"
            else:
                what = "the forces have" if self.force_sign < 0 else "the energies have"
            also = f", and state {options}" if options else ""
            if not options and self.is_per_atom:
                also = f", and multiply the energies by the number of atoms, {self._frames.n_atoms}"
            return f"{what} the wrong sign (forces are F = −∂E/∂r, gradients are not): change it{also}"
        if self.is_per_atom:
            n_atoms = self._frames.n_atoms
            per_atom = f"they look like energies per atom: multiply them by {n_atoms}"
            if n_atoms == 2:
                return f"{per_atom}; or the forces are twice too large: cannot tell which"
            if options and self.units[0].cost < MUCH_LESS_LIKELY:
                return f"{per_atom}; or state {options}: cannot tell which, as both would fit"
            return per_atom
        if options:
            which = ": cannot tell which" if len(self.units) > 1 else ""
            return f"both fit together with {options}{which}"
        expected = "expected E and F = −∂E/∂r of one calculation"
        return f"no pair of units, sign or number of atoms explains it; {expected}"

    def _mends(self, energy: float, force: float, length: float) -> bool:
        return self._agrees(
            self._frames.scaled(
                length=length, energy=energy * self.energy_sign, force=force * self.force_sign
            )
        )


def _is_far_off(evidence: UnitEvidence) -> bool:
    ratios = [abs(ratio) for ratio in (evidence.stiffness, evidence.slope) if ratio]
    return any(not 1 / FAR_OFF < ratio < FAR_OFF for ratio in ratios)
