"""Whether molecules are cut at the faces of a cell that the file does not state.

Trajectories of a periodic cell are often written with every atom in the cell. Without the cell, atoms that
are bonded are then a cell apart in some of the frames.
"""

import numpy as np

from mdaug.data.origin import shown
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bond_graphs import BondGraphs, frame_bond_graphs
from mdaug.geometry.bonds import BOND_SCALE, single_bond_lengths
from mdaug.verdicts import Verdict

NAME = "whole molecules"

SAMPLE = 300
"""Frames, evenly spaced, in which bonds are looked for."""

MIN_OCCURRENCE, LEAST_FRAMES = 0.1, 2
"""Share of the frames in which two atoms are bonded, and frames in which such a bond is cut."""

FAR_A = 4.0
"""Component of the vector between bonded atoms that is cut; no bond is longer, and no cell is narrower."""

MARGIN_A, SHORTEST = 0.5, 0.4
"""Bonds made whole are at most so much longer than the longest bond, as edges are not known better, and at
least this share of the sum of covalent radii."""

EXPLAINED = 0.8
"""Share of the cut bonds that one cell must make whole; none explains atoms that part."""


def cut_verdict(frames: FrameSet) -> Verdict:
    """Return whether bonded atoms are a cell apart in some frames of molecules.

    Parameters
    ----------
    frames
        All frames, as they were read.
    """
    if frames.cells is not None or frames.n_atoms < 2:
        return Verdict(NAME, "ok", None, None, "the cell is stated" if frames.n_atoms > 1 else "one atom")
    graphs = frame_bond_graphs(frames.evenly_spaced(SAMPLE))
    pairs = graphs.pairs[graphs.occurrence >= MIN_OCCURRENCE]
    vectors = frames.positions[:, pairs[:, 1]] - frames.positions[:, pairs[:, 0]]
    is_cut = np.any(np.abs(vectors) > FAR_A, axis=2)
    off = np.flatnonzero(is_cut.any(axis=1))
    if len(off) < LEAST_FRAMES:
        return Verdict(NAME, "ok", float(len(off)), None, "no bonded atoms are far apart in other frames")
    of_frame, of_pair = np.nonzero(is_cut)
    edges = _edges(vectors[is_cut])
    lengths = np.linalg.norm(_nearest_image(vectors[is_cut], edges), axis=1)
    usual = single_bond_lengths(*frames.atomic_numbers[pairs[of_pair]].T)
    is_whole = (lengths > SHORTEST * usual) & (lengths < BOND_SCALE * usual + MARGIN_A)
    degrees = _degrees(frame_bond_graphs(frames.select(off)), frames.n_atoms)
    of_ends = np.take_along_axis(degrees[np.searchsorted(off, of_frame)], pairs[of_pair], axis=1)
    is_hydrogen = frames.atomic_numbers[pairs[of_pair]] == 1
    # a proton that has moved to another atom has a bond there
    has_moved = np.any(is_hydrogen & (of_ends > 0), axis=1)
    if np.mean(is_whole & ~has_moved) < EXPLAINED:
        return Verdict(NAME, "ok", float(len(off)), None, "bonded atoms part, or have other bonds then")
    size = " × ".join(f"{edge:.3g}" if np.isfinite(edge) else "?" for edge in edges)
    text = (
        f"molecules of {len(off)} of {len(frames)} frames ({shown(frames, off)}) are cut at the "
        f"faces of a cell of about {size} Å, which the file does not state: expected whole molecules, or the "
        "cell of each frame (extended xyz: Lattice=, pbc=)"
    )
    return Verdict(NAME, "error", float(len(off)), None, text, tuple(off.tolist()))


def _edges(vectors: FloatArray) -> FloatArray:
    """Return the edges of an orthorhombic cell, infinite where no vector is far: an edge less what a bond
    spans is the length of a component of cut bonds, and their longest is nearly the edge."""
    components = np.abs(vectors)
    longest = components.max(axis=0)
    edges: FloatArray = np.where(longest > FAR_A, longest, np.inf)
    return edges


def _nearest_image(vectors: FloatArray, edges: FloatArray) -> FloatArray:
    cells = np.where(np.isfinite(edges), edges, 1.0)
    images: FloatArray = np.where(np.isfinite(edges), vectors - cells * np.round(vectors / cells), vectors)
    return images


def _degrees(graphs: BondGraphs, n_atoms: int) -> IntArray:
    """Return the number of bonds of each atom in each frame, (n_frames, n_atoms)."""
    ends = np.zeros((len(graphs.pairs), n_atoms), np.int64)
    np.put_along_axis(ends, graphs.pairs, 1, axis=1)
    degrees: IntArray = graphs.present.astype(np.int64) @ ends
    return degrees
