"""What a trainer gets: raw, augmented, validation and test frames of systems; and what writes its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
class SystemFrames:
    """Frames of one system; energies in eV, forces in eV/Å, positions in Å.

    Parameters
    ----------
    raw
        Training frames of the data.
    augmented
        Augmented frames made from `raw`; ``info["parent"]`` are indices in `raw`. May be empty.
    validation, test
        Frames of the data that are neither in `raw` nor parents of `augmented`; `test` may be empty.
    delta
        Frames of Δ-learning, made from `raw`; None for none.
    label
        Name of the system in files.
    """

    raw: FrameSet
    augmented: FrameSet
    validation: FrameSet
    test: FrameSet
    delta: FrameSet | None = None
    label: str = ""

    @property
    def added(self) -> dict[str, FrameSet]:
        """Training frames beside the raw ones, by origin."""
        delta = {} if self.delta is None else {DELTA: self.delta}
        return {"augmented": self.augmented} | delta


@dataclass(frozen=True)
class TrainingData:
    """Frames for a training.

    Parameters
    ----------
    systems
        The frames of each system.
    isolated_atoms
        Energies (eV) of isolated atoms by symbol, if the data have some of all elements.
    """

    systems: tuple[SystemFrames, ...]
    isolated_atoms: Mapping[str, float] = field(default_factory=dict)

    @property
    def raw(self) -> tuple[FrameSet, ...]:
        """Raw training frames of each system."""
        return tuple(system.raw for system in self.systems)

    @property
    def augmented(self) -> tuple[FrameSet, ...]:
        """Augmented frames of each system that has any; ``info["parent"]`` are indices in all raw frames."""
        first = np.cumsum([0, *map(len, self.raw)]).tolist()
        return tuple(
            replace(frames, info=frames.info | {"parent": frames.info["parent"] + start})
            for system, start in zip(self.systems, first, strict=False)
            if len(frames := system.augmented)
        )

    @property
    def delta(self) -> tuple[FrameSet, ...]:
        """Frames of Δ-learning of each system that has any."""
        return tuple(system.delta for system in self.systems if system.delta is not None)

    @property
    def training(self) -> tuple[FrameSet, ...]:
        """All training frames, raw ones first, in the order in which they are written."""
        return *self.raw, *self.augmented, *self.delta

    @property
    def validation(self) -> tuple[FrameSet, ...]:
        """Validation frames of each system that has any."""
        return tuple(system.validation for system in self.systems if len(system.validation))

    @property
    def test(self) -> tuple[FrameSet, ...]:
        """Test frames of each system that has any."""
        return tuple(system.test for system in self.systems if len(system.test))

    @property
    def weights(self) -> FloatArray:
        """Weights of the training frames in a loss, raw ones first; shape (n_training,)."""
        return np.concatenate([frames.weights for frames in self.training])

    @property
    def periodic(self) -> bool:
        """Whether some frames are periodic."""
        return any(frames.periodic for frames in self.raw)

    @property
    def has_stresses(self) -> bool:
        """Whether some raw frames have stresses."""
        return any(frames.stresses is not None for frames in self.raw)

    @property
    def atomic_numbers(self) -> list[int]:
        """Atomic numbers of the elements, in ascending order."""
        return sorted({int(number) for frames in self.raw for number in frames.atomic_numbers})

    @property
    def symbols(self) -> list[str]:
        """Symbols of the elements, in the order of `atomic_numbers`."""
        return [chemical_symbols[number] for number in self.atomic_numbers]

    @cached_property
    def reference_energies(self) -> dict[int, float]:
        """Energy (eV) of each element: that of the isolated atom, or those whose sums fit the mean energies
        per atom of the raw frames best, by least squares of minimum norm over the systems."""
        numbers = self.atomic_numbers
        if self.isolated_atoms:
            return {number: self.isolated_atoms[chemical_symbols[number]] for number in numbers}
        shares = [[np.mean(frames.atomic_numbers == number) for number in numbers] for frames in self.raw]
        energies = [frames.energies.mean() / frames.n_atoms for frames in self.raw]
        fitted = np.linalg.lstsq(np.array(shares), np.array(energies), rcond=None)[0]
        return {number: float(energy) for number, energy in zip(numbers, fitted, strict=True)}

    def reference_energy(self, frames: FrameSet) -> float:
        """Return the sum of `reference_energies` over the atoms of a frame, eV.

        Parameters
        ----------
        frames
            Frames of one system.
        """
        return sum(self.reference_energies[int(number)] for number in frames.atomic_numbers)

    @property
    def subtracted(self) -> str:
        """What `reference_energy` is, for a README."""
        if len(self.raw) == 1 and not self.isolated_atoms:
            return f"{self.reference_energy(self.raw[0])!r} eV (the mean of the training frames)"
        of_elements = zip(self.symbols, self.reference_energies.values(), strict=True)
        return f"a sum over the atoms ({', '.join(f'{symbol}: {e!r} eV' for symbol, e in of_elements)})"

    @cached_property
    def _extent(self) -> float:
        """An upper bound (Å) of the distance of two atoms in any frame: the diagonal of the largest box."""
        parts = (*self.training, *self.validation, *self.test)
        return max(float(np.linalg.norm(np.ptp(f.positions, axis=1), axis=1).max()) for f in parts)

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
