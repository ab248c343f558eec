"""Whether every frame holds the same molecule with its atoms in the same order, by bond graphs."""

from dataclasses import dataclass, replace

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.graph_matching import matching_permutation
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.bonds import BOND_SCALE, BoolArray, bond_name, single_bond_lengths
from mdaug.geometry.pairs import pair_lengths
from mdaug.verdicts import Verdict

NAME = "same molecule in every frame"

FLUCTUATION = 1.25
"""Bonds up to this factor beyond their limit still count as stretched, not as other bonds."""

PROTON_REACH_A = 2.1
"""A proton that has left an atom for another one is within this distance of the first, in the middle of the
frames: the length of a hydrogen bond. Where atoms are exchanged it is farther (2.3 Å in a carboxyl group)."""

BETWEEN = 0.25
"""Difference of the lengths of lost and gained bonds, relative to the usual one, below which a frame is
between two orders of bonds: atoms move, where exchanged numbers jump."""

REORDERED = 0.5
"""Largest ratio of the rms deviations of bond lengths from the usual ones, with the atoms reordered and as
they are, for frames to be in another order. In a metal two bonds near their limit make a graph that is the
usual one with other numbers, but reordered atoms then fit no better (0.8 to 1.5 in a copper slab)."""

MAX_GRAPHS = 200
"""Different bond graphs whose differences are looked at; more are those of a melt or a metal."""


@dataclass(frozen=True)
class _Change:
    """Frames with other bonds than most, and what these are."""

    frames: IntArray
    lost: IntArray
    gained: IntArray
    permutation: IntArray | None = None


def identity_verdict(frames: FrameSet) -> Verdict:
    """Return whether the frames have the same bonds, up to stretched bonds and protons that move.

    Parameters
    ----------
    frames
        All frames; lengths in Å.
    """
    if frames.n_atoms < 2:
        return Verdict(NAME, "ok", None, None, "one atom")
    graphs = frame_bond_graphs(frames)
    rows, first, member = np.unique(graphs.present, axis=0, return_index=True, return_inverse=True)
    member = member.reshape(-1)
    if graphs.present.shape[1] == 0:
        return Verdict(NAME, "cannot tell", None, None, "no atoms are bonded in any frame")
    if len(rows) > MAX_GRAPHS and len(rows) > len(frames) // 2:
        text = f"bonds change from frame to frame ({len(rows)} bond graphs): no molecule to compare with"
        return Verdict(NAME, "cannot tell", float(len(rows)), None, text)
    counts = np.bincount(member)
    main = int(np.lexsort((first, -counts))[0])
    moved_protons: set[int] = set()
    changes: list[_Change] = []
    usual = frames.select(np.flatnonzero(member == main)).evenly_spaced(100)
    typical = _mean_lengths(usual, graphs.pairs)
    for number in sorted((n for n in range(len(rows)) if n != main), key=lambda n: -counts[n]):
        of_graph = np.flatnonzero(member == number)
        lost = graphs.pairs[rows[main] & ~rows[number]]
        gained = graphs.pairs[rows[number] & ~rows[main]]
        protons = protons_that_moved(frames, of_graph, lost, gained)
        if protons is not None:
            moved_protons |= protons
        elif not _fluctuates(frames, graphs, int(of_graph[0]), rows[main] ^ rows[number], typical):
            changes.append(_Change(of_graph, lost, gained))
    return _judge(frames, graphs, (rows[main], typical[rows[main]]), changes, moved_protons)


def _judge(
    frames: FrameSet,
    graphs: BondGraphs,
    usual: tuple[BoolArray, FloatArray],
    changes: list[_Change],
    moved_protons: set[int],
) -> Verdict:
    """Return the verdict, given the usual bonds (which of the pairs, and their mean lengths)."""
    main, usual_lengths = usual
    reference = graphs.pairs[main]
    if not changes:
        if moved_protons:
            names = ", ".join(bond_name(frames.atomic_numbers, [h]) for h in sorted(moved_protons)[:6])
            text = f"the same molecule in every frame; protons that move between atoms: {names}"
            return Verdict(NAME, "ok", float(len(moved_protons)), None, text)
        return Verdict(NAME, "ok", 0.0, 0.0, f"{len(reference)} bonds, the same in every frame")
    renumbered = []
    for change in changes:
        bonds = graphs.bonds(int(change.frames[0]))
        for labels in (frames.atomic_numbers, None):
            order = matching_permutation(frames.n_atoms, reference, bonds, labels)
            if order is not None:
                if not _is_passed_through(frames, change) and _fits_reordered(
                    frames.select(change.frames), order, reference, usual_lengths
                ):
                    renumbered.append(replace(change, permutation=order))
                break
    if renumbered:
        return _renumbered_verdict(frames, renumbered)
    return _changed_verdict(frames, changes)


def _is_passed_through(frames: FrameSet, change: _Change) -> bool:
    """Whether frames lie between the usual bonds and those of the change.

    An adsorbate that hops, or an exchange of equal ligands, looks like another order of the atoms at its
    ends only.
    """
    if len(change.lost) == 0 or len(change.gained) == 0:
        return False
    every = np.arange(len(frames))
    lost, gained = (
        pair_lengths(frames.positions, frames.periodic_cells, pairs[:, 0], pairs[:, 1]).mean(axis=1)
        for pairs in (change.lost, change.gained)
    )
    is_changed = np.isin(every, change.frames)
    usual = min(abs(float(np.median((lost - gained)[side]))) for side in (is_changed, ~is_changed))
    return bool((np.abs(lost - gained) < BETWEEN * usual).any())


def _fits_reordered(
    changed: FrameSet, order: IntArray, reference: IntArray, usual_lengths: FloatArray
) -> bool:
    """Whether the usual bonds have their usual lengths rather with the atoms in the other order."""
    as_it_is, reordered = (
        float(np.sqrt(np.mean((_mean_lengths(changed, bonds) - usual_lengths) ** 2)))
        for bonds in (reference, order[reference])
    )
    return reordered < REORDERED * as_it_is


def _renumbered_verdict(frames: FrameSet, changes: list[_Change]) -> Verdict:
    numbers = tuple(sorted(int(n) for change in changes for n in change.frames))
    largest = max(changes, key=lambda change: len(change.frames))
    order = largest.permutation
    assert order is not None
    moved = np.flatnonzero(order != np.arange(len(order)))
    what = ", ".join(
        f"{bond_name(frames.atomic_numbers, [a])}←{bond_name(frames.atomic_numbers, [order[a]])}"
        for a in moved[:10]
    )
    several = f" (and {len(changes) - 1} other orders)" if len(changes) > 1 else ""
    text = (
        f"{len(numbers)} of {len(frames)} frames have the atoms in another order ({shown(frames, numbers)}): "
        f"their atoms in the order {order.tolist()} are the molecule of the other frames ({what}){several}; "
        "expected one order of atoms: reorder positions and forces of these frames"
    )
    return Verdict(NAME, "error", float(len(numbers)), 0.0, text, numbers)


def _changed_verdict(frames: FrameSet, changes: list[_Change]) -> Verdict:
    numbers = tuple(sorted(int(n) for change in changes for n in change.frames))
    largest = max(changes, key=lambda change: len(change.frames))
    differences = [
        f"{what} {', '.join(bond_name(frames.atomic_numbers, bond) for bond in bonds[:4])}"
        for what, bonds in (("without", largest.lost), ("with", largest.gained))
        if len(bonds)
    ]
    text = (
        f"{len(numbers)} of {len(frames)} frames have other bonds than most ({shown(frames, numbers)}; "
        f"{'; '.join(differences)}): reactions or broken molecules, or frames of another molecule: leave "
        "them out unless they belong to the reaction that is studied"
    )
    return Verdict(NAME, "warning", float(len(numbers)), 0.0, text, numbers)


def protons_that_moved(
    frames: FrameSet, of_graph: IntArray, lost: IntArray, gained: IntArray
) -> set[int] | None:
    """Return the hydrogens that moved between atoms other than carbon; None if anything else changed.

    Parameters
    ----------
    frames
        All frames.
    of_graph
        Indices of the frames with other bonds.
    lost, gained
        Bonds that they do not have and that only they have, shape (n, 2).
    """
    numbers = frames.atomic_numbers
    partners: dict[int, tuple[list[int], list[int]]] = {}
    for which, pairs in ((0, lost), (1, gained)):
        for i, j in pairs.tolist():
            if (numbers[i] == 1) == (numbers[j] == 1):
                return None
            proton, heavy = (i, j) if numbers[i] == 1 else (j, i)
            if numbers[heavy] == 6:
                return None
            partners.setdefault(proton, ([], []))[which].append(heavy)
    left = [(h, heavy) for h, (from_atoms, _) in partners.items() for heavy in from_atoms]
    if any(len(from_atoms) > 1 or len(to_atoms) > 1 for from_atoms, to_atoms in partners.values()):
        return None
    if any(not to_atoms for _, to_atoms in partners.values()):
        return None
    if left:
        pairs, some = np.array(left), frames.select(of_graph).evenly_spaced(100)
        lengths = pair_lengths(some.positions, some.periodic_cells, pairs[:, 0], pairs[:, 1])
        if (np.median(lengths, axis=0) > PROTON_REACH_A).any():
            return None
    return set(partners)


def _fluctuates(
    frames: FrameSet, graphs: BondGraphs, frame: int, changed: BoolArray, typical: FloatArray
) -> bool:
    """Whether all changed bonds are near the limit of a bond, in the frame and in the usual frames."""
    pairs = graphs.pairs[changed]
    numbers = frames.atomic_numbers
    limits = BOND_SCALE * FLUCTUATION * single_bond_lengths(numbers[pairs[:, 0]], numbers[pairs[:, 1]])
    here = _mean_lengths(frames.select(np.array([frame])), pairs)
    return bool((here < limits).all() and (typical[changed] < limits).all())


def _mean_lengths(frames: FrameSet, pairs: IntArray) -> FloatArray:
    lengths = pair_lengths(frames.positions, frames.periodic_cells, pairs[:, 0], pairs[:, 1])
    mean: FloatArray = lengths.mean(axis=0)
    return mean
