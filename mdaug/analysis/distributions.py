"""Distributions of pair distances h(r) and torsions of a set of frames or a trajectory."""

import numpy as np

from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.image_distances import all_image_lengths
from mdaug.geometry.pairs import half_width, molecule_pairs, pair_lengths
from mdaug.geometry.torsions import torsion_angles

BIN_A = 0.05
"""Width of the bins of h(r)."""

WELLS = ("trans", "gauche+", "gauche-")
"""|φ| ≥ 120°, 0 ≤ φ < 120° and −120° < φ < 0."""

CHUNK = 256
"""Number of frames in a block, to limit the memory for all pairs."""


NARROW_A = 4.0
"""Where half a cell is narrower, h(r) has the distances to all images up to this, Å."""


class Sample:
    """Pools the pair distances and torsions of frames that are added in blocks.

    Parameters
    ----------
    torsions
        Shape (n_torsions, 4), atom indices.
    edges_A
        Edges of the bins of h(r), shape (n_bins + 1,).
    keep_longer
        Count distances beyond the last edge in the last bin, so that a dissociated molecule is visible. For a
        cell they are left out, because the last edge is half of its width.
    """

    def __init__(self, torsions: IntArray, edges_A: FloatArray, *, keep_longer: bool) -> None:
        self.edges_A = edges_A
        self.n_frames = 0
        self._torsions = torsions
        self._keep_longer = keep_longer
        self._counts = np.zeros(len(edges_A) - 1)
        self._angles = [np.empty((0, len(torsions)))]

    def add(self, positions: FloatArray, cells: FloatArray | None) -> None:
        """Add frames.

        Parameters
        ----------
        positions
            Shape (n_frames, n_atoms, 3), Å.
        cells
            Shape (n_frames, 3, 3), Å; None for molecules.
        """
        if len(positions) == 0:
            return
        if cells is not None and self.edges_A[-1] > half_width(cells):
            distances = all_image_lengths(positions, cells, float(self.edges_A[-1]))
        else:
            distances = pair_lengths(positions, cells, *molecule_pairs(positions.shape[1]))
        if self._keep_longer:
            distances = np.minimum(distances, 0.5 * (self.edges_A[-2] + self.edges_A[-1]))
        self._counts += np.histogram(distances, bins=self.edges_A)[0]
        self._angles.append(torsion_angles(positions, self._torsions, cells))
        self.n_frames += len(positions)

    @property
    def density(self) -> FloatArray:
        """The normalized histogram h(r) of all pairs, 1/Å; its integral is one."""
        density: FloatArray = self._counts / (self._counts.sum() * np.diff(self.edges_A))
        return density

    @property
    def angles(self) -> FloatArray:
        """Torsion angles in degrees, −180 to 180, shape (n_frames, n_torsions)."""
        return np.concatenate(self._angles)


def sample_like(frames: FrameSet, torsions: IntArray) -> Sample:
    """Return an empty sample with bins for `frames`.

    The bins reach 1 Å beyond the longest distance, or for cells up to half the narrowest width, `NARROW_A`
    at least.

    Parameters
    ----------
    frames
        Frames whose distances determine the bins.
    torsions
        Shape (n_torsions, 4), atom indices.
    """
    if frames.periodic_cells is not None:
        reach = max(half_width(frames.periodic_cells), NARROW_A)
        return Sample(torsions, _edges(reach), keep_longer=False)
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    longest = max(pair_lengths(r, None, idx_i, idx_j).max() for r, _ in chunks(frames))
    return Sample(torsions, _edges(longest + 1.0), keep_longer=True)


def sample_of(frames: FrameSet, torsions: IntArray) -> Sample:
    """Return the distances and torsions of frames.

    Parameters
    ----------
    frames
        The frames.
    torsions
        Shape (n_torsions, 4), atom indices.
    """
    sample = sample_like(frames, torsions)
    for positions, cells in chunks(frames):
        sample.add(positions, cells)
    return sample


def distance_histogram_error(one: Sample, other: Sample) -> float:
    """Return ∫ |h(r) − h'(r)| dr, from 0 (same) to 2 (no overlap), of two samples with the same bins.

    The mean absolute error of h(r) in "Forces are not enough" (arXiv:2210.07237).

    Parameters
    ----------
    one, other
        Samples with at least one frame each.
    """
    return float(np.abs(one.density - other.density) @ np.diff(one.edges_A))


def populations(angles: FloatArray) -> dict[str, float]:
    """Return the fraction of angles in each of the `WELLS`.

    Parameters
    ----------
    angles
        Shape (n_frames,), degrees, −180 to 180.
    """
    trans = np.abs(angles) >= 120.0
    positive = ~trans & (angles >= 0)
    fractions = (trans.mean(), positive.mean(), (~trans & ~positive).mean())
    return {well: float(fraction) for well, fraction in zip(WELLS, fractions, strict=True)}


def chunks(frames: FrameSet) -> list[tuple[FloatArray, FloatArray | None]]:
    """Return positions and periodic cells, `CHUNK` frames at a time.

    Parameters
    ----------
    frames
        The frames.
    """
    cells = frames.periodic_cells
    return [
        (frames.positions[k : k + CHUNK], None if cells is None else cells[k : k + CHUNK])
        for k in range(0, len(frames), CHUNK)
    ]


def _edges(longest_A: float) -> FloatArray:
    return BIN_A * np.arange(int(longest_A / BIN_A) + 1, dtype=np.float64)
