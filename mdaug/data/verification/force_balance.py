"""Whether forces belong to the positions: forces of a free molecule have no net force and no torque."""

from dataclasses import dataclass, replace
from itertools import permutations, product

import numpy as np
from scipy.optimize import linear_sum_assignment

from mdaug.data.origin import shown
from mdaug.data.verification.bond_stiffness import BondStiffness, bond_stiffness
from mdaug.data.verification.unit_inference import UNRELATED, answers
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image
from mdaug.verdicts import Level, Verdict

NAME = "forces belong to the positions"

BALANCED = 0.03
"""Torque, or net force, relative to those of unrelated forces, below which forces are balanced."""

UNBALANCED = 0.1
"""Relative torque beyond which forces belong to other positions or atoms."""

UNRELATED_FORCES = 0.5
"""Relative torque and net force, both, beyond which no external field or fixed atom explains them."""

MANY = 0.05
"""Share of the frames from which on frames that are not balanced are an error, not outliers."""

MAX_FRAMES = 400
MAX_SHIFT = 3
"""Frames by which forces may be shifted against positions."""

EXACT = 1e-3
"""Relative torque of frames of one calculation (clean sets: up to 0.0005). Where it is more, though balanced,
forces of a neighboring frame may fit better: in a file of every step these are nearly the right ones."""

BETTER = 0.1
"""Factor by which another order of frames must lower the torque."""


@dataclass(frozen=True)
class ForceBalance:
    """Net force and torque, root mean square over frames, relative to those of forces that are unrelated.

    Parameters
    ----------
    net_force
        |Σ F| over √Σ|F|².
    torque
        |Σ r × F| about the center over √Σ|r|²|F|².
    """

    net_force: float
    torque: float


def force_balance(positions: FloatArray, forces: FloatArray) -> ForceBalance:
    """Return the balance of positions and forces, both (n_frames, n_atoms, 3)."""
    centered = positions - positions.mean(axis=1, keepdims=True)
    torque = np.sum(np.cross(centered, forces).sum(axis=1) ** 2)
    scale = np.sum(np.sum(centered**2, axis=2) * np.sum(forces**2, axis=2)) * 2 / 3
    net = np.sum(forces.sum(axis=1) ** 2)
    return ForceBalance(
        float(np.sqrt(net / max(np.sum(forces**2), 1e-300))), float(np.sqrt(torque / max(scale, 1e-300)))
    )


def balance_verdict(frames: FrameSet, usable: IntArray, bonds: BondStiffness | None) -> Verdict:
    """Return whether forces belong to the positions, and which order of atoms or frames would mend them.

    Parameters
    ----------
    frames
        All frames.
    usable
        Indices of the frames without outliers.
    bonds
        Their bonds, where they have any; in a cell, which has no torque, forces are judged by them.
    """
    positions, forces = frames.positions[usable], frames.forces[usable]
    if not np.any(forces) or frames.n_atoms < 2:
        return Verdict(NAME, "cannot tell", None, None, "needs forces of two atoms or more")
    if frames.cells is not None:
        return _judge_in_cell(frames.select(_some(usable)), bonds)
    index = _some(usable)
    shift = _shift_that_balances(frames.positions[index], frames.forces[index])
    off = _unbalanced_frames(positions, forces)
    if shift is None and 0 < len(off) <= len(usable) // 2:
        others = np.delete(usable, off)
        of_others = force_balance(frames.positions[others], frames.forces[others])
        if max(of_others.torque, of_others.net_force) < BALANCED:
            return _judge_some(frames, usable, off)
    return _judge_all(frames.positions[index], frames.forces[index], shift)


def _judge_all(positions: FloatArray, forces: FloatArray, shift: str | None) -> Verdict:
    """Return the verdict on frames that are alike; `shift` says by how many frames forces are moved."""
    balance = force_balance(positions, forces)
    measured = f"relative torque {balance.torque:.2g}, relative net force {balance.net_force:.2g}"
    if shift is not None:
        text = f"forces belong to other frames ({measured}): {shift}"
        return Verdict(NAME, "error", balance.torque, BALANCED, text)
    if balance.torque < BALANCED and balance.net_force < BALANCED:
        return Verdict(NAME, "ok", balance.torque, BALANCED, measured)
    if balance.net_force > BALANCED:
        return _judge_net_force(balance, measured)
    return _judge_torque(positions, forces, balance.torque, measured)


def _some(usable: IntArray) -> IntArray:
    """Return frames in a row, which a shift of the forces can mend, if there are too many."""
    return usable[:MAX_FRAMES]


def _unbalanced_frames(positions: FloatArray, forces: FloatArray) -> IntArray:
    """Return the places of frames with a net force or torque of their own, whatever the other frames have."""
    centered = positions - positions.mean(axis=1, keepdims=True)
    square = np.sum(forces**2, axis=2)
    net = np.sum(forces.sum(axis=1) ** 2, axis=1)
    torque = np.sum(np.cross(centered, forces).sum(axis=1) ** 2, axis=1)
    # relative to the forces of a usual frame: those near a minimum have none to balance
    usual = np.median(square.sum(axis=1))
    size = np.maximum(square.sum(axis=1), usual)
    arm = np.maximum(np.sum(centered**2, axis=2).mean(axis=1), 1e-12)
    unbalance = np.sqrt(np.maximum(net, torque / arm) / np.maximum(size, 1e-300))
    # where other frames are balanced exactly, less shows that one is not
    limit = BALANCED if np.quantile(unbalance, 0.25) < EXACT else UNBALANCED
    return np.flatnonzero(unbalance > limit)


def _judge_some(frames: FrameSet, usable: IntArray, off: IntArray) -> Verdict:
    """Return the verdict on some frames that are not balanced where the others are."""
    numbers = tuple(usable[off].tolist())
    remedy = _remedy(frames.positions[usable[off]], frames.forces[usable[off]])
    what = remedy or "they belong to other positions or atoms, or are missing for some atoms"
    text = (
        f"forces of {len(numbers)} of {len(usable)} frames have a net force or torque that the others do "
        f"not have ({shown(frames, numbers)}): {what}; or leave these frames out with --drop-outliers"
    )
    level: Level = "error" if len(off) > MANY * len(usable) else "warning"
    return Verdict(NAME, level, float(len(off)), 0.0, text, numbers)


def _judge_net_force(balance: ForceBalance, measured: str) -> Verdict:
    measured = f"{measured}, of free molecules below {BALANCED:g}"
    if min(balance.torque, balance.net_force) > UNRELATED_FORCES:
        text = (
            f"forces do not belong to the positions ({measured}): another order of atoms or of x, y and z, "
            "accelerations, or forces of other frames; expected F = −∂E/∂r of the same frame"
        )
        return Verdict(NAME, "error", balance.torque, BALANCED, text)
    text = (
        f"forces have a net force or torque ({measured}): an external field, fixed atoms, or forces that "
        "belong to other positions"
    )
    return Verdict(NAME, "warning", balance.torque, BALANCED, text)


def _judge_torque(positions: FloatArray, forces: FloatArray, torque: float, measured: str) -> Verdict:
    remedy = _remedy(positions, forces)
    if remedy is not None:
        text = f"forces belong to other atoms or frames ({measured}): {remedy}"
        return Verdict(NAME, "error", torque, BALANCED, text)
    if torque < UNBALANCED:
        text = (
            f"forces have a torque ({measured}, expected below {BALANCED:g}): rounded or rotated positions?"
        )
        return Verdict(NAME, "warning", torque, BALANCED, text)
    text = (
        f"forces do not belong to the positions ({measured}): shuffled frames, another order of atoms, or "
        "positions that were rotated after the calculation; expected forces of the same frame and orientation"
    )
    return Verdict(NAME, "error", torque, UNBALANCED, text)


def _judge_in_cell(frames: FrameSet, bonds: BondStiffness | None) -> Verdict:
    """Return the verdict on forces in a cell: whether bonds are pulled back when they are stretched."""
    if bonds is None:
        return Verdict(NAME, "cannot tell", None, None, "no bonds, and no torque in a cell")
    correlation = bonds.correlation
    measured = f"correlation {correlation:.2f} of the stretch of bonds with the force that restores them"
    if answers(bonds):
        return Verdict(NAME, "ok", correlation, UNRELATED, measured)
    order = matching_order(frames.positions, frames.forces, frames.periodic_cells)
    if order is not None and not np.array_equal(order, np.arange(len(order))):
        mended = bond_stiffness(replace(frames, forces=frames.forces[:, order]))
        if mended is not None and mended.correlation > UNRELATED:
            text = f"forces belong to other atoms ({measured}): take forces in the order {order.tolist()}"
            return Verdict(NAME, "error", correlation, UNRELATED, text)
    text = (
        f"forces do not belong to the positions ({measured}, expected above {UNRELATED:g}): shuffled "
        "frames, or another order of atoms; expected forces of the same frame"
    )
    certain = len(frames) >= 50 and correlation < UNRELATED / 1.5
    return Verdict(NAME, "error" if certain else "warning", correlation, UNRELATED, text)


def _remedy(positions: FloatArray, forces: FloatArray) -> str | None:
    """Return the order of atoms or axes that removes the torque, as text; None if there is none."""
    balance = force_balance(positions, forces)
    if balance.torque < BALANCED or balance.net_force > BALANCED:  # no order changes the net force
        return None
    order = matching_order(positions, forces)
    if order is not None and force_balance(positions, forces[:, order]).torque < BALANCED:
        moved = np.flatnonzero(order != np.arange(len(order)))
        pairs = ", ".join(f"{a}←{order[a]}" for a in moved[:12])
        return (
            f"the order of the atoms differs: take forces in the order {order.tolist()} (atom←column {pairs})"
        )
    return _axes_that_balance(positions, forces)


def _shift_that_balances(positions: FloatArray, forces: FloatArray) -> str | None:
    """Return by how many frames forces must be moved to lose their torque, as text; None if none."""
    if len(forces) <= 4 * MAX_SHIFT:
        return None
    inner = slice(MAX_SHIFT, len(forces) - MAX_SHIFT)
    as_given = force_balance(positions[inner], forces[inner]).torque
    if as_given < EXACT:
        return None
    for shift in (s for k in range(1, MAX_SHIFT + 1) for s in (k, -k)):
        shifted = np.roll(forces, shift, axis=0)
        torque = force_balance(positions[inner], shifted[inner]).torque
        if torque < min(BALANCED, BETTER * as_given):
            number = "one frame" if abs(shift) == 1 else f"{abs(shift)} frames"
            direction = "later" if shift > 0 else "earlier"
            return f"they fit if those of each frame are moved to {number} {direction}"
    return None


def _axes_that_balance(positions: FloatArray, forces: FloatArray) -> str | None:
    """Return the order and signs of x, y and z that remove the torque, as text; None if there are none.

    The torque does not change if all three signs do: of the two choices that of fewer changes is returned.
    """
    choices = [
        (order, np.array(signs))
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
    for order, signs in sorted(choices, key=lambda one: int(np.sum(one[1] < 0))):
        if force_balance(positions, forces[:, :, order] * signs).torque < BALANCED:
            named = ", ".join(
                f"{'−' if sign < 0 else ''}F{'xyz'[k]}" for k, sign in zip(order, signs, strict=True)
            )
            return (
                f"they fit as ({named}): an axis was mirrored, or axes were exchanged, in the positions or "
                "the forces"
            )
    return None


def matching_order(
    positions: FloatArray, forces: FloatArray, cells: FloatArray | None = None
) -> IntArray | None:
    """Return the order of the columns of `forces` in which each answers its own atom's displacement.

    In equilibrium −⟨Δr_a · F_b⟩ = 3 k_B T δ_ab, so the assignment of greatest sum finds atom a's forces b.
    """
    if len(positions) < 20:
        return None
    if cells is None:
        aligned, rotations = _superposed(positions)
        turned = np.einsum("nax,nxy->nay", forces, rotations)
    else:
        aligned, turned = minimum_image(positions - positions[0], cells), forces
    displacement = aligned - aligned.mean(axis=0)
    answer = -np.einsum("nax,nbx->ab", displacement, turned)
    _, column = linear_sum_assignment(-answer)
    return column.astype(np.int64)


def _superposed(positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return positions rotated onto the first frame, and the rotations R (n_frames, 3, 3): r' = r R."""
    centered = positions - positions.mean(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(np.einsum("nax,ay->nxy", centered, centered[0]))
    handed = np.sign(np.linalg.det(u @ vt))
    u[:, :, 2] *= handed[:, None]
    rotations = u @ vt
    return np.einsum("nax,nxy->nay", centered, rotations), rotations
