"""Distances between molecules in trajectories of a liquid and in the training frames.

    python benchmarks/liquid.py frames=FRAMES.xyz LABEL=MD_FOLDER …

The first is the reference; all need the same atoms and a cell. Prints for each pair of elements
of different molecules the first maximum of g(r) (place in Å, height) and ∫|h(r) − h'(r)| dr (0 to 2), h the
normalized histogram up to half the cell's width.
"""

import sys
from pathlib import Path

import numpy as np

from mdaug.analysis.trajectory import blocks, open_trajectory
from mdaug.data import load_frames
from mdaug.frames import FloatArray
from mdaug.geometry.molecules import frame_molecules
from mdaug.geometry.pairs import narrowest_width, pair_lengths
from mdaug.springs.distances import element_pairs

BIN_A = 0.1

Parts = list[tuple[FloatArray, FloatArray]]
"""Positions (n_frames, n_atoms, 3) and cells (n_frames, 3, 3)."""


def main() -> None:
    given = [text.partition("=")[::2] for text in sys.argv[1:]]
    frames = load_frames(given[0][1])
    molecule = frame_molecules(frames)
    idx_i, idx_j, members = element_pairs(frames.atomic_numbers)
    edges = np.arange(0, narrowest_width(frames.cells) / 2, BIN_A)
    print("| | frames | pair | first maximum (Å) | height | ∫\\|h − h'\\| dr |\n|---|---|---|---|---|---|")
    for name, index in members.items():
        pairs = index[molecule[idx_i[index]] != molecule[idx_j[index]]]
        expected = None
        for label, path in given:
            parts = read(Path(path))
            g, h = packing(parts, (idx_i[pairs], idx_j[pairs]), edges)
            expected = h if expected is None else expected
            top = first_maximum(g)
            place, off = (edges[top] + edges[top + 1]) / 2, np.abs(h - expected).sum()
            n_frames = sum(len(positions) for positions, _ in parts)
            print(f"| {label} | {n_frames} | {name} | {place:.2f} | {g[top]:.2f} | {off:.3f} |")


def read(path: Path) -> Parts:
    """Return a trajectory, or a file of frames."""
    if path.is_file():
        frames = load_frames(str(path))
        return [(frames.positions, frames.cells)]
    return [(block.positions, block.cells) for block in blocks(open_trajectory(path))]


def packing(
    parts: Parts, pairs: tuple[FloatArray, FloatArray], edges: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return g(r), against an even distribution in the cell, and h(r) of some pairs, a value a bin."""
    counts, n_frames = np.zeros(len(edges) - 1), 0
    for positions, cells in parts:
        counts += np.histogram(pair_lengths(positions, cells, *pairs), bins=edges)[0]
        n_frames += len(positions)
    shells = 4 / 3 * np.pi * np.diff(edges**3) / np.linalg.det(parts[0][1][0])
    return counts / (n_frames * len(pairs[0]) * shells), counts / counts.sum()


def first_maximum(g: FloatArray) -> int:
    """Return the first bin above 1 (or half the highest) and higher than the two beside it on each side."""
    enough = min(1.0, g.max() / 2)
    for n in range(2, len(g) - 2):
        if g[n] > enough and g[n] == g[n - 2 : n + 3].max():
            return n
    return int(g.argmax())


if __name__ == "__main__":
    main()
