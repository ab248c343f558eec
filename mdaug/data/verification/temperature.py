"""Temperature of frames from forces along bonds, to compare with the stated one."""

import numpy as np

from mdaug.data.verification.bond_stiffness import BOND_SPREAD_A, lasting_bonds
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.pairs import minimum_image
from mdaug.units import BOLTZMANN_EV_K
from mdaug.verdicts import Verdict

NAME = "temperature"

MIN_FRAMES = 20

TOLERANCE = 0.15
"""Allowed deviation from the stated temperature, relative to it, beside three standard errors."""

MAX_ERROR = 0.07
"""Standard error, relative to the stated temperature, beyond which nothing can be said."""

DOUBT = 0.25
"""Deviation plus two standard errors, relative to the stated temperature, beyond which nothing can be said:
the frames may be of a temperature that differs by so much."""

N_BLOCKS = 10
"""Blocks of consecutive frames for the standard error, as frames may be correlated."""

MAX_BONDS = 200


def bond_temperature(frames: FrameSet) -> tuple[float, float] | None:
    """Return the temperature of the bonds' vibrations and its standard error, K; None without bonds.

    For any vector field v of the positions ⟨v·∇U⟩ = k_B T ⟨∇·v⟩ (O. G. Jepps, G. Ayton, D. J. Evans,
    DOI 10.1103/PhysRevE.62.4757). Moving one atom of a bond along it by its stretch, v = (d − d₀) r̂ with
    ∇·v = 1 + 2 (d − d₀)/d, gives a temperature for each end of each bond, also in cells.
    """
    idx_i, idx_j = lasting_bonds(frames)
    if len(idx_i) == 0:
        return None
    some = np.unique(np.linspace(0, len(idx_i) - 1, MAX_BONDS).astype(int))
    idx_i, idx_j = idx_i[some], idx_j[some]
    vectors = minimum_image(frames.positions[:, idx_j] - frames.positions[:, idx_i], frames.periodic_cells)
    d_ij = np.linalg.norm(vectors, axis=2)
    use = (d_ij.std(axis=0) > BOND_SPREAD_A[0]) & (d_ij.std(axis=0) < BOND_SPREAD_A[1])
    if not use.any():
        return None
    unit, d_ij, idx_i, idx_j = (vectors / d_ij[..., None])[:, use], d_ij[:, use], idx_i[use], idx_j[use]
    stretch = d_ij - d_ij.mean(axis=0)
    pull = np.einsum("npx,npx->np", frames.forces[:, idx_i] - frames.forces[:, idx_j], unit)
    work = np.sum(stretch * pull, axis=1)
    divergence = np.sum(2 + 4 * stretch / d_ij, axis=1)
    return _ratio(work / BOLTZMANN_EV_K, divergence)


def temperature_verdict(frames: FrameSet) -> Verdict:
    """Return whether forces and bond lengths agree with the stated temperature.

    Parameters
    ----------
    frames
        Without outliers; in eV and Å.
    """
    stated = frames.temperature_K
    if stated is None:
        return Verdict(NAME, "cannot tell", None, None, "no temperature is stated (--temperature)")
    if len(frames) < MIN_FRAMES:
        return Verdict(NAME, "cannot tell", None, stated, f"needs at least {MIN_FRAMES} frames")
    measured = bond_temperature(frames)
    if measured is None:
        return Verdict(
            NAME, "cannot tell", None, stated, "no bonds that vibrate, so no temperature can be measured"
        )
    value, error = measured
    text = f"bonds vibrate at {value:.0f} ± {error:.0f} K, stated {stated:g} K"
    if 0 < value < stated:  # the error is proportional to the temperature: if the stated one is right, larger
        error *= stated / value
    if abs(value - stated) <= max(TOLERANCE * stated, 3 * error):
        if error > MAX_ERROR * stated or abs(value - stated) + 2 * error > DOUBT * stated:
            return Verdict(NAME, "cannot tell", value, stated, f"{text}: too noisy to decide")
        return Verdict(NAME, "ok", value, stated, text)
    text += (
        ": the temperature is wrong, the frames are not of equilibrium, or the forces are of another "
        "level of theory than the dynamics; state the temperature of the dynamics with --temperature"
    )
    return Verdict(NAME, "warning", value, stated, text)


def _ratio(numerator: FloatArray, denominator: FloatArray) -> tuple[float, float]:
    """Return Σ numerator / Σ denominator and its standard error by blocks, at least that of single frames."""
    value = float(numerator.sum() / denominator.sum())
    deviation = (numerator - value * denominator) / denominator.mean()
    blocks = np.array([block.mean() for block in np.array_split(deviation, N_BLOCKS)])
    error = max(blocks.std(ddof=1) / np.sqrt(N_BLOCKS), deviation.std(ddof=1) / np.sqrt(len(deviation)))
    return value, float(error)
