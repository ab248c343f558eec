"""Boxes in DCD files of LAMMPS that only enclose the atoms: the format does not record what is periodic."""

import MDAnalysis as mda
import numpy as np

from mdaug.frames import FloatArray

MAX_FRAMES = 50
"""Frames, evenly spaced, that are compared with their boxes."""

NEAR, NEAR_A = 0.05, 0.5
"""Largest difference of box and extent, median of the frames: a share of the box, plus a length, as LAMMPS
fits the box to the atoms only when it builds neighbor lists."""

TIGHT = 0.005
"""Largest difference, relative to the box, in the first frame, whose box LAMMPS has just fitted."""

VARIES, CORRELATION = 0.01, 0.8
"""Least standard deviation of the logarithm of a ratio of sides that follows the atoms, and its correlation
with that of their extents. Barostats mostly keep these ratios."""

FEW_ATOMS = 100
"""Molecules up to this size are judged by the difference of box and extent, which would be 2/n of the box for
independent atoms in a periodic box, and larger systems by the share of atoms at the faces."""

FACE, AT_FACES = 0.025, 0.035
"""Thickness of a layer at a face, relative to the box, and share of the atoms in two opposite layers, which
is 0.05 in a periodic liquid and 0.015 in a sphere."""


def is_shrink_wrapped(universe: mda.Universe) -> bool:
    """Return whether the boxes of a trajectory only enclose the atoms (``boundary s s s`` in LAMMPS).

    Parameters
    ----------
    universe
        A DCD file of LAMMPS.
    """
    n_frames = len(universe.trajectory)
    extents, boxes, at_faces = [], [], []
    for n in np.unique(np.linspace(0, n_frames - 1, min(n_frames, MAX_FRAMES)).astype(int)):
        frame = universe.trajectory[n]
        if frame.dimensions is None or not np.allclose(frame.dimensions[3:], 90.0):
            return False
        low, high = frame.positions.min(axis=0), frame.positions.max(axis=0)
        extents.append(high - low)
        boxes.append(frame.dimensions[:3])
        margin = FACE * frame.dimensions[:3]
        at_faces.append(np.mean((frame.positions < low + margin) | (frame.positions > high - margin)))
    extent, box = np.array(extents, float), np.array(boxes, float)
    difference = np.abs(box - extent)
    if (np.median(difference, axis=0) > NEAR * box.mean(axis=0) + NEAR_A).any():
        return False
    if universe.atoms.n_atoms > FEW_ATOMS:
        return bool(np.mean(at_faces) < AT_FACES)
    return bool((difference[0] < TIGHT * box[0]).all() or _follows(box, extent))


def _follows(box: FloatArray, extent: FloatArray) -> bool:
    """Whether the shape of the box varies with the extents of the atoms."""
    for a, b in ((0, 1), (1, 2)):
        of_box = np.log(np.maximum(box[:, a], 1e-6) / np.maximum(box[:, b], 1e-6))
        of_atoms = np.log(np.maximum(extent[:, a], 1e-6) / np.maximum(extent[:, b], 1e-6))
        varies = of_box.std() > VARIES and of_atoms.std() > VARIES
        if varies and np.corrcoef(of_box, of_atoms)[0, 1] > CORRELATION:
            return True
    return False


def without_box(frame: mda.coordinates.timestep.Timestep) -> mda.coordinates.timestep.Timestep:
    """Remove the box of a frame; a transformation for MDAnalysis.

    Parameters
    ----------
    frame
        The frame, which is changed in place.
    """
    frame.dimensions = None
    return frame
