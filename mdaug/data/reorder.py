"""Frames of one system in several orders of atoms, brought into the order of its first by their bonds."""

from dataclasses import replace

import numpy as np

from mdaug.data.element_order import sort_by_element, take_atoms
from mdaug.data.origin import ATOM_IN_FILE, FILE_NAME, place, shown
from mdaug.data.verification.bond_changes import (
    fits_reordered,
    fluctuates,
    is_passed_through,
    mean_lengths,
    protons_that_moved,
)
from mdaug.data.verification.graph_matching import matching_permutation
from mdaug.data.verification.reordered_forces import refuse_forces_of_other_atoms
from mdaug.data.verification.structure import check_structure
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.molecules import mean_bonds

MAX_TRIALS = 20
"""Orders of other frames with the same list of elements that are tried for a frame with other bonds."""

SAMPLE = 100
"""Frames whose mean lengths of bonds are compared."""


def in_order_of_first(frames: FrameSet) -> tuple[list[FrameSet], list[str]]:
    """Return the frames of each system with their atoms in the order of its first frame.

    Frames of one system have the same bond graph, with elements. Atoms that are equal in it keep their places
    among those of their element where they can. Left as they are: frames listed like the first that the check
    of bonds does not find in another order (stretched bonds, protons that moved, atoms on a path between two
    places); frames listed in another order whose bonds are no first frame's; and frames whose elements are
    exchanged: in the order of the file their bonds have the lengths of the first frame's.

    Parameters
    ----------
    frames
        Frames of the same elements, sorted by `sort_by_element`; lengths in Å.

    Returns
    -------
    systems
        Frames with the same list of elements, in the order of the file; several where frames with other bonds
        list them in another order than the first.
    notes
        Which frames were reordered, and which have another order and other bonds.

    Raises
    ------
    DataError
        In a cell the positions were in another order, but not the forces.
    """
    in_file = frames.info[ATOM_IN_FILE]
    as_listed: IntArray = np.argsort(in_file, axis=1)
    orders, notes = as_listed.copy(), list[str]()
    pending = np.arange(len(frames)) if _can_be_bonded(frames) else np.empty(0, np.int64)
    graphs = frame_bond_graphs(frames.select(pending))
    while len(pending):
        system = _System(frames, graphs, as_listed, pending)
        matched, orders[matched] = system.matched, system.orders
        of_file = np.take_along_axis(in_file[matched], system.orders, axis=1)
        moved = (of_file != np.arange(frames.n_atoms)).any(axis=1)
        if moved.any():
            of_system = take_atoms(frames.select(matched), system.orders)
            refuse_forces_of_other_atoms(of_system, of_file, in_file[system.first][system.reference])
            notes.append(
                f"the atoms of {moved.sum()} of {len(frames)} frames are brought into the order of frame "
                f"{place(frames, system.first)} (--reorder): {shown(frames, matched[moved])}"
            )
        left = np.setdiff1d(pending, np.concatenate([matched, system.listed_like_first]))
        if len(left) and system.first == 0:
            notes.append(
                f"{shown(frames, left)}: the atoms in another order than frame {place(frames, 0)}, and other "
                "bonds: not reordered"
            )
        pending = left
    return _by_list(frames, orders), notes


def in_order_of(frames: FrameSet, reference: FrameSet) -> FrameSet | None:
    """Return frames with their atoms in the order of other frames of their system, by lasting bonds.

    Parameters
    ----------
    frames
        Frames in one order of atoms.
    reference
        The other frames.

    Returns
    -------
    FrameSet or None
        None if the frames are of another system.
    """
    own, other = sort_by_element(frames), sort_by_element(reference)
    if frames.pbc != reference.pbc or not np.array_equal(own.atomic_numbers, other.atomic_numbers):
        return None
    bonds, of_reference = mean_bonds(own)[0], mean_bonds(other)[0]
    order = matching_permutation(own.n_atoms, of_reference, bonds, own.atomic_numbers)
    if order is None:
        return None
    in_order = take_atoms(own, np.tile(order[np.argsort(other.info[ATOM_IN_FILE][0])], (len(own), 1)))
    return _without_record(in_order, reference.atomic_numbers)


def _can_be_bonded(frames: FrameSet) -> bool:
    """Return whether there are several atoms; of frames that the checks refuse anyway nothing is judged."""
    try:
        check_structure(frames)
    except DataError:
        return False
    return frames.n_atoms > 1


def _by_list(frames: FrameSet, orders: IntArray) -> list[FrameSet]:
    """Return the frames of each list of elements, given the order of the atoms of each frame."""
    groups: dict[bytes, list[int]] = {}
    for n, numbers in enumerate(frames.atomic_numbers[orders]):
        groups.setdefault(numbers.tobytes(), []).append(n)
    systems = []
    for group in groups.values():
        own = take_atoms(frames.select(np.array(group)), orders[group])
        files = np.unique(own.info.get(FILE_NAME, []))
        named = replace(own, name=str(files[0])) if len(groups) > 1 and len(files) == 1 else own
        systems.append(_without_record(named, frames.atomic_numbers[orders[group[0]]]))
    return systems


def _without_record(frames: FrameSet, atomic_numbers: IntArray) -> FrameSet:
    """Return reordered frames with their elements."""
    info = {key: values for key, values in frames.info.items() if key != ATOM_IN_FILE}
    of_atoms = frames.of_atoms - {ATOM_IN_FILE}
    return replace(frames, atomic_numbers=atomic_numbers, info=info, of_atoms=of_atoms)


class _System:
    """The frames that have the bonds of the first of several, and the orders of atoms that show it.

    Parameters
    ----------
    frames, graphs
        All frames, sorted by element, and their bonds.
    as_listed
        Order of the atoms in the file, shape (n_frames, n_atoms).
    pending
        Indices of the frames.

    Attributes
    ----------
    first
        Index of the first.
    matched, orders
        Indices of frames of the system, and orders of their atoms that are the first's, (n, n_atoms).
    listed_like_first, like_first
        Indices of all frames that list the elements as the first, and of those that have its bonds there.
    """

    def __init__(self, frames: FrameSet, graphs: BondGraphs, as_listed: IntArray, pending: IntArray) -> None:
        self.frames, self.as_listed, self.first = frames, as_listed, int(pending[0])
        self.reference = graphs.bonds(self.first)
        rows, member = np.unique(graphs.present, axis=0, return_inverse=True)
        self.bonds, self.member = [graphs.pairs[row] for row in rows], member.reshape(-1)
        self._matches: dict[int, IntArray | None] = {}
        lists: dict[bytes, list[int]] = {}
        for n in pending.tolist():
            lists.setdefault(frames.atomic_numbers[as_listed[n]].tobytes(), []).append(n)
        groups = [np.array(group) for group in lists.values()]
        self.listed_like_first = groups[0]
        self.like_first = groups[0][self.member[groups[0]] == self.member[self.first]]
        self.usual = frames.select(self.like_first).evenly_spaced(SAMPLE)
        self.lengths = mean_lengths(self.usual, self.reference)
        order_of = {n: order for group in groups for n, order in self._of_list(group).items()}
        self.matched = np.array(sorted(order_of), dtype=np.int64)
        of_matched = np.array([order_of[n] for n in self.matched.tolist()]).reshape(-1, frames.n_atoms)
        self.orders: IntArray = of_matched[:, as_listed[self.first]]

    def _of_list(self, group: IntArray) -> dict[int, IntArray]:
        """Return the order of the atoms of each frame of the system, of frames with one list of elements."""
        found: dict[int, IntArray] = {}
        if len(self.reference) == 0:
            return found
        trials = [np.arange(self.frames.n_atoms)] if group[0] == self.first else []
        rows, counts = np.unique(self.member[group], return_counts=True)
        by_count = rows[np.argsort(-counts, kind="stable")].tolist()
        for row in by_count if trials else sorted(by_count, key=lambda row: self._match(row) is None):
            own = group[self.member[group] == row]
            order = next((order for order in trials if self._is_explained(own, order)), None)
            if order is None:
                order = self._reordered(row, own)
                if order is not None and len(trials) < MAX_TRIALS:
                    trials.append(order)
            if order is not None:
                found |= dict.fromkeys(own.tolist(), order)
        return found

    def _is_explained(self, own: IntArray, order: IntArray) -> bool:
        """Return whether frames with the same bonds, reordered, have the first's but for changes in time."""
        bonds = np.sort(np.argsort(order)[self.bonds[self.member[own[0]]]], axis=1)
        lost, gained = _without(self.reference, bonds), _without(bonds, self.reference)
        if len(lost) == len(gained) == 0:
            return True
        if len(lost) + len(gained) > len(self.reference):
            return False
        frames = self.frames.select(own)
        reordered = take_atoms(frames, np.tile(order, (len(own), 1)))
        if protons_that_moved(reordered, np.arange(len(own)), lost, gained) is not None:
            return True
        changed = np.concatenate([lost, gained])
        return fluctuates(reordered.select(slice(0, 1)), changed, mean_lengths(self.usual, changed))

    def _reordered(self, row: int, own: IntArray) -> IntArray | None:
        """Return the order in which frames with the same bonds have those of the first; None for none."""
        order = self._match(row)
        if order is None:
            return None
        frames = self.frames.select(own).evenly_spaced(SAMPLE)
        in_file_of_first = np.argsort(self.as_listed[self.first])
        as_it_is, reordered = (
            mean_lengths(frames, each[self.reference])
            for each in (self.as_listed[own[0]][in_file_of_first], order)
        )
        if own[0] not in self.listed_like_first:
            return None if fits_reordered(reordered, as_it_is, self.lengths) else order
        fits = fits_reordered(as_it_is, reordered, self.lengths)
        return order if fits and not self._is_passed_through(row, own) else None

    def _match(self, row: int) -> IntArray | None:
        """Return the order in which bonds are those of the first; None if they are another graph."""
        if row not in self._matches:
            numbers = self.frames.atomic_numbers
            self._matches[row] = matching_permutation(len(numbers), self.reference, self.bonds[row], numbers)
        return self._matches[row]

    def _is_passed_through(self, row: int, own: IntArray) -> bool:
        """Return whether frames listed like the first lie between its bonds and those of a row."""
        others = [n for n in self.listed_like_first.tolist() if self._match(int(self.member[n])) is None]
        bonds = self.bonds[row]
        return is_passed_through(
            self.frames.select(self.like_first),
            self.frames.select(own),
            self.frames.select(np.array(others, dtype=np.int64)),
            _without(self.reference, bonds),
            _without(bonds, self.reference),
        )


def _without(bonds: IntArray, others: IntArray) -> IntArray:
    """Return the bonds that are not among others."""
    known = set(map(tuple, others.tolist()))
    return np.array([bond for bond in bonds.tolist() if tuple(bond) not in known], np.int64).reshape(-1, 2)
