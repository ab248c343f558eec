"""Whether atoms have no more bonds than their elements can have: exchanged elements often have."""

import numpy as np
from ase.data import atomic_numbers as number_of

from mdaug.data.verification.bond_stiffness import MAX_BOND_FRAMES, NONMETALS, lasting_bonds
from mdaug.data.verification.unit_inference import LENGTH_LIMITS
from mdaug.frames import FrameSet
from mdaug.geometry.bonds import bond_name, single_bond_lengths
from mdaug.geometry.pairs import pair_lengths
from mdaug.verdicts import Verdict

NAME = "elements"

MOST_BONDS = {number_of[symbol]: most for symbol, most in (("H", 1), ("C", 4), ("N", 4), ("O", 3), ("F", 2))}
"""Element -> most bonds to nonmetals but boron, whose bonds are shared. Heavier elements have more."""

SHORT, SHORT_OF_H = 1.25, 1.15
"""Largest mean length, over the sum of covalent radii, of a bond that counts, and of one that counts for a
hydrogen: two atoms that share one are at 1.2 and more."""

MOST_SHOWN = 4


def valence_verdict(frames: FrameSet) -> Verdict:
    """Return whether the elements can have the bonds that their distances imply.

    Parameters
    ----------
    frames
        All frames; lengths in Å.
    """
    idx_i, idx_j = lasting_bonds(frames)
    if len(idx_i) == 0:
        return Verdict(NAME, "cannot tell", None, None, "no bonds to judge the elements by")
    numbers, some = frames.atomic_numbers, frames.evenly_spaced(MAX_BOND_FRAMES)
    lengths = pair_lengths(some.positions, some.periodic_cells, idx_i, idx_j).mean(axis=0)
    is_neighbor = np.isin(numbers, NONMETALS) & (numbers != number_of["B"])
    ratio = lengths / single_bond_lengths(numbers[idx_i], numbers[idx_j])
    if np.median(ratio) < LENGTH_LIMITS[0]:
        return Verdict(NAME, "cannot tell", None, None, "lengths are too short for bonds")
    ends = np.concatenate([idx_i, idx_j])
    is_short = np.tile(ratio, 2) < np.where(numbers[ends] == 1, SHORT_OF_H, SHORT)
    counted = ends[is_short & np.tile(is_neighbor[idx_i] & is_neighbor[idx_j], 2)]
    n_bonds = np.bincount(counted, minlength=frames.n_atoms)
    most = np.array([MOST_BONDS.get(int(number), frames.n_atoms) for number in numbers])
    off = np.flatnonzero(n_bonds > most)
    if len(off) == 0:
        return Verdict(NAME, "ok", 0.0, 0.0, "no atom has more bonds than its element can have")
    names = ", ".join(
        f"{bond_name(numbers, [a])} has {n_bonds[a]} (at most {most[a]})" for a in off[:MOST_SHOWN]
    )
    text = (
        f"{len(off)} atoms have more bonds to nonmetals than their elements can have: {names}"
        f"{', …' if len(off) > MOST_SHOWN else ''}: are the elements those of these atoms (type_map.raw, "
        "symbols, atomic numbers)? expected the order of the positions"
    )
    return Verdict(NAME, "warning", float(len(off)), 0.0, text)
