"""Frames that are the same geometry, also rotated, reflected, shifted or with equal atoms exchanged."""

from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mdaug.data.origin import place
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.pairs import minimum_image, molecule_pairs
from mdaug.verdicts import Verdict

NAME = "duplicates"

DUPLICATE_TOLERANCE_A = 1e-6
"""Frames whose coordinates all agree within this are one frame, saved twice."""

DISTANCE_TOLERANCE_A = 2e-5
"""Frames whose sorted distances agree within this (root mean square) are one geometry."""

MIN_PAIRS = 3
"""With fewer distances, independent frames agree by chance."""

N_PROJECTIONS = 4
DISTANCES_AT_ONCE = 4_000_000
"""Distances held in memory at once."""


def group_duplicates(frames: FrameSet) -> tuple[FrameSet, Verdict]:
    """Return `frames` with equal geometries in common groups, and the verdict on them."""
    first = first_occurrence(frames)
    repeated = np.flatnonzero(first != np.arange(len(frames)))
    if len(repeated) == 0 and frames.n_atoms > 1 and _n_pairs(frames) < MIN_PAIRS:
        text = f"all {len(frames)} frames are distinct; rotated molecules of two atoms cannot be recognized"
        return frames, Verdict(NAME, "cannot tell", 0.0, None, text)
    if len(repeated) == 0:
        return frames, Verdict(NAME, "ok", 0.0, None, f"all {len(frames)} frames are distinct")
    coordinates = frames.positions.reshape(len(frames), -1)
    moved = np.abs(coordinates[repeated] - coordinates[first[repeated]]).max(axis=1) > 1e-5
    pairs = ", ".join(f"{place(frames, first[n])}/{place(frames, n)}" for n in repeated[:5])
    text = (
        f"{len(frames) - len(repeated)} of {len(frames)} frames are distinct; duplicates "
        f"({pairs}{', …' if len(repeated) > 5 else ''}"
        f"{f'; {moved.sum()} of them moved, rotated or reflected' if moved.any() else ''}) "
        "are kept on one side of every split"
    )
    grouped = replace(frames, group=_joined_groups(frames.group, first))
    return grouped, Verdict(NAME, "warning", float(len(repeated)), 0.0, text, tuple(repeated.tolist()))


def first_occurrence(frames: FrameSet) -> IntArray:
    """Return, for each frame, the first frame of the same geometry, shape (n_frames,)."""
    lengths = _cell_lengths(frames)
    coordinates = np.hstack([frames.positions.reshape(len(frames), -1), lengths])
    rng = np.random.default_rng(0)
    weights = rng.uniform(1, 2, (coordinates.shape[1], 1))
    reach = DUPLICATE_TOLERANCE_A * weights.sum()
    first = _first_alike(coordinates @ weights, reach, coordinates, DUPLICATE_TOLERANCE_A)
    if _n_pairs(frames) >= MIN_PAIRS:
        fingerprints = np.hstack([_distance_fingerprints(frames), lengths])
        same = _first_alike(fingerprints[:, :1], DISTANCE_TOLERANCE_A, fingerprints, DISTANCE_TOLERANCE_A)
        first = np.minimum(first, first[same])
        first = first[first]
    return first


def _cell_lengths(frames: FrameSet) -> FloatArray:
    """Return lengths of periodic cell vectors and of sums of two, (n_frames, 6), or (n_frames, 0)."""
    if frames.cells is None or not frames.periodic:
        return np.empty((len(frames), 0))
    cells = frames.cells * np.array(frames.pbc)[:, None]
    vectors = np.concatenate([cells, cells + np.roll(cells, 1, axis=1)], axis=1)
    lengths: FloatArray = np.linalg.norm(vectors, axis=2)
    return lengths


def sorted_distances(frames: FrameSet) -> FloatArray:
    """Return the distances (n_frames, n_pairs), Å, sorted within each pair of elements, to nearest images."""
    idx_i, idx_j = molecule_pairs(frames.n_atoms)
    numbers = frames.atomic_numbers
    kind = np.minimum(numbers[idx_i], numbers[idx_j]) * 200 + np.maximum(numbers[idx_i], numbers[idx_j])
    order = np.argsort(kind, kind="stable")
    idx_i, idx_j, kind = idx_i[order], idx_j[order], kind[order]
    vectors = frames.positions[:, idx_j] - frames.positions[:, idx_i]
    distances = np.linalg.norm(minimum_image(vectors, frames.periodic_cells), axis=2)
    for k in np.unique(kind):
        distances[:, kind == k] = np.sort(distances[:, kind == k], axis=1)
    return distances


def _n_pairs(frames: FrameSet) -> int:
    return frames.n_atoms * (frames.n_atoms - 1) // 2


def _distance_fingerprints(frames: FrameSet) -> FloatArray:
    """Return projections of the sorted distances on a few random unit vectors, (n_frames, N_PROJECTIONS)."""
    n_pairs = _n_pairs(frames)
    weights = np.random.default_rng(1).normal(size=(n_pairs, N_PROJECTIONS))
    weights /= np.linalg.norm(weights, axis=0)
    step = max(1, DISTANCES_AT_ONCE // n_pairs)
    parts = [
        sorted_distances(frames.select(slice(start, start + step))) @ weights
        for start in range(0, len(frames), step)
    ]
    return np.concatenate(parts)


def _first_alike(fingerprint: FloatArray, reach: float, vectors: FloatArray, tolerance: float) -> IntArray:
    """Return, for each row of `vectors`, the first row that agrees within `tolerance` in every number.

    Rows are visited in the order of `fingerprint` (n, 1), in which rows that agree are within `reach`, and
    are compared with one representative of each group of equal rows: linear in n even where all rows are
    equal."""
    value = fingerprint[:, 0]
    first = np.arange(len(value))
    representatives: list[int] = []
    for row in np.argsort(value, kind="stable"):
        representatives = [k for k in representatives if value[row] - value[k] <= reach]
        for k in representatives:
            if np.abs(vectors[row] - vectors[k]).max() <= tolerance:
                first[row] = k
                break
        else:
            representatives.append(int(row))
    lowest = np.arange(len(value))
    np.minimum.at(lowest, first, np.arange(len(value)))
    return lowest[first]


def _joined_groups(group: IntArray, first: IntArray) -> IntArray:
    """Return group numbers in which a frame, its duplicates and all of their groups are one group."""
    values, place = np.unique(group, return_inverse=True)
    links = coo_array((np.ones(len(group)), (place, place[first])), shape=(len(values),) * 2)
    _, component = connected_components(links, directed=False)
    of_first = np.full(component.max() + 1, -1, dtype=np.int64)
    for n in range(len(group) - 1, -1, -1):
        of_first[component[place[n]]] = group[n]
    return of_first[component[place]]
