"""What a label study looks at: training frames for the rules, displaced copies of test frames."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mdaug.augmentation import LABEL_RULES, AugmentOptions
from mdaug.augmentation.displacements import Displacements, displace, shortest_distances
from mdaug.augmentation.stretches import Stretcher
from mdaug.data import split_frames
from mdaug.data.splits import SplitOptions
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.options import Options, Positive, Seed
from mdaug.springs.springs import LOOKUPS


class LabelStudyOptions(Options):
    """Which rules are measured, on which displacements."""

    rules: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (
        "isotropic",
        "signed",
        "projected",
        "gradient",
        "force-matched",
    )
    """Label rules; a look-up other than the nearest spring as isotropic:linear or gradient:responsibility."""

    epsilons: Annotated[tuple[PositiveFloat, ...], Parameter(consume_multiple=True)] = (0.05, 0.2, 0.5)
    """Longest displacements, Å."""

    displaced: Annotated[tuple[PositiveInt, ...], Parameter(consume_multiple=True)] = ()
    """Atoms displaced at once [default: 1 and all]."""

    copies: Positive = 200
    """Copies for each ε and number of atoms, and with a bond stretched."""

    parents: Annotated[int, Field(ge=2)] | None = None
    """How many test frames are displaced, the same for every cell [default: all]."""

    stretched: bool = True
    """Measure stretched bonds too (only where the reference is the data's own level)."""

    seed: Seed = 0
    """Of the split and of the displacements."""

    @field_validator("rules")
    @classmethod
    def _known(cls, rules: tuple[str, ...]) -> tuple[str, ...]:
        for rule in rules:
            name, _, lookup = rule.partition(":")
            if name not in LABEL_RULES or (lookup and lookup not in LOOKUPS):
                known = f"{', '.join(LABEL_RULES)}, with look-ups {', '.join(LOOKUPS)} as gradient:linear"
                raise ValueError(f"no label rule {rule!r}; the rules are {known}")
        return rules


@dataclass(frozen=True)
class Batch:
    """Copies of test frames, displaced in one way.

    Parameters
    ----------
    kind
        ``displacement`` or ``stretch``.
    epsilon_A, n_displaced
        Of random displacements, else None.
    parent
        Shape (n_copies,): indices of the test frames.
    displaced
        The copies.
    """

    kind: str
    epsilon_A: float | None
    n_displaced: int | None
    parent: IntArray
    displaced: Displacements

    @property
    def positions(self) -> FloatArray:
        return self.displaced.parents.positions + self.displaced.displacements


@dataclass(frozen=True)
class StudyFrames:
    """Rules are made from `train`; parents are all frames of `test`; batches have as many copies each."""

    train: FrameSet
    test: FrameSet
    batches: list[Batch]

    @property
    def geometries(self) -> FloatArray:
        """The positions (n, n_atoms, 3) that a reference is needed of: parents, then a copy of each batch in
        turn."""
        return self._in_order(self.test.positions, [batch.positions for batch in self.batches])

    def as_frames(self, energies: FloatArray, forces: FloatArray) -> FrameSet:
        """Return those of `geometries` whose energies (eV) and forces (eV/Å) are known as frames."""
        index = self._in_order(np.arange(len(self.test)), [batch.parent for batch in self.batches])
        frames = replace(self.test.select(index), positions=self.geometries, energies=energies, forces=forces)
        return frames.select(np.flatnonzero(np.isfinite(energies)))

    def copies_of(self, batch: Batch) -> slice:
        """Return which of `geometries` are the copies of a batch."""
        return slice(len(self.test) + self.batches.index(batch), None, len(self.batches))

    @staticmethod
    def _in_order(of_parents: np.ndarray, of_batches: list[np.ndarray]) -> np.ndarray:
        """Join: batches take turns, so that a reference that was cut short knows as many copies of each."""
        return np.concatenate([of_parents, *np.stack(of_batches, axis=1)])


def draw_study(frames: FrameSet, options: LabelStudyOptions, *, stretched: bool) -> StudyFrames:
    """Split `frames` as `mdaug train` does and draw all displacements of a study.

    Raises
    ------
    DataError
        If no frame is left for the test, or the displacements cannot be drawn.
    """
    split = split_frames(frames, SplitOptions(seed=options.seed))
    train, test = frames.select(split.train), frames.select(split.test)
    if len(test) < 2:
        raise DataError(f"{frames.name}: {len(test)} test frame(s) of {len(frames)}; give at least 20 frames")
    test = test.select(np.arange(min(len(test), options.parents or len(test))))
    rng = np.random.default_rng(options.seed)
    batches = []
    for epsilon in options.epsilons:
        for n in options.displaced or (1, frames.n_atoms):
            draw = AugmentOptions(epsilon=epsilon, n_displaced=n)
            parent = _parents(len(test), options.copies, rng)
            displaced = displace(test.select(parent), shortest_distances(train, draw), draw, rng)
            batches.append(Batch("displacement", epsilon, n, parent, displaced))
    if stretched and options.stretched and not frames.periodic:
        parent = _parents(len(test), options.copies, rng)
        displaced = Stretcher(train).draw(test.select(parent), AugmentOptions(), rng)
        batches.append(Batch("stretch", None, None, parent, displaced))
    return StudyFrames(train, test, batches)


def _parents(n_frames: int, n_copies: int, rng: np.random.Generator) -> IntArray:
    """Return parents, each frame as often as any other, give or take one."""
    rounds = -(-n_copies // n_frames)
    return np.concatenate([rng.permutation(n_frames) for _ in range(rounds)])[:n_copies]
