"""What a trainer gets: raw, augmented, validation and test frames; and what writes its files."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from ase.data import chemical_symbols
from ase.geometry import complete_cell

from mdaug.frames import FloatArray, FrameSet

DELTA = "delta-learning"
"""Kind of the frames of Δ-learning, beside the kinds of augmented frames."""

VACUUM_A = 20.0
"""Empty space (Å) between a molecule and its images, where a trainer needs a cell."""


@dataclass(frozen=True)
class TrainingData:
    """Frames for a training; energies in eV, forces in eV/Å, positions in Å.

    Parameters
    ----------
    raw
        Training frames of the data.
    augmented
        Augmented frames made from `raw`; ``info["parent"]`` are indices in `raw`.
    validation, test
        Frames of the data that are neither in `raw` nor parents of `augmented`; `test` may be empty.
    delta
        Frames of Δ-learning, made from `raw`; None for none.
    """

    raw: FrameSet
    augmented: FrameSet
    validation: FrameSet
    test: FrameSet
    delta: FrameSet | None = None

    @property
    def added(self) -> dict[str, FrameSet]:
        """Training frames beside the raw ones, by origin."""
        delta = {} if self.delta is None else {DELTA: self.delta}
        return {"augmented": self.augmented} | delta

    @property
    def training(self) -> tuple[FrameSet, ...]:
        """All training frames, raw ones first, in the order in which they are written."""
        return self.raw, *self.added.values()

    @property
    def weights(self) -> FloatArray:
        """Weights of the training frames in a loss, raw ones first; shape (n_training,)."""
        return np.concatenate([frames.weights for frames in self.training])

    @property
    def atomic_numbers(self) -> list[int]:
        """Atomic numbers of the elements, in ascending order."""
        return sorted({int(number) for number in self.raw.atomic_numbers})

    @property
    def symbols(self) -> list[str]:
        """Symbols of the elements, in the order of `atomic_numbers`."""
        return [chemical_symbols[number] for number in self.atomic_numbers]

    @property
    def reference_energies(self) -> dict[int, float]:
        """Energy (eV) of each element whose sums fit the raw frames best: least squares of minimum norm."""
        counts = np.array([[np.sum(self.raw.atomic_numbers == number) for number in self.atomic_numbers]])
        energies = np.linalg.lstsq(counts.astype(float), [self.raw.energies.mean()], rcond=None)[0]
        return {number: float(energy) for number, energy in zip(self.atomic_numbers, energies, strict=True)}

    @property
    def reference_energy(self) -> float:
        """Sum of `reference_energies` over the atoms of a frame, eV."""
        of_element = self.reference_energies
        return sum(of_element[int(number)] for number in self.raw.atomic_numbers)

    @cached_property
    def _extent(self) -> float:
        """An upper bound (Å) of the distance of two atoms in any frame: the diagonal of the largest box."""
        parts = (*self.training, self.validation, self.test)
        return max(float(np.linalg.norm(np.ptp(f.positions, axis=1), axis=1).max()) for f in parts if len(f))

    def cells(self, frames: FrameSet) -> FloatArray:
        """Return a cell for each frame, with `VACUUM_A` in directions that are not periodic.

        An open direction is more than twice as long as the molecule, so that the nearest image of each atom
        is the atom itself.

        Parameters
        ----------
        frames
            Some of the frames.

        Returns
        -------
        cells
            Shape (n_frames, 3, 3), Å, rows are lattice vectors.
        """
        is_open = ~np.array(frames.pbc)
        cells = np.zeros((len(frames), 3, 3)) if frames.cells is None else frames.cells
        completed = np.array([complete_cell(cell) for cell in np.where(is_open[:, None], 0.0, cells)])
        completed = completed.reshape(len(frames), 3, 3)
        completed[:, is_open] *= np.ceil(2 * self._extent + VACUUM_A)
        return completed


class Instructions(NamedTuple):
    """What the README of a folder says about its trainer.

    Parameters
    ----------
    weights
        How the trainer gets the weights of the frames.
    command
        Command lines that train, for a shell in the folder.
    remarks
        What else the user has to know; one sentence or more each.
    """

    weights: str
    command: str
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trainer:
    """A program that trains networks on frames.

    Parameters
    ----------
    title
        Its name in text.
    files
        What is written for it: file or folder -> what it holds.
    write
        Writes the files of the frames into a folder and returns what its README says; raises DataError if the
        trainer cannot read them. Its third argument is `RepeatOptions.repeats`; None for its default.
    """

    title: str
    files: dict[str, str]
    write: Callable[[TrainingData, Path, int | None], Instructions]
