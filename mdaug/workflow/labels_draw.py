"""What a label study looks at: training frames for the rules, displaced copies of test frames."""

from dataclasses import dataclass, replace
from typing import Annotated

import numpy as np
from cyclopts import Parameter
from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from mdaug.augment import LABEL_RULES, AugmentOptions
from mdaug.augment.displacements import Displacements, displace, shortest_distances
from mdaug.augment.stretch import Stretcher
from mdaug.errors import DataError
from mdaug.frames import FrameSet, split_frames
from mdaug.frames.frame_set import FloatArray, IntArray
from mdaug.frames.splits import SplitOptions
from mdaug.options import Options
from mdaug.springs.springs import LOOKUPS


class LabelStudyOptions(Options):
    """Which rules are measured, on which displacements."""

    rules: Annotated[tuple[str, ...], Parameter(consume_multiple=True)] = (
        "isotropic",
        "signed",
        "projected",
        "gradient",
        "matched",
    )
    """Label rules; a look-up other than the nearest spring as isotropic:linear or gradient:responsibility."""

    epsilons: Annotated[tuple[PositiveFloat, ...], Parameter(consume_multiple=True)] = (0.05, 0.2, 0.5)
    """Longest displacements, Å."""

    displaced: Annotated[tuple[PositiveInt, ...], Parameter(consume_multiple=True)] = ()
    """Atoms displaced at once [default: 1 and all]."""

    copies: Annotated[int, Field(ge=1)] = 200
    """Copies for each ε and number of atoms, and with a bond stretched."""

    stretched: bool = True
    """Measure stretched bonds too (only where the reference is the data's own level)."""

    seed: int = 0
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
        ``atoms`` or ``bond``.
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
    """Rules are made from `train`; parents are of `test` only."""

    train: FrameSet
    test: FrameSet
    batches: list[Batch]

    @property
    def geometries(self) -> FloatArray:
        """The positions (n, n_atoms, 3) that a reference is needed of: the test frames, then all copies."""
        return np.concatenate([self.test.positions, *(batch.positions for batch in self.batches)])

    def as_frames(self) -> FrameSet:
        """Return `geometries` as frames, those of the copies with their parents' energies and forces."""
        index = np.concatenate([np.arange(len(self.test)), *(batch.parent for batch in self.batches)])
        return replace(self.test.select(index), positions=self.geometries)

    def first_copy(self, batch: Batch) -> int:
        """Return which of `geometries` the first copy of a batch is."""
        before = self.batches[: self.batches.index(batch)]
        return len(self.test) + sum(len(one.parent) for one in before)


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
    rng = np.random.default_rng(options.seed)
    batches = []
    for epsilon in options.epsilons:
        for n in options.displaced or (1, frames.n_atoms):
            draw = AugmentOptions(epsilon=epsilon, n_displaced=n)
            parent = _parents(len(test), options.copies, rng)
            displaced = displace(test.select(parent), shortest_distances(train, draw), draw, rng)
            batches.append(Batch("atoms", epsilon, n, parent, displaced))
    if stretched and options.stretched and not frames.periodic:
        parent = _parents(len(test), options.copies, rng)
        displaced = Stretcher(train).draw(test.select(parent), AugmentOptions(), rng)
        batches.append(Batch("bond", None, None, parent, displaced))
    return StudyFrames(train, test, batches)


def _parents(n_frames: int, n_copies: int, rng: np.random.Generator) -> IntArray:
    """Return parents, each frame as often as any other, give or take one."""
    rounds = -(-n_copies // n_frames)
    return np.concatenate([rng.permutation(n_frames) for _ in range(rounds)])[:n_copies]
