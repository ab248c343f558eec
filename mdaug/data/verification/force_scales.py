"""Whether the forces of some frames are larger by a factor than those of the others: two units in one file.

Single bonds (`common_units`) tell signs, and factors of ten. Smaller ones, as 1.89 of a Bohr for an Å, show
against forces of all atoms that are predicted from their positions.
"""

from dataclasses import replace

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.energies_from_forces import MAX_PAIR_FIT_ATOMS, drawn
from mdaug.data.verification.pair_energies import pair_energies
from mdaug.data.verification.regression import two_groups
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.geometry.pairs import molecule_pairs
from mdaug.verdicts import Verdict

NAME = "one scale of all forces"

MIN_FRAMES, MAX_FRAMES = 20, 200

ALIKE = 0.7
"""Correlation of the given with the predicted forces of a frame from which on it has a scale."""

LEAST_FACTOR = 1.5
"""Wrong units change forces by a greater factor (Bohr for Å: 1.89). Halves of clean sets differ by 1.02 to
1.32."""

SEPARATION = 3.8
"""Logarithm of the ratio of two groups' scales, relative to the scatter within them, at least. Of the halves
of a normal distribution it is 2.6; of clean sets 2.2 to 3.2, of mixtures 4.1 to 12."""

MOST_UNEXPLAINED = 0.2
"""Part of the squared forces that the functions leave at most where two units are found, after one factor for
the frames of a group (mixtures of clean sets: 0.006 to 0.14). Of a rigid torsion, whose forces they do not
predict, it is 0.28."""

ALIKE_A = 0.01
"""Largest difference of all distances (Å) of frames that are one structure: a minimum at the end of a path,
or of an optimization, is there many times, and its small forces say nothing on units."""

MIN_SHARE, LEAST_FRAMES = 0.04, 3
"""Fewer structures are outliers, which other checks find."""


def force_scales_verdict(frames: FrameSet, usable: IntArray) -> Verdict:
    """Return whether the forces of all frames have one scale.

    Functions of pair distances are fitted to the forces. They have few parameters, so that they follow no
    frame, and the forces of each frame have a factor by which they are larger than predicted.

    Parameters
    ----------
    frames
        All frames; lengths in Å.
    usable
        Indices of the frames without outliers.
    """
    chosen = drawn(usable, MAX_FRAMES)
    scales = measured_scales(frames, chosen)
    known = np.isfinite(scales)
    if known.sum() < MIN_FRAMES:
        text = f"needs {MIN_FRAMES} frames whose forces functions of pair distances can predict"
        return Verdict(NAME, "cannot tell", float(known.sum()), MIN_FRAMES, text)
    logs = np.log(scales[known])
    upper, within = two_groups(logs)
    difference = float(logs[upper].mean() - logs[~upper].mean())
    factor, separation = float(np.exp(difference)), difference / max(within, 1e-12)
    share = min(upper.mean(), 1 - upper.mean())
    if factor < LEAST_FACTOR or separation < SEPARATION or share < max(MIN_SHARE, LEAST_FRAMES / len(upper)):
        scatter = float(np.exp(logs.std()))
        text = f"forces of all frames have one scale, within a factor of {scatter:.2f}"
        return Verdict(NAME, "ok", scatter, LEAST_FACTOR, text)
    minority = upper if upper.mean() <= 0.5 else ~upper
    n_structures = _n_structures(frames.positions[chosen[known][minority]])
    if n_structures < max(LEAST_FRAMES, MIN_SHARE * len(upper)):
        text = f"only {n_structures} structures have forces of another scale"
        return Verdict(NAME, "cannot tell", factor, LEAST_FACTOR, text)
    unexplained = _unexplained(frames, chosen[known], upper, factor)
    if unexplained > MOST_UNEXPLAINED:
        text = f"functions of pair distances leave {unexplained:.2g} of the forces unexplained"
        return Verdict(NAME, "cannot tell", unexplained, MOST_UNEXPLAINED, text)
    return _two_scales(frames, chosen[known], upper, factor)


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
    """Return the factor by which forces are larger than predicted, by least squares; NaN where not alike.

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
    predicted = _predicted_forces(frames, chosen)
    if predicted is None:
        return np.full(len(chosen), np.nan)
    given = frames.forces[chosen]
    product, square = np.sum(predicted * given, axis=(1, 2)), np.sum(predicted**2, axis=(1, 2))
    alike = product > ALIKE * np.sqrt(square * np.sum(given**2, axis=(1, 2)))
    return np.where(alike, product / np.maximum(square, 1e-300), np.nan)


def _predicted_forces(frames: FrameSet, chosen: IntArray) -> FloatArray | None:
    """Return the forces of functions of pair distances, shape (n, n_atoms, 3), eV/Å; None without a fit."""
    if len(chosen) < MIN_FRAMES or frames.n_atoms < 2:
        return None
    fit = drawn(chosen, max(MIN_FRAMES, MAX_PAIR_FIT_ATOMS // frames.n_atoms))
    try:
        return pair_energies(frames, (fit,), chosen)[1]
    except np.linalg.LinAlgError:
        return None


def _unexplained(frames: FrameSet, chosen: IntArray, upper: BoolArray, factor: float) -> float:
    """Return the part of the squared forces that is not predicted, those of `upper` divided by `factor`."""
    forces = frames.forces.copy()
    forces[chosen[upper]] /= factor
    predicted = _predicted_forces(replace(frames, forces=forces), chosen)
    if predicted is None:
        return 1.0
    return float(np.sum((forces[chosen] - predicted) ** 2) / np.sum(forces[chosen] ** 2))


def _two_scales(frames: FrameSet, chosen: IntArray, upper: BoolArray, factor: float) -> Verdict:
    minority = upper if upper.mean() <= 0.5 else ~upper
    numbers = tuple(chosen[minority].tolist())
    text = (
        f"forces of {len(numbers)} of the {len(upper)} frames looked at ({shown(frames, numbers)}) are about "
        f"{factor:.2g} times {'larger' if minority is upper else 'smaller'} than those of the others at the "
        "same distances: forces of two units in one file (1.89: Bohr for Å); expected one: convert the "
        "frames of one unit, or put them into a file of their own and state its unit with --force-units"
    )
    return Verdict(NAME, "error", factor, LEAST_FACTOR, text, numbers)
