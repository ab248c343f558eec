"""What a change of bonds between frames can be: stretched bonds, moving protons, a path, other numbers."""

import numpy as np

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BOND_SCALE, single_bond_lengths
from mdaug.geometry.pairs import pair_lengths

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


def fluctuates(frame: FrameSet, pairs: IntArray, typical: FloatArray) -> bool:
    """Return whether changed bonds are near the limit of a bond, in a frame and in the usual frames.

    Parameters
    ----------
    frame
        One frame.
    pairs
        Bonds that only it has or does not have, shape (n_pairs, 2).
    typical
        Mean lengths of these pairs in the usual frames, shape (n_pairs,), Å.
    """
    numbers = frame.atomic_numbers
    limits = BOND_SCALE * FLUCTUATION * single_bond_lengths(numbers[pairs[:, 0]], numbers[pairs[:, 1]])
    return bool((mean_lengths(frame, pairs) < limits).all() and (typical < limits).all())


def is_passed_through(
    usual: FrameSet, changed: FrameSet, others: FrameSet, lost: IntArray, gained: IntArray
) -> bool:
    """Return whether frames lie between the usual bonds and those of the change.

    An adsorbate that hops, or an exchange of equal ligands, looks like another order of the atoms at its
    ends only.

    Parameters
    ----------
    usual, changed
        Frames with the usual bonds and frames with the changed ones.
    others
        Frames with bonds of neither, but none with the usual bonds between other atoms of the same elements:
        these are in a third order of the atoms, or at the end of another path.
    lost, gained
        Bonds that the changed frames do not have and that only they have, shape (n, 2).
    """
    if len(lost) == 0 or len(gained) == 0:
        return False
    differences = []
    for frames in (usual, changed, *([others] if len(others) else [])):
        of_lost, of_gained = (
            pair_lengths(frames.positions, frames.periodic_cells, pairs[:, 0], pairs[:, 1]).mean(axis=1)
            for pairs in (lost, gained)
        )
        differences.append(of_lost - of_gained)
    least = min(abs(float(np.median(each))) for each in differences[:2])
    return any(bool((np.abs(each) < BETWEEN * least).any()) for each in differences)


def fits_reordered(as_it_is: FloatArray, reordered: FloatArray, usual: FloatArray) -> bool:
    """Return whether the usual bonds have their usual lengths rather with the atoms in the other order.

    Parameters
    ----------
    as_it_is, reordered
        Mean lengths of the usual bonds in the frames as they are, and with their atoms in the other order.
    usual
        Mean lengths of these bonds in the usual frames.
    """
    before, after = (float(np.sqrt(np.mean((each - usual) ** 2))) for each in (as_it_is, reordered))
    return after < REORDERED * before


def mean_lengths(frames: FrameSet, pairs: IntArray) -> FloatArray:
    """Return the mean distance of each pair, shape (n_pairs,), Å.

    Parameters
    ----------
    frames
        At least one frame.
    pairs
        Shape (n_pairs, 2).
    """
    lengths = pair_lengths(frames.positions, frames.periodic_cells, pairs[:, 0], pairs[:, 1])
    mean: FloatArray = lengths.mean(axis=0)
    return mean
