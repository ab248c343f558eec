"""Whether every frame holds the same molecule with its atoms in the same order, by bond graphs."""

from dataclasses import dataclass, replace

import numpy as np

from mdaug.data.origin import shown
from mdaug.data.verification.bond_changes import (
    fits_reordered,
    fluctuates,
    is_passed_through,
    mean_lengths,
    protons_that_moved,
)
from mdaug.data.verification.graph_matching import matching_permutation
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.bonds import BoolArray, bond_name
from mdaug.verdicts import Verdict

NAME = "same molecule in every frame"

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
    typical = mean_lengths(usual, graphs.pairs)
    for number in sorted((n for n in range(len(rows)) if n != main), key=lambda n: -counts[n]):
        of_graph = np.flatnonzero(member == number)
        lost = graphs.pairs[rows[main] & ~rows[number]]
        gained = graphs.pairs[rows[number] & ~rows[main]]
        protons = protons_that_moved(frames, of_graph, lost, gained)
        if protons is not None:
            moved_protons |= protons
            continue
        changed = rows[main] ^ rows[number]
        if not fluctuates(frames.select(of_graph[:1]), graphs.pairs[changed], typical[changed]):
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
    orders = [_order(frames, graphs, reference, change) for change in changes]
    of_main = np.flatnonzero((graphs.present == main).all(axis=1))
    in_orders = [change.frames for change, order in zip(changes, orders, strict=True) if order is not None]
    others = np.setdiff1d(np.arange(len(frames)), np.concatenate([of_main, *in_orders]))
    with_main, with_neither = frames.select(of_main), frames.select(others)
    renumbered = []
    for change, order in zip(changes, orders, strict=True):
        if order is None:
            continue
        changed = frames.select(change.frames)
        as_it_is, reordered = (mean_lengths(changed, bonds) for bonds in (reference, order[reference]))
        if fits_reordered(as_it_is, reordered, usual_lengths) and not is_passed_through(
            with_main, changed, with_neither, change.lost, change.gained
        ):
            renumbered.append(replace(change, permutation=order))
    if renumbered:
        return _renumbered_verdict(frames, renumbered)
    return _changed_verdict(frames, changes)


def _order(frames: FrameSet, graphs: BondGraphs, reference: IntArray, change: _Change) -> IntArray | None:
    """Return the order of atoms that gives the usual bonds, of equal elements if there is one."""
    bonds = graphs.bonds(int(change.frames[0]))
    for labels in (frames.atomic_numbers, None):
        order = matching_permutation(frames.n_atoms, reference, bonds, labels)
        if order is not None:
            return order
    return None


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
    numbers_of = frames.atomic_numbers
    same_elements = all(np.array_equal(numbers_of[change.permutation], numbers_of) for change in changes)
    remedy = "read them with --reorder" if same_elements else "reorder positions and forces of these frames"
    several = f" (and {len(changes) - 1} other orders)" if len(changes) > 1 else ""
    text = (
        f"{len(numbers)} of {len(frames)} frames have the atoms in another order ({shown(frames, numbers)}): "
        f"their atoms in the order {order.tolist()} are the molecule of the other frames ({what}){several}; "
        f"expected one order of atoms: {remedy}"
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
