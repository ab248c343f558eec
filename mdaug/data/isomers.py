"""Isomers with the same order of atoms in one set of frames, by their bond graphs."""

from dataclasses import replace

import numpy as np

from mdaug.data.verification.bond_changes import FLUCTUATION, protons_that_moved
from mdaug.data.verification.common_units import other_lengths
from mdaug.data.verification.graph_matching import matching_permutation
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.bonds import BOND_SCALE, BoolArray, single_bond_lengths
from mdaug.geometry.pairs import pair_lengths

LEAST_FRAMES, LEAST_SHARE = 10, 0.05
"""Fewest frames with the same bonds that are those of an isomer, and their least share of all frames."""

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

    Parameters
    ----------
    frames
        Frames of the same atoms in the same order, lengths in Å.
    """
    if frames.n_atoms < 2 or len(frames) < 2 * LEAST_FRAMES:
        return [frames]
    if len(frames) > SAMPLE and len(split_isomers(frames.evenly_spaced(SAMPLE))) == 1:
        return [frames]
    graphs = frame_bond_graphs(frames)
    rows, member = np.unique(graphs.present, axis=0, return_inverse=True)
    member = member.reshape(-1)
    counts = np.bincount(member)
    often = counts >= max(LEAST_FRAMES, LEAST_SHARE * len(frames))
    kinds: list[int] = []
    for row in sorted(np.flatnonzero(often).tolist(), key=lambda row: -counts[row]):
        if all(_are_isomers(frames, graphs, rows, member, (kind, row)) for kind in kinds):
            kinds.append(row)
    if len(kinds) < 2 or _renumbered(frames, graphs, rows[kinds]) or _scaled(frames, graphs, rows[kinds[0]]):
        return [frames]
    differing = (rows[:, None, :] != rows[kinds][None]).sum(axis=2)
    nearest = differing.argmin(axis=1)[member]
    parts = (np.flatnonzero(nearest == n) for n in range(len(kinds)))
    return [
        replace(frames.select(part), name=f"{frames.name}, isomer {n + 1}") for n, part in enumerate(parts)
    ]


def _are_isomers(
    frames: FrameSet, graphs: BondGraphs, rows: BoolArray, member: IntArray, kinds: tuple[int, int]
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
        if (stretched < ABSENT).any():
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
