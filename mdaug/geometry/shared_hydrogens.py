"""Hydrogens that have several partners in the training frames."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from ase.data import atomic_numbers as number_of

from mdaug.frames import FloatArray, FrameSet
from mdaug.geometry.bonds import bonded
from mdaug.geometry.molecules import AT_ONCE, LASTING
from mdaug.geometry.pairs import pair_lengths


@dataclass(frozen=True)
class SharedHydrogen:
    """A hydrogen that is bonded to different atoms in different frames.

    Parameters
    ----------
    atom
        Index of the hydrogen, 0-based.
    partners
        Atoms to which it is bonded in at least one frame, the most frequent one first.
    mean_A
        Mean distance to the nearest of them, over frames.
    range_A
        Shortest and longest distance to the nearest of them.
    """

    atom: int
    partners: tuple[int, ...]
    mean_A: float
    range_A: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """Return an entry of ``training.shared_hydrogens`` in a model's manifest."""
        return {
            "atom": self.atom,
            "partners": list(self.partners),
            "mean_A": self.mean_A,
            "range_A": list(self.range_A),
        }

    def nearest_A(self, positions: FloatArray, cells: FloatArray | None) -> FloatArray:
        """Return the distance to the nearest partner, shape (n_frames,), Å.

        Parameters
        ----------
        positions
            Shape (n_frames, n_atoms, 3), Å.
        cells
            Shape (n_frames, 3, 3), Å; None for molecules.
        """
        partners = np.array(self.partners)
        lengths = pair_lengths(positions, cells, partners, np.full_like(partners, self.atom))
        return np.asarray(lengths.min(axis=1))


def shared_hydrogens(frames: FrameSet) -> tuple[SharedHydrogen, ...]:
    """Return the hydrogens that are bonded to two or more heavier atoms, to one of them in some frames only.

    A hydrogen that is bonded to all of them in nearly all frames bridges them, and is not shared.

    Parameters
    ----------
    frames
        The training frames.
    """
    numbers, hydrogen = frames.atomic_numbers, number_of["H"]
    hydrogens, others = np.flatnonzero(numbers == hydrogen), np.flatnonzero(numbers != hydrogen)
    if len(others) < 2:
        return ()
    shared = []
    for atom in hydrogens.tolist():
        times_bonded = np.zeros(len(others), dtype=np.int64)
        idx_j, size = np.full_like(others, atom), max(1, AT_ONCE // len(others))
        cells = frames.periodic_cells
        for k in range(0, len(frames), size):
            part = slice(k, k + size)
            lengths = pair_lengths(
                frames.positions[part], None if cells is None else cells[part], others, idx_j
            )
            times_bonded += bonded(numbers, others, idx_j, lengths).sum(axis=0)
        partners = times_bonded > 0
        if partners.sum() < 2 or times_bonded[partners].min() >= LASTING * len(frames):
            continue
        by_frequency = others[np.argsort(-times_bonded, kind="stable")][: partners.sum()]
        without_range = SharedHydrogen(atom, tuple(by_frequency.tolist()), 0.0, (0.0, 0.0))
        nearest = without_range.nearest_A(frames.positions, cells)
        range_A = float(nearest.min()), float(nearest.max())
        shared.append(replace(without_range, mean_A=float(nearest.mean()), range_A=range_A))
    return tuple(shared)
