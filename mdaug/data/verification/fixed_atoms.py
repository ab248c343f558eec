"""Whether forces of constrained atoms were set to zero, as ASE does when it returns or writes them."""

import numpy as np

from mdaug.data.verification.bond_stiffness import lasting_bonds
from mdaug.frames import FrameSet, IntArray
from mdaug.geometry.bonds import bond_name
from mdaug.verdicts import Verdict

NAME = "forces of all atoms"

MIN_SHARE, LEAST_FRAMES = 0.05, 3
"""Share and number of frames in which the force of a bonded atom is zero: more than by symmetry."""

MOST_SHOWN = 8


def fixed_atoms_verdict(frames: FrameSet, usable: IntArray) -> Verdict:
    """Return whether atoms that have bonds have forces, too.

    An atom that is far from all others may have none; a bonded one is pulled by its neighbors.

    Parameters
    ----------
    frames
        All frames; lengths in Å.
    usable
        Indices of the frames without outliers.
    """
    forces = frames.forces[usable]
    zero = np.all(forces == 0, axis=2)
    zero &= ~np.all(zero, axis=1, keepdims=True)  # frames without any forces have a check of their own
    if frames.n_atoms < 2 or not zero.any():
        return Verdict(NAME, "ok", 0.0, 0.0, "no bonded atom is without force")
    bonded = np.zeros(frames.n_atoms, bool)
    bonded[np.concatenate(lasting_bonds(frames.select(usable)))] = True
    n_zero = zero.sum(axis=0)
    fixed = np.flatnonzero(bonded & (n_zero >= max(LEAST_FRAMES, MIN_SHARE * len(usable))))
    if len(fixed) == 0:
        return Verdict(NAME, "ok", 0.0, 0.0, "no bonded atom is without force in many frames")
    names = ", ".join(bond_name(frames.atomic_numbers, [a]) for a in fixed[:MOST_SHOWN])
    more = f", … ({len(fixed)} in all)" if len(fixed) > MOST_SHOWN else ""
    text = (
        f"forces of the atoms {names}{more} are exactly zero in {n_zero[fixed].max()} of {len(usable)} "
        "frames, though these atoms have bonds: they were fixed, and a model would learn that nothing pulls "
        "them: expected forces without constraints (in ASE: get_forces(apply_constraint=False))"
    )
    return Verdict(NAME, "warning", float(len(fixed)), 0.0, text)
