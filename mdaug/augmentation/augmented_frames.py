"""The three kinds of labelled copies of some frames."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np

from mdaug.augmentation.displacements import (
    ATTEMPTS,
    Displacements,
    displace,
    draw_parents,
    least_contacts,
    shortest_distances,
)
from mdaug.augmentation.impulses import PotentialRule, apply_impulses
from mdaug.augmentation.label_rules import LabelRule
from mdaug.augmentation.options import AugmentOptions
from mdaug.augmentation.spring_labels import Labels
from mdaug.augmentation.stretches import Stretcher
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray
from mdaug.geometry.bonds import BoolArray
from mdaug.springs.distances import blocks
from mdaug.units import EV_PER_KCAL_MOL

IMPULSE_ATTEMPTS = 20
"""Impulses drawn for a frame before its augmented frame is left out."""


@runtime_checkable
class Judge(Protocol):
    """A rule that does not know everything."""

    @property
    def left_bonds(self) -> list[tuple[int, int]]:
        """Bonds that are not to be stretched."""
        ...

    def knows(self, displaced: Displacements) -> BoolArray:
        """Tell which copies (n_copies,) it may label."""
        ...


class Copies(NamedTuple):
    """Labelled copies: their parents' indices, displacements and labels."""

    parent: IntArray
    displacements: FloatArray
    labels: Labels


@dataclass(frozen=True)
class CopyMaker:
    """Makes copies of `frames` and labels them by `rule`, in parts."""

    frames: FrameSet
    rule: LabelRule
    options: AugmentOptions
    rng: np.random.Generator

    @property
    def n_pairs(self) -> int:
        """Of atoms in a frame."""
        return self.frames.n_atoms * (self.frames.n_atoms - 1) // 2

    @cached_property
    def contacts(self) -> FloatArray | None:
        """The least distances between molecules; None for one."""
        return least_contacts(self.frames)

    def displaced(self) -> list[Copies]:
        """Make the copies with atoms displaced at random, block by block."""
        parent = draw_parents(len(self.frames), self.options, self.rng)
        shortest = shortest_distances(self.frames, self.options)
        contacts = self.contacts if self.options.min_distance_fraction else None
        made = []
        for block in blocks(len(parent), self.n_pairs):
            displaced = displace(
                self.frames.select(parent[block]), shortest, self.options, self.rng, contacts
            )
            known = self._known(displaced)
            labels = _some(self.rule(displaced), known)
            made.append(Copies(parent[block][known], displaced.displacements[known], labels))
        return made

    def stretched(self) -> list[Copies]:
        """Make the copies with a bond stretched, drawn again where their labels are too high.

        None, with a warning, where frames have no bond that can be stretched but other copies are made.
        """
        options, name = self.options, self.frames.name
        if options.n_stretched == 0:
            return []
        try:
            left = self.rule.left_bonds if isinstance(self.rule, Judge) else ()
            stretcher = Stretcher(self.frames, left)
        except DataError as error:
            if options.n_frames == 0:
                raise
            warnings.warn(f"no stretched copies: {error}", stacklevel=3)
            return []

        def draw(parents: FrameSet) -> Displacements:
            return stretcher.draw(parents, options, self.rng)

        made, n_left = self._until_good(options.n_stretched, draw, ATTEMPTS)
        if n_left:
            raise DataError(
                f"{name}: in {ATTEMPTS} draws rule {options.rule!r} labelled every stretch of a frame "
                f"more than {options.max_energy:g} kcal/mol above it; give a narrower "
                "--stretch-range or a higher --max-energy"
            )
        return made

    def with_impulses(self) -> list[Copies]:
        """Make the frames that follow an impulse; none where the rule has no potential that moves atoms.

        A potential may have holes that the frames could not close: copies below all frames by more than these
        differ are drawn again, as are those that are too high.
        """
        options, mover, energies = self.options, self.rule, self.frames.energies
        if options.n_impulses == 0 or not isinstance(mover, PotentialRule):
            return []

        def draw(parents: FrameSet) -> Displacements:
            return Displacements.of(
                parents, apply_impulses(parents, mover, options, self.rng), options.cutoff
            )

        lowest = energies.min() - np.ptp(energies)
        made, n_left = self._until_good(options.n_impulses, draw, IMPULSE_ATTEMPTS, lowest)
        if n_left:
            warnings.warn(
                f"{self.frames.name}: {n_left} of {options.n_impulses} impulse frames are left out; each of "
                f"{IMPULSE_ATTEMPTS} impulses ended too high (--max-energy) or below all frames",
                stacklevel=3,
            )
        return made

    def _until_good(
        self, n_copies: int, draw: Callable[[FrameSet], Displacements], attempts: int, lowest: float = -np.inf
    ) -> tuple[list[Copies], int]:
        """Draw copies, again where labelled over `max_energy` or to less than `lowest` (eV), or with contacts
        closer than allowed.

        All frames take their turns as parents. Returns the copies, and how many never were good.
        """
        rounds = -(-n_copies // len(self.frames))
        turns = [self.rng.permutation(len(self.frames)) for _ in range(rounds)]
        parent = np.concatenate(turns)[:n_copies]
        made: list[Copies] = []
        for _ in range(attempts):
            left = []
            for block in blocks(len(parent), self.n_pairs):
                displaced = draw(self.frames.select(parent[block]))
                labels = self.rule(displaced)
                good = labels.energy_change <= self.options.max_energy * EV_PER_KCAL_MOL
                good &= displaced.parents.energies + labels.energy_change >= lowest
                good &= self._may_be(displaced)
                made.append(Copies(parent[block][good], displaced.displacements[good], _some(labels, good)))
                left.append(parent[block][~good])
            parent = np.concatenate(left)
            if not len(parent):
                break
        return made, len(parent)

    def _may_be(self, displaced: Displacements) -> BoolArray:
        """Tell which copies have no contacts closer than allowed, and no bond that the rule does not know."""
        known = self._known(displaced)
        if self.contacts is None:
            return known
        apart = np.linalg.norm(displaced.displaced_vectors, axis=-1) >= self.contacts
        return known & apart.all(axis=1)

    def _known(self, displaced: Displacements) -> BoolArray:
        everything = np.ones(len(displaced.parents), dtype=bool)
        return self.rule.knows(displaced) if isinstance(self.rule, Judge) else everything


def count(parts: list[Copies]) -> int:
    """Return the number of copies in all parts."""
    return sum(len(part.parent) for part in parts)


def joined(parts: list[Copies]) -> Copies:
    """Return all parts as one."""
    labels = [part.labels for part in parts]
    errors = [label.force_error for label in labels if label.force_error is not None]
    return Copies(
        np.concatenate([part.parent for part in parts]),
        np.concatenate([part.displacements for part in parts]),
        Labels(
            np.concatenate([label.energy_change for label in labels]),
            np.concatenate([label.forces for label in labels]),
            np.concatenate(errors) if errors else None,
        ),
    )


def _some(labels: Labels, chosen: np.ndarray) -> Labels:
    error = None if labels.force_error is None else labels.force_error[chosen]
    return Labels(labels.energy_change[chosen], labels.forces[chosen], error)
