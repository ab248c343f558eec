"""What frames say of themselves: precision of energies, charge and spin, weights, groups."""

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.temperature import temperature_verdicts
from mdaug.frames import FloatArray, FrameSet, IntArray, evenly_spaced
from mdaug.verdicts import Verdict

MIN_FRAMES = 20

MAX_STEP_SHARE = 0.01
"""Energies with steps larger than this share of their standard deviation are too coarse."""


MAX_POSITION_STEP_A = 5e-4
"""Positions in larger steps are too coarse."""

STIFF_BOND_EV_A2 = 40.0
"""Curvature of a stiff bond (C-H 30, C=O 80), for the error of forces by rounded positions."""

MAX_COORDINATES = 3000


def record_verdicts(frames: FrameSet, usable: IntArray) -> list[Verdict]:
    """Return the verdicts on what the frames state, `usable` being those without outliers."""
    some = frames.select(usable)
    return [
        precision_verdict(some),
        position_precision_verdict(some),
        *temperature_verdicts(some),
        spin_verdict(frames),
        weights_verdict(frames),
        groups_verdict(frames),
    ]


def precision_verdict(frames: FrameSet) -> Verdict:
    """Return whether energies have steps that are large beside their spread, as total energies in float32."""
    name = "precision of energies"
    if len(frames) < MIN_FRAMES:
        return Verdict(name, "cannot tell", None, None, f"needs at least {MIN_FRAMES} frames")
    step = common_step(frames.energies) or _coarse_step(frames)
    spread = float(frames.energies.std())
    if step is None or spread == 0:
        return Verdict(name, "ok", 0.0, MAX_STEP_SHARE, "energies have no visible steps")
    share = step / spread
    text = f"energies have steps of {step:.3g} eV, {100 * share:.2g} % of their standard deviation"
    if share < MAX_STEP_SHARE:
        return Verdict(name, "ok", share, MAX_STEP_SHARE, text)
    text += " (total energies stored in single precision?): store them in double precision, or mean-free"
    return Verdict(name, "warning", share, MAX_STEP_SHARE, text)


def position_precision_verdict(frames: FrameSet) -> Verdict:
    """Return whether positions were rounded so far that the forces of stiff bonds are those of others."""
    name = "precision of positions"
    coordinates = np.unique(frames.positions)
    step = common_step(coordinates[evenly_spaced(len(coordinates), MAX_COORDINATES)])
    if step is None or step < MAX_POSITION_STEP_A:
        text = "positions have no steps that matter" if step else "positions have no visible steps"
        return Verdict(name, "ok", step or 0.0, MAX_POSITION_STEP_A, text)
    error = STIFF_BOND_EV_A2 * step * np.sqrt(2 / 12)  # both atoms of a bond, uniform within a step
    text = (
        f"positions have steps of {step:.2g} Å: forces along stiff bonds do not belong to them within "
        f"{error:.2g} eV/Å (root mean square): give positions with at least six decimals"
    )
    return Verdict(name, "warning", step, MAX_POSITION_STEP_A, text)


def common_step(values: FloatArray) -> float | None:
    """Return the step of which all differences of `values` are multiples; None if there is none."""
    differences = np.diff(np.unique(values))
    noise = 1e-13 * float(np.abs(values).max())
    differences = differences[differences > 4 * noise]
    if len(differences) < MIN_FRAMES // 2:
        return None
    step = float(differences.min())
    for _ in range(20):  # Euclid's algorithm with a tolerance
        remainder = np.abs(differences / step - np.round(differences / step)) * step
        largest = float(np.max(remainder))
        if largest < max(0.02 * step, 8 * noise):
            multiples = np.round(differences / step)
            return float(np.sum(differences) / np.sum(multiples))
        step = float(np.min(remainder[remainder > max(0.02 * step, 8 * noise)]))
        if step < 1e-6 * float(differences.max()):
            return None
    return None


def _coarse_step(frames: FrameSet) -> float | None:
    """Return the smallest difference of energies that several frames of other geometries have in common."""
    energies = np.unique(frames.energies)
    n_geometries = len(np.unique(frames.positions.reshape(len(frames), -1), axis=0))
    if not 1 < len(energies) < n_geometries / 2:
        return None
    return float(np.diff(energies).min())


def spin_verdict(frames: FrameSet) -> Verdict:
    """Return whether charge and multiplicity are possible with the electrons of the atoms."""
    name = "charge and multiplicity"
    charge, multiplicity = frames.charge, frames.multiplicity
    if charge is None and multiplicity is None:
        return Verdict(name, "cannot tell", None, None, "neither is stated")
    nuclear = int(frames.atomic_numbers.sum())
    total = 0.0 if charge is None else charge
    if abs(total - round(total)) > 1e-3 or round(total) > nuclear:
        text = f"total charge {total:g} with {nuclear} protons: expected a whole number, at most {nuclear}"
        return Verdict(name, "error", total, None, text)
    electrons = nuclear - round(total)
    if multiplicity is None:
        return Verdict(name, "ok", total, None, f"charge {total:g}, {electrons} electrons")
    text = f"charge {total:g} leaves {electrons} electrons, multiplicity {multiplicity}"
    possible = 1 <= multiplicity <= electrons + 1 and (multiplicity - 1) % 2 == electrons % 2
    if possible:
        return Verdict(name, "ok", float(multiplicity), None, text)
    parity = "an odd" if electrons % 2 == 0 else "an even"
    text = f"{text}, which cannot be: expected {parity} multiplicity; correct charge or multiplicity"
    return Verdict(name, "error" if charge is not None else "warning", float(multiplicity), None, text)


def weights_verdict(frames: FrameSet) -> Verdict:
    """Return whether the weights of the frames are finite and not negative."""
    name = "weights"
    bad = np.flatnonzero(~np.isfinite(frames.weights) | (frames.weights < 0))
    if len(bad):
        weight = frames.weights[bad[0]]
        text = f"{shown(frames, bad[:1])} has weight {weight} ({len(bad)} such frames): expected 0 or more"
        return Verdict(name, "error", float(len(bad)), 0.0, text, tuple(bad.tolist()))
    if len(frames) and not frames.weights.any():
        return Verdict(name, "error", 0.0, None, "all weights are zero: no frame would be trained on")
    return Verdict(name, "ok", 0.0, 0.0, "finite and not negative")


def groups_verdict(frames: FrameSet) -> Verdict:
    """Return whether the groups of the frames leave something to split."""
    name = "groups"
    n_groups = len(np.unique(frames.group))
    if len(frames) > 1 and n_groups == 1:
        text = (
            f"all {len(frames)} frames are in one group, so they cannot be split into training and test "
            "frames: remove the key group, or give frames of their own groups"
        )
        return Verdict(name, "warning", 1.0, None, text)
    return Verdict(name, "ok", float(n_groups), None, f"{n_groups} groups of frames")
