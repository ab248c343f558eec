"""Whether the forces of some frames are larger by a factor than those of the others: two units in one file.

Single bonds (`common_units`) tell signs, and factors of ten. Smaller ones, as 1.89 of a Bohr for an Å, show
against forces of all atoms that are predicted from their positions.
"""

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.stated_units import A_PER_LENGTH_UNIT, StatedUnits
from mdaug.data.verification.energies_from_forces import MAX_PAIR_FIT_ATOMS, drawn
from mdaug.data.verification.pair_energies import pair_energies
from mdaug.data.verification.regression import two_groups
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.geometry.pairs import molecule_pairs
from mdaug.units import EV_PER_ENERGY_UNIT
from mdaug.verdicts import Verdict

NAME = "one scale of all forces"

EV = StatedUnits.of_energy("eV")

MIN_FRAMES, MIN_FITTED, MAX_FRAMES = 20, 10, 200
"""Frames that are compared and, of one scale, fitted."""

ALIKE = 0.7
"""Correlation of the given with the predicted forces of a frame from which on it has a scale."""

WEAK = 0.1
"""Root mean square of the predicted forces of a frame, relative to that of all, below which it has no scale:
the fit follows the greater forces, and the tail of a dissociation curve is off by any factor."""

LEAST_FACTOR = 1.5
"""Wrong units change forces by a greater factor (Bohr for Å: 1.89). Halves of clean sets differ by 1.02 to
1.32."""

SEPARATION = 3.8
"""Logarithm of the ratio of two groups' scales, relative to the scatter within them, at least. Of the halves
of a normal distribution it is 2.6; of clean sets 2.2 to 3.2, of mixtures 4.1 to 12."""

MOST_FRAMES, MOST_UNEXPLAINED = 0.75, 0.3
"""Share of the frames of another unit in which functions fitted to the other frames, times one factor, leave
so much of the squared forces at most. Single frames may be in the wrong group (mixtures of clean sets: up to
0.22; tails of scans 0.4 and more)."""

ALIKE_A = 0.01
"""Largest difference of all distances (Å) of frames that are one structure: a minimum at the end of a path,
or of an optimization, is there many times, and its small forces say nothing on units."""

FORCE_UNITS = (
    *((energy, "Angstrom") for energy in EV_PER_ENERGY_UNIT),
    ("Hartree", "Bohr"),
    ("Ry", "Bohr"),
    ("kJ/mol", "nm"),
)
"""Energy and length of the units that forces in files have."""

NEAR_UNIT = 0.15
"""Deviation of the logarithm of a factor from that between two units."""

MIN_SHARE, LEAST_FRAMES = 0.04, 3
"""Fewer structures are outliers, which other checks find."""


def force_scales_verdict(frames: FrameSet, usable: IntArray, stated: StatedUnits = EV) -> Verdict:
    """Return whether the forces of all frames have one scale.

    Functions of pair distances are fitted to the forces. They have few parameters, so that they follow no
    frame, and the forces of each frame have a factor by which they are larger than predicted.

    Parameters
    ----------
    frames
        All frames; lengths in Å.
    usable
        Indices of the frames without outliers.
    stated
        Units in which the frames were read: some of them may have these.
    """
    chosen = drawn(usable, MAX_FRAMES)
    scales = measured_scales(frames, chosen)
    measured = np.isfinite(scales)
    if measured.sum() < MIN_FRAMES:
        text = f"needs {MIN_FRAMES} frames whose forces functions of pair distances can predict"
        return Verdict(NAME, "cannot tell", float(measured.sum()), MIN_FRAMES, text)
    logs = np.log(scales[measured])
    upper, within = two_groups(logs)
    difference = float(logs[upper].mean() - logs[~upper].mean())
    factor, separation = float(np.exp(difference)), difference / max(within, 1e-12)
    share = min(upper.mean(), 1 - upper.mean())
    if factor < LEAST_FACTOR or separation < SEPARATION or share < max(MIN_SHARE, LEAST_FRAMES / len(upper)):
        scatter = float(np.exp(logs.std()))
        text = f"forces of all frames have one scale, within a factor of {scatter:.2f}"
        return Verdict(NAME, "ok", scatter, LEAST_FACTOR, text)
    minority = upper if upper.mean() <= 0.5 else ~upper
    n_structures = _n_structures(frames.positions[chosen[measured][minority]])
    if n_structures < max(LEAST_FRAMES, MIN_SHARE * len(upper)):
        text = f"only {n_structures} structures have forces of another scale"
        return Verdict(NAME, "cannot tell", factor, LEAST_FACTOR, text)
    factor, unexplained = _factor_and_rest(frames, chosen[measured][~minority], chosen[measured][minority])
    if unexplained > MOST_UNEXPLAINED:
        text = f"functions of pair distances leave {unexplained:.2g} of the forces unexplained"
        return Verdict(NAME, "cannot tell", unexplained, MOST_UNEXPLAINED, text)
    if not _is_between_units(factor, stated):
        text = f"forces of two groups of frames differ by a factor of {factor:.2g}, as no two units do"
        return Verdict(NAME, "cannot tell", factor, LEAST_FACTOR, text)
    return _two_scales(frames, chosen[measured], minority, factor)


def _n_structures(positions: FloatArray) -> int:
    """Return how many of the structures (n, n_atoms, 3) differ in their distances."""
    idx_i, idx_j = molecule_pairs(positions.shape[1])
    d_ij = np.linalg.norm(positions[:, idx_i] - positions[:, idx_j], axis=2)
    distinct: list[FloatArray] = []
    for one in d_ij:
        if all(np.abs(one - other).max() > ALIKE_A for other in distinct):
            distinct.append(one)
    return len(distinct)


def measured_scales(frames: FrameSet, chosen: IntArray) -> FloatArray:
    """Return the factor by which forces are larger than predicted, by least squares; NaN where they are not
    alike, or too weak.

    Parameters
    ----------
    frames
        All frames.
    chosen
        Shape (n,): indices of those that are fitted and compared.

    Returns
    -------
    array
        Shape (n,).
    """
    predicted = _predicted_forces(frames, chosen, chosen)
    if predicted is None:
        return np.full(len(chosen), np.nan)
    given = frames.forces[chosen]
    product, square = np.sum(predicted * given, axis=(1, 2)), np.sum(predicted**2, axis=(1, 2))
    alike = product > ALIKE * np.sqrt(square * np.sum(given**2, axis=(1, 2)))
    alike &= square > WEAK**2 * square.mean()
    return np.where(alike, product / np.maximum(square, 1e-300), np.nan)


def _predicted_forces(frames: FrameSet, fitted: IntArray, chosen: IntArray) -> FloatArray | None:
    """Return forces of pair functions, shape (n_chosen, n_atoms, 3), eV/Å; None without a fit."""
    if len(fitted) < MIN_FITTED or frames.n_atoms < 2:
        return None
    fit = drawn(fitted, max(MIN_FRAMES, MAX_PAIR_FIT_ATOMS // frames.n_atoms))
    try:
        return pair_energies(frames, (fit,), chosen)[1]
    except np.linalg.LinAlgError:
        return None


def _factor_and_rest(frames: FrameSet, majority: IntArray, minority: IntArray) -> tuple[float, float]:
    """Return the factor by which forces of the minority differ, and the part that it leaves unexplained.

    The functions are fitted to the majority alone: forces of another unit are then predicted but for one
    factor. Those of the tail of a scan are not predicted at all, as no other frame is like them.
    """
    predicted = _predicted_forces(frames, majority, minority)
    if predicted is None:
        return 1.0, 1.0
    given = frames.forces[minority]
    product, square = np.sum(predicted * given, axis=(1, 2)), np.sum(given**2, axis=(1, 2))
    if not np.any(product > 0):
        return 1.0, 1.0
    scales = product / np.maximum(np.sum(predicted**2, axis=(1, 2)), 1e-300)
    factor = float(np.exp(np.median(np.log(scales[product > 0]))))
    error = np.sum((given - factor * predicted) ** 2, axis=(1, 2))
    return factor, float(np.quantile(error / np.maximum(square, 1e-300), MOST_FRAMES, method="higher"))


def _is_between_units(factor: float, stated: StatedUnits) -> bool:
    """Whether forces of two units differ by the factor: that stated and another, Å and Bohr, kcal and kJ."""
    units = [StatedUnits(energy, energy, length).ev_a_per_force for energy, length in FORCE_UNITS]
    ratios = [stated.ev_a_per_force / unit for unit in units]
    ratios += [A_PER_LENGTH_UNIT["Bohr"], EV_PER_ENERGY_UNIT["kcal/mol"] / EV_PER_ENERGY_UNIT["kJ/mol"]]
    return bool(np.any(np.abs(np.abs(np.log(ratios)) - abs(np.log(factor))) < NEAR_UNIT))


def _two_scales(frames: FrameSet, chosen: IntArray, minority: BoolArray, factor: float) -> Verdict:
    numbers = tuple(chosen[minority].tolist())
    times = f"{factor:.2g} times larger" if factor > 1 else f"{1 / factor:.2g} times smaller"
    text = (
        f"forces of {len(numbers)} of the {len(minority)} frames looked at ({shown(frames, numbers)}) are "
        f"about {times} than those of the others at the same distances: forces of two units in one file "
        "(1.89: Bohr for Å); expected one: convert the frames of one unit, or put them into a file of their "
        "own and state its unit with --force-units"
    )
    return Verdict(NAME, "error", max(factor, 1 / factor), LEAST_FACTOR, text, numbers)
