"""Infer the units of a file from three measured ratios together, so that lengths, energies and forces fit.

- lengths: nearest distances over sums of covalent radii (about 1 in Å);
- forces: stiffness of bonds over that of Badger's rule (about 1 in eV/Å²);
- energies: slope of the energies against those integrated from the forces (1 where both fit).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from mdaug.data.stated_units import A_PER_LENGTH_UNIT, StatedUnits
from mdaug.data.verification.bond_stiffness import FIRM, BondStiffness, bond_stiffness
from mdaug.data.verification.length_units import LENGTH_LIMITS, implied_lengths
from mdaug.frames import FrameSet, IntArray
from mdaug.units import EV_PER_ENERGY_UNIT
from mdaug.verdicts import Verdict

STIFFNESS_FACTOR = 2.5
"""Allowed factor of the stiffness either way; real systems have 0.5 (shared protons) to 1.6 (silicon)."""

CERTAIN_STIFFNESS_FACTOR = 4.8
"""Beyond this factor, √23, the stated unit is refused even where no other unit fits."""

MAX_RMS_FORCE = 20.0
"""eV/Å per component: ten times that of a molecule at 2000 K."""

UNRELATED = 0.45
"""Correlation of stretch and force along bonds below which the stiffness means nothing."""

GRADIENT = -0.7
"""Correlation below which forces are gradients; those of other atoms reach −0.5."""

MIN_FIRM = 0.33
"""Share of the bonds with a correlation beyond `FIRM` that is enough."""

MIN_FRAMES, MAX_FRAMES = 20, 300
"""Frames for a stiffness."""

LOG_WIDTHS = (0.12, 0.3)
"""Standard deviations of the logarithms of the ratios of lengths and forces in the right units."""

MAX_MISFIT = 9.0
"""Sum of squared deviations in those standard deviations up to which units fit."""


@dataclass(frozen=True)
class UnitEvidence:
    """Measured ratios of frames as they were read; None where nothing could be measured.

    Parameters
    ----------
    lengths
        Nearest distances over sums of covalent radii.
    stiffness
        Measured over expected stiffness of bonds (negative for gradients), with lengths corrected to Å.
    slope
        Energies over energies integrated from forces, with lengths corrected likewise.
    slope_width
        Uncertainty of the logarithm of the slope.
    to_a
        Factor to Å that the distances imply; 1 where they imply none.
    """

    lengths: float | None
    stiffness: float | None
    slope: float | None = None
    slope_width: float = 0.1
    to_a: float = 1.0


def measure_units(frames: FrameSet, usable: IntArray) -> tuple[UnitEvidence, BondStiffness | None]:
    """Return the evidence of frames, and their bonds.

    Parameters
    ----------
    frames
        All frames.
    usable
        Indices of the frames without outliers. The others show nothing but distances.
    """
    some = frames.select(usable)

    def is_firm(factor: float) -> bool:
        bonds = _bonds(some, factor)
        return bonds is not None and answers(bonds) and bonds.factor > 0

    ratio, to_a = implied_lengths(frames, usable, is_firm)
    bonds = _bonds(some, to_a)
    stiffness = bonds.factor if bonds is not None and answers(bonds) else None
    return UnitEvidence(ratio, stiffness, to_a=to_a), bonds


def _bonds(frames: FrameSet, factor: float) -> BondStiffness | None:
    if len(frames) < MIN_FRAMES:
        return None
    return bond_stiffness(frames.evenly_spaced(MAX_FRAMES).scaled(length=factor))


def answers(bonds: BondStiffness) -> bool:
    """Whether forces answer the stretching of bonds: restoring them, or as gradients.

    A third of the bonds is enough: a proton that is shared, or moves, has no bond of its own.
    """
    if bonds.correlation > UNRELATED or bonds.correlation < GRADIENT:
        return True
    return bool(np.mean(bonds.correlations > FIRM) >= MIN_FIRM and bonds.correlations.min() > -UNRELATED)


@dataclass(frozen=True)
class FittingUnits:
    """Units in which all measured ratios are right, how well these fit, and how unlikely they are."""

    units: StatedUnits
    misfit: float
    cost: float


def fitting_units(evidence: UnitEvidence, stated: StatedUnits) -> list[FittingUnits]:
    """Return the units in which all measured ratios are right, the likeliest first.

    Parameters
    ----------
    evidence
        Ratios of the frames read in `stated`.
    stated
        The units in which the frames were read, which are likelier than others.
    """
    fitting = []
    for energy, force_energy, force_length, length in product(
        EV_PER_ENERGY_UNIT, EV_PER_ENERGY_UNIT, A_PER_LENGTH_UNIT, A_PER_LENGTH_UNIT
    ):
        units = StatedUnits(energy, force_energy, force_length, length)
        if _is_usual(units):
            misfit = _misfit(evidence, stated, units)
            if misfit < MAX_MISFIT:
                fitting.append(FittingUnits(units, misfit, misfit + _improbability(units, stated)))
    return sorted(fitting, key=lambda one: one.cost)


def _misfit(evidence: UnitEvidence, stated: StatedUnits, units: StatedUnits) -> float:
    """Return the squared deviations of the ratios that the frames would have in `units`."""
    in_energy = units.ev_per_energy / stated.ev_per_energy
    in_force = units.ev_a_per_force / stated.ev_a_per_force
    in_length = units.a_per_length / stated.a_per_length
    implied = evidence.to_a
    terms = []
    # atoms that are apart in every unit say nothing on it
    if evidence.lengths is not None and LENGTH_LIMITS[0] < evidence.lengths * implied < LENGTH_LIMITS[1]:
        terms.append(np.log(evidence.lengths * in_length) / LOG_WIDTHS[0])
    if evidence.stiffness is not None:
        # stiffness and slope were measured with lengths in the implied unit
        terms.append(
            np.log(max(abs(evidence.stiffness), 1e-12) * in_force * implied / in_length) / LOG_WIDTHS[1]
        )
    if evidence.slope is not None:
        terms.append(
            np.log(abs(evidence.slope) * in_energy * implied / (in_force * in_length)) / evidence.slope_width
        )
    return float(np.sum(np.square(terms)))


def _is_usual(units: StatedUnits) -> bool:
    """Whether files in these units exist: one energy unit, or forces of another one in Å or atomic units.

    Quantum chemistry programs print forces in Hartree/Bohr, which are forgotten when energies are converted.
    """
    if units.length == "pm" or units.force_length == "pm":
        return False
    if units.force_length == "nm" and (units.force_energy, units.energy) != ("kJ/mol", "kJ/mol"):
        return False
    if units.force_energy == units.energy:
        return True
    return units.length == "Angstrom" and (units.force_length == "Angstrom" or units.force == "Hartree/Bohr")


def _improbability(units: StatedUnits, stated: StatedUnits) -> float:
    """Return how unusual a combination of units is: energy and force units differ, or lengths differ."""
    cost = 6.0 * (units.force_energy != units.energy) + 3.0 * (units.force_length != units.length)
    cost += 4.0 * (units.force_length in ("nm", "pm")) + 4.0 * (units.length in ("nm", "pm"))
    cost += 1.0 * (units.energy in ("meV", "Ry"))
    cost += 1.0 * (units.energy != stated.energy) + 1.0 * (units.length != stated.length)
    return cost


def options_of(units: tuple[StatedUnits, ...], stated: StatedUnits) -> str:
    """Return the command-line options that state any of these units, in place of those stated."""
    return " or ".join(one.options(stated) for one in units)


def length_verdict(
    evidence: UnitEvidence,
    stated: StatedUnits,
    fitting: Callable[[], tuple[StatedUnits, ...]],
    doubt: str | None = None,
) -> Verdict:
    """Return whether lengths can be in the stated unit; `fitting` gives units that fit.

    `doubt` says why the forces are not those of the positions, if so: then no unit is known to fit, and the
    positions may be something else.
    """
    name, ratio = "unit of lengths", evidence.lengths
    if ratio is None:
        return Verdict(
            name, "cannot tell", None, None, "no atoms that form bonds, so lengths cannot be judged"
        )
    low, high = LENGTH_LIMITS
    what = f"nearest distances are {ratio:.2f} times the sum of covalent radii, expected {low:g} to {high:g}"
    if low < ratio < high:
        return Verdict(name, "ok", ratio, f"{low:g} to {high:g}", what)
    looks = "no atoms look bonded" if ratio > high else "atoms are nearer than bonded ones"
    if doubt is not None:
        text = (
            f"{looks}: {what}; and {doubt}: are positions and forces in the right places, and lengths in "
            f"{stated.length} (--length-units)?"
        )
        return Verdict(name, "error", ratio, f"{low:g} to {high:g}", text)
    units = fitting()
    if all(one.length == stated.length for one in units):
        text = f"{looks}: {what}; is the length unit {stated.length}? state it with --length-units"
        return Verdict(name, "warning", ratio, f"{low:g} to {high:g}", text)
    text = (
        f"implausible units: lengths read in {stated.length}: {what}: state {options_of(units, stated)}, "
        "which fits"
    )
    return Verdict(name, "error", ratio, f"{low:g} to {high:g}", text)


def force_verdict(
    frames: FrameSet,
    bonds: BondStiffness | None,
    stated: StatedUnits,
    fitting: Callable[[], tuple[StatedUnits, ...]],
) -> Verdict:
    """Return whether forces can be in the unit and sign as stated; `fitting` gives units that fit."""
    name = "unit of forces"
    rms = float(np.sqrt(np.mean(frames.evenly_spaced(MAX_FRAMES).forces ** 2)))
    if bonds is None:
        if rms > MAX_RMS_FORCE:
            text = (
                f"forces of {rms:.3g} eV/Å rms per component when read in {stated.force}; expected below "
                f"{MAX_RMS_FORCE:g}: state the unit with --units or --force-units, or remove bad frames"
            )
            return Verdict(name, "error", rms, MAX_RMS_FORCE, text)
        text = "too few frames, or no bonds between nonmetals, to judge the unit of forces by stiffness"
        return Verdict(name, "cannot tell", None, None, text)
    factor = bonds.factor
    limit = f"{1 / STIFFNESS_FACTOR:g} to {STIFFNESS_FACTOR:g}"
    described = bonds.describe(frames.atomic_numbers)
    # the slope of force with length, and that of its inverse: the bonds' stiffness is between them
    highest = factor / max(bonds.correlation**2, 1e-12)
    if not answers(bonds) or 0 < factor < 1 / STIFFNESS_FACTOR < highest:
        text = f"forces hardly answer the stretching of bonds (correlation {bonds.correlation:.2f})"
        return Verdict(name, "cannot tell", factor, limit, text)
    if factor < 0:
        text = (
            f"forces have the wrong sign: {described}: the file holds gradients (+∂E/∂r); expected "
            "forces F = −∂E/∂r: change their sign"
        )
        return Verdict(name, "error", factor, limit, text)
    if 1 / STIFFNESS_FACTOR < factor < STIFFNESS_FACTOR:
        text = f"bonds are {factor:.2f} times as stiff as their lengths imply, expected {limit}"
        return Verdict(name, "ok", factor, limit, text)
    times = f"{factor:.3g} times too large" if factor > 1 else f"{1 / factor:.3g} times too small"
    units = fitting()
    advice = "check the file's units and state them with --units, --force-units and --length-units"
    if units:
        advice = f"state {options_of(units, stated)}, which fits"
    read_in = f"{stated.force_energy}/{'Å' if stated.force_length == 'Angstrom' else stated.force_length}"
    text = f"implausible units: forces read in {read_in} are about {times} ({described}): {advice}"
    certain = bool(units) or not (1 / CERTAIN_STIFFNESS_FACTOR < factor < CERTAIN_STIFFNESS_FACTOR)
    return Verdict(name, "error" if certain else "warning", factor, limit, text)
