"""Differences of the energies of similar frames against the work of their forces.

ΔE ≈ (g_a + g_b)/2 · (q_b − q_a) between two frames, q being coordinates and g = ∂E/∂q by the forces; it is
exact for harmonic vibrations. Two frames are enough for it.
"""

from typing import NamedTuple

import numpy as np

from mdaug.data.verification.kernel_energies import inverse_distances
from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.pairs import minimum_image, molecule_pairs, pair_lengths

N_SIMILAR = 3
"""Most similar frames with which each is compared."""

MAX_SHIFT_A, SAME_CELL_A = 0.5, 1e-6
"""Largest displacement of an atom between compared frames in a cell, and difference of equal cells."""

MANY_ATOMS, NEAR_A = 40, 5.0
"""Number of atoms beyond which only pairs that are near in the first frame are coordinates."""


class Works(NamedTuple):
    """Pairs of similar frames of a system.

    Attributes
    ----------
    differences, works
        Shape (n_pairs,), eV: differences of the energies, and those that the forces imply.
    closures
        Shape (n_triples,), eV: works around triples of frames; zero where all are exact.
    """

    differences: FloatArray
    works: FloatArray
    closures: FloatArray


def works_of(frames: FrameSet) -> Works:
    """Return the differences of the energies between similar frames and the works of their forces.

    Parameters
    ----------
    frames
        Two frames or more; of periodic ones only those in one cell are compared.
    """
    work, distance = _works_in_cell(frames) if frames.periodic else _works_in_distances(frames)
    n = len(frames)
    distance[np.arange(n), np.arange(n)] = np.inf
    nearest = np.argsort(distance, axis=1)[:, :N_SIMILAR]
    pairs = {(min(a, b), max(a, b)) for a in range(n) for b in nearest[a].tolist()}
    close = [pair for pair in sorted(pairs) if np.isfinite(distance[pair])]
    first, second = np.array(close, dtype=np.int64).reshape(-1, 2).T
    triples = [(a, *nearest[a, :2].tolist()) for a in range(n)] if n > 2 else []
    closed = [t for t in triples if np.isfinite([distance[t[0], t[1]], distance[t[0], t[2]]]).all()]
    closures = [work[a, b] + work[b, c] + work[c, a] for a, b, c in closed]
    return Works(frames.energies[second] - frames.energies[first], work[first, second], np.array(closures))


def _works_in_distances(frames: FrameSet) -> tuple[FloatArray, FloatArray]:
    """Return works and distances of all frames from each, both (n_frames, n_frames), of molecules.

    The path is straight in the inverse distances q of pairs of atoms, in which a rotating methyl group moves
    less than in Cartesian coordinates; the forces are their least-squares derivatives g = ∂E/∂q.
    """
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    if frames.n_atoms > MANY_ATOMS:
        near = pair_lengths(frames.positions[:1], None, idx_i, idx_j)[0] < NEAR_A
        idx_i, idx_j = idx_i[near], idx_j[near]
    inverse, derivatives = np.empty((2, len(frames), len(idx_i)))
    for n, forces in enumerate(frames.forces):
        (inverse[n],), (jacobian,) = inverse_distances(frames.positions[n : n + 1], idx_i, idx_j)
        derivatives[n] = np.linalg.lstsq(jacobian.T, -forces.ravel(), rcond=1e-8)[0]
    change = inverse[None] - inverse[:, None]
    work = 0.5 * np.einsum("abp,abp->ab", derivatives[:, None] + derivatives[None], change)
    return work, np.linalg.norm(change, axis=2)


def _works_in_cell(frames: FrameSet) -> tuple[FloatArray, FloatArray]:
    """Return works and largest displacements of all frames from each, both (n_frames, n_frames).

    Displacements beyond `MAX_SHIFT_A` and those between different cells are infinite.
    """
    n, cells = len(frames), frames.cells
    assert cells is not None
    work, distance = np.zeros((n, n)), np.zeros((n, n))
    for a in range(n):
        displacement = minimum_image(frames.positions - frames.positions[a], frames.periodic_cells)
        work[a] = -0.5 * np.einsum("nax,nax->n", frames.forces[a] + frames.forces, displacement)
        distance[a] = np.linalg.norm(displacement, axis=2).max(axis=1)
        distance[a, np.abs(cells - cells[a]).max(axis=(1, 2)) > SAME_CELL_A] = np.inf
    return work, np.where(distance < MAX_SHIFT_A, distance, np.inf)
