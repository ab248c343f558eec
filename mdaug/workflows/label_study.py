"""Displaced test frames on which label rules are compared."""

from dataclasses import dataclass, replace

import numpy as np

from mdaug.augmentation import AugmentOptions
from mdaug.augmentation.displacements import Displacements, displace, shortest_distances
from mdaug.augmentation.stretches import Stretcher
from mdaug.data import SplitOptions, split_frames
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.workflows.settings.workflow_options import LabelStudyOptions


@dataclass(frozen=True)
class Batch:
    """Displaced test frames of one kind.

    Parameters
    ----------
    kind
        ``displacement`` or ``stretch``.
    epsilon_A, n_displaced
        Longest displacement and number of displaced atoms; None for stretched bonds.
    parent
        Shape (n,): indices of the test frames.
    displaced
        The displaced frames.
    """

    kind: str
    epsilon_A: float | None
    n_displaced: int | None
    parent: IntArray
    displaced: Displacements

    @property
    def positions(self) -> FloatArray:
        """Shape (n, n_atoms, 3), Å."""
        return self.displaced.parents.positions + self.displaced.displacements


@dataclass(frozen=True)
class StudyFrames:
    """Rules are made from `train`; parents are the frames of `test`; all batches have the same length."""

    train: FrameSet
    test: FrameSet
    batches: list[Batch]

    @property
    def geometries(self) -> FloatArray:
        """The positions (n, n_atoms, 3) that need a reference: parents, then one of each batch in turn."""
        return self._in_order(self.test.positions, [batch.positions for batch in self.batches])

    def as_frames(self, energies: FloatArray, forces: FloatArray) -> FrameSet:
        """Return those of `geometries` whose energies (eV) and forces (eV/Å) are finite as frames."""
        index = self._in_order(np.arange(len(self.test)), [batch.parent for batch in self.batches])
        frames = replace(self.test.select(index), positions=self.geometries, energies=energies, forces=forces)
        return frames.select(np.flatnonzero(np.isfinite(energies)))

    def slice_of(self, batch: Batch) -> slice:
        """Return which of `geometries` belong to a batch."""
        return slice(len(self.test) + self.batches.index(batch), None, len(self.batches))

    @staticmethod
    def _in_order(of_parents: np.ndarray, of_batches: list[np.ndarray]) -> np.ndarray:
        """Join arrays of parents and batches; the batches alternate, so that an interrupted reference covers
        all of them equally."""
        return np.concatenate([of_parents, *np.stack(of_batches, axis=1)])


def draw_study(frames: FrameSet, options: LabelStudyOptions, *, stretched: bool) -> StudyFrames:
    """Split `frames` as `mdaug train` does and draw all displacements of a study.

    Parameters
    ----------
    frames
        At least 20.
    options
        Options of the displacements.
    stretched
        Stretch bonds too, if the options allow it.

    Raises
    ------
    DataError
        If no frame is left for the test, or the displacements cannot be drawn.
    """
    split = split_frames(frames, SplitOptions(seed=options.seed))
    train, test = frames.select(split.train), frames.select(split.test)
    if len(test) < 2:
        raise DataError(f"{frames.name}: {len(test)} test frame(s) of {len(frames)}; give at least 20 frames")
    test = test.select(np.arange(min(len(test), options.n_parents or len(test))))
    rng = np.random.default_rng(options.seed)
    batches = []
    for epsilon in options.epsilons:
        for n in options.n_displaced or (1, frames.n_atoms):
            draw = AugmentOptions(epsilon=epsilon, n_displaced=n)
            parent = _parents(len(test), options.n_frames, rng)
            displaced = displace(test.select(parent), shortest_distances(train, draw), draw, rng)
            batches.append(Batch("displacement", epsilon, n, parent, displaced))
    if stretched and options.stretched and not frames.periodic:
        parent = _parents(len(test), options.n_frames, rng)
        displaced = Stretcher(train).draw(test.select(parent), AugmentOptions(), rng)
        batches.append(Batch("stretch", None, None, parent, displaced))
    return StudyFrames(train, test, batches)


def _parents(n_frames: int, n_displaced_frames: int, rng: np.random.Generator) -> IntArray:
    """Return parents such that the numbers of times the frames occur differ by at most one."""
    rounds = -(-n_displaced_frames // n_frames)
    return np.concatenate([rng.permutation(n_frames) for _ in range(rounds)])[:n_displaced_frames]
