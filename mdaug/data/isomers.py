"""Isomers with the same order of atoms in one set of frames, by their bond graphs."""

from dataclasses import replace

import numpy as np

from mdaug.data.verification.bond_changes import BETWEEN, FLUCTUATION, protons_that_moved
from mdaug.data.verification.common_units import other_lengths
from mdaug.data.verification.graph_matching import matching_permutation
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.bonds import BOND_SCALE, BoolArray, single_bond_lengths
from mdaug.geometry.molecules import molecule_of_atom
from mdaug.geometry.pairs import pair_lengths

LEAST_FRAMES, LEAST_SHARE = 10, 0.05
"""Fewest frames with the same bonds that are those of an isomer, and their least share of all frames."""

LEAST_OF_FEW, PREVAILING = 3, 0.8
"""Where the molecules have few frames each: fewest frames, and largest share of all with the same bonds:
more would be one molecule that reacts or breaks in the others."""

OTHER_LENGTH_A = 0.05
"""Lengths of bonds between exchanged elements differ from the usual ones by more than this."""

SAMPLE = 1000
"""Frames, evenly spaced, whose bonds show whether there are isomers."""

ABSENT, MOST = 1.08, 0.9
"""Atoms that are bonded in the other isomer only are farther apart than the longest bond, by this factor in
this share of the frames; one such pair by `FLUCTUATION`. (Those in an angle of 100°: 1.2.)"""


def split_isomers(frames: FrameSet) -> list[FrameSet]:
    """Return the frames of each isomer, the most frequent one first; frames of one molecule as they are.

    Isomers have different bonds, which are clearly absent in the other isomer: stretched bonds, protons that
    move between molecules, and bonds that change from frame to frame do not make isomers. Frames with rare
    bonds are of the isomer with the most similar ones. Frames of one molecule in two orders of atoms stay
    together, and so do frames with lengths in two units; the checks refuse them.

    Isomers have at least 10 frames and a twentieth of all. Where no bonds prevail, as in data sets of many
    molecules, three frames are enough of whole molecules without a cell, if no frame lies between the two.

    Parameters
    ----------
    frames
        Frames of the same atoms in the same order, lengths in Å.
    """
    parts = _parts(frames)
    if len(parts) == 1:
        return [frames]
    return [replace(part, name=f"{frames.name}, isomer {n + 1}") for n, part in enumerate(parts)]


def _parts(frames: FrameSet) -> list[FrameSet]:
    """Return the frames of each isomer, those that one part has still together split again."""
    if frames.n_atoms < 2 or len(frames) < 2 * LEAST_OF_FEW:
        return [frames]
    if len(frames) > SAMPLE and len(_parts(frames.evenly_spaced(SAMPLE))) == 1:
        return [frames]
    graphs = frame_bond_graphs(frames)
    rows, member = np.unique(graphs.present, axis=0, return_inverse=True)
    member = member.reshape(-1)
    kinds = _kinds(frames, graphs, rows, member)
    if len(kinds) < 2 or _renumbered(frames, graphs, rows[kinds]) or _scaled(frames, graphs, rows[kinds[0]]):
        return [frames]
    differing = (rows[:, None, :] != rows[kinds][None]).sum(axis=2)
    nearest = differing.argmin(axis=1)[member]
    parts = (np.flatnonzero(nearest == n) for n in range(len(kinds)))
    return [isomer for part in parts for isomer in _parts(frames.select(part))]


def _kinds(frames: FrameSet, graphs: BondGraphs, rows: BoolArray, member: IntArray) -> list[int]:
    """Return the bond graphs of isomers, the most frequent one first."""
    counts = np.bincount(member)
    often = counts >= max(LEAST_FRAMES, LEAST_SHARE * len(frames))
    candidates = np.flatnonzero(often | _of_few(frames, graphs, rows, counts)).tolist()
    kinds: list[int] = []
    for row in sorted(candidates, key=lambda row: -counts[row]):
        if all(
            _are_isomers(frames, graphs, rows, member, (kind, row))
            if often[[kind, row]].all()
            else _are_isomers(frames, graphs, rows, member, (kind, row), absent=1.0)
            and _are_apart(frames, graphs, rows, member, (kind, row))
            for kind in kinds
        ):
            kinds.append(row)
    return kinds


def _of_few(frames: FrameSet, graphs: BondGraphs, rows: BoolArray, counts: IntArray) -> BoolArray:
    """Return which bond graphs are those of whole molecules with few frames, where none prevails."""
    if frames.periodic or counts.max() > PREVAILING * len(frames):
        return np.zeros(len(rows), bool)
    several = counts >= LEAST_OF_FEW
    for row in np.flatnonzero(several):
        several[row] = molecule_of_atom(frames.n_atoms, graphs.pairs[rows[row]]).max() == 0
    return several


def _are_apart(
    frames: FrameSet, graphs: BondGraphs, rows: BoolArray, member: IntArray, kinds: tuple[int, int]
) -> bool:
    """Return whether no frame lies between two bond graphs, and neither is the other with other elements."""
    one, other = (frames.select(np.flatnonzero(member == kind)) for kind in kinds)
    of_one, of_other = (graphs.pairs[rows[kind]] for kind in kinds)
    lost, gained = (graphs.pairs[rows[a] & ~rows[b]] for a, b in (kinds, kinds[::-1]))
    if len(lost) and len(gained):
        shares = np.concatenate([_mean_lengths(f, lost) - _mean_lengths(f, gained) for f in (one, other)])
        if (np.abs(shares) < BETWEEN * np.abs(shares).max()).any():
            return False
    order = matching_permutation(frames.n_atoms, of_one, of_other, None)
    if order is None:
        return True
    numbers = frames.atomic_numbers
    usual, of_elements = (single_bond_lengths(*numbers[bonds].T) for bonds in (of_one, order[of_one]))
    changed = np.abs(of_elements - usual) > OTHER_LENGTH_A
    if not changed.any():
        return True
    here, there = (
        pair_lengths(each.positions, None, *bonds[changed].T).mean(axis=0)
        for each, bonds in ((one, of_one), (other, order[of_one]))
    )
    expected = (of_elements - usual)[changed]
    return bool(np.sum((there - here - expected) ** 2) < np.sum((there - here) ** 2))


def _mean_lengths(frames: FrameSet, pairs: IntArray) -> FloatArray:
    """Return the mean length of some pairs in each frame, (n_frames,)."""
    lengths: FloatArray = pair_lengths(frames.positions, None, *pairs.T).mean(axis=1)
    return lengths


def _are_isomers(
    frames: FrameSet,
    graphs: BondGraphs,
    rows: BoolArray,
    member: IntArray,
    kinds: tuple[int, int],
    *,
    absent: float = ABSENT,
) -> bool:
    """Return whether two bond graphs differ by bonds that are absent in one of them, one clearly so."""
    clearly = False
    for own, other in (kinds, kinds[::-1]):
        lost = graphs.pairs[rows[own] & ~rows[other]]
        gained = graphs.pairs[rows[other] & ~rows[own]]
        of_other = np.flatnonzero(member == other)
        if protons_that_moved(frames, of_other, lost, gained) is not None:
            return False
        if not len(lost):
            continue
        stretched = _least_stretches(frames.select(of_other).evenly_spaced(100), lost)
        if (stretched < absent).any():
            return False
        clearly |= bool((stretched > FLUCTUATION).any())
    return clearly


def _least_stretches(frames: FrameSet, pairs: IntArray) -> FloatArray:
    """Return the distance of each pair over the longest bond, which nearly all frames exceed, (n_pairs,)."""
    lengths = pair_lengths(frames.positions, frames.periodic_cells, pairs[:, 0], pairs[:, 1])
    limits = BOND_SCALE * single_bond_lengths(*frames.atomic_numbers[pairs].T)
    least: FloatArray = np.quantile(lengths / limits, 1 - MOST, axis=0)
    return least


def _scaled(frames: FrameSet, graphs: BondGraphs, kind: BoolArray) -> bool:
    """Return whether all bonds of some frames are longer, or shorter, by a common factor."""
    idx_i, idx_j = graphs.pairs[kind].T
    lengths = pair_lengths(frames.positions, frames.periodic_cells, idx_i, idx_j)
    return bool(other_lengths(lengths).sum() >= LEAST_FRAMES)


def _renumbered(frames: FrameSet, graphs: BondGraphs, kinds: BoolArray) -> bool:
    """Return whether two of the bond graphs are of the same molecule."""
    bonds = [graphs.pairs[kind] for kind in kinds]
    numbers = frames.atomic_numbers
    return any(
        matching_permutation(frames.n_atoms, one, other, numbers) is not None
        for n, one in enumerate(bonds)
        for other in bonds[:n]
    )
