"""The three kinds of augmented frames: displacements, stretches and impulses, with labels."""

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
"""Impulses drawn for a parent before its augmented frame is left out."""


@runtime_checkable
class LimitedRule(Protocol):
    """A label rule that is valid for some displacements only."""

    @property
    def excluded_bonds(self) -> list[tuple[int, int]]:
        """Bonds that must not be stretched."""
        ...

    def covers(self, displaced: Displacements) -> BoolArray:
        """Return which displaced frames it can label, shape (n_frames,)."""
        ...


class AugmentedBatch(NamedTuple):
    """Several augmented frames.

    Parameters
    ----------
    parent
        Indices of the parents, shape (n_frames,).
    displacements
        Δr, Å, shape (n_frames, n_atoms, 3).
    labels
        Energies and forces.
    """

    parent: IntArray
    displacements: FloatArray
    labels: Labels


@dataclass(frozen=True)
class AugmentedFrameMaker:
    """Makes labeled augmented frames, in batches.

    Parameters
    ----------
    frames
        The parents.
    rule
        Returns the labels of displaced frames.
    options
        Numbers and sizes of the displacements.
    rng
        Random numbers.
    """

    frames: FrameSet
    rule: LabelRule
    options: AugmentOptions
    rng: np.random.Generator

    @property
    def n_pairs(self) -> int:
        """Number of pairs of atoms in a frame."""
        return self.frames.n_atoms * (self.frames.n_atoms - 1) // 2

    @cached_property
    def contacts(self) -> FloatArray | None:
        """Least distances of atoms of different molecules; None for one molecule."""
        return least_contacts(self.frames)

    def displaced(self) -> list[AugmentedBatch]:
        """Return the frames with atoms displaced at random."""
        parent = draw_parents(len(self.frames), self.options, self.rng)
        shortest = shortest_distances(self.frames, self.options)
        contacts = self.contacts if self.options.min_distance_fraction else None
        made = []
        for block in blocks(len(parent), self.n_pairs):
            displaced = displace(
                self.frames.select(parent[block]), shortest, self.options, self.rng, contacts
            )
            valid = self._covered(displaced)
            labels = _selected(self.rule(displaced), valid)
            made.append(AugmentedBatch(parent[block][valid], displaced.displacements[valid], labels))
        return made

    def stretched(self) -> list[AugmentedBatch]:
        """Return the frames with a bond stretched, drawn again where their energies are too high.

        None, with a warning, if no bond can be stretched and other kinds are made.

        Raises
        ------
        DataError
            If no bond can be stretched and no other kind is made, or every stretch of a frame is too high.
        """
        options, name = self.options, self.frames.name
        if not options.n_stretched:
            return []
        try:
            excluded = self.rule.excluded_bonds if isinstance(self.rule, LimitedRule) else ()
            stretcher = Stretcher(self.frames, excluded)
        except DataError as error:
            if options.n_frames == 0:
                raise
            warnings.warn(f"no stretched frames: {error}", stacklevel=3)
            return []

        def draw(parents: FrameSet) -> Displacements:
            return stretcher.draw(parents, options, self.rng)

        made, n_missing = self._until_good(options.n_stretched or 0, draw, ATTEMPTS)
        if n_missing:
            raise DataError(
                f"{name}: in {ATTEMPTS} draws rule {options.rule!r} labeled every stretch of a frame "
                f"more than {options.max_energy:g} kcal/mol above it; give a narrower "
                "--stretch-range or a higher --max-energy"
            )
        return made

    def with_impulses(self) -> list[AugmentedBatch]:
        """Return the frames after an impulse; none if the rule has no potential.

        Frames that are too high are drawn again, as are those below all parents by more than the range of
        the parents' energies (a spurious minimum of the potential).
        """
        options, rule, energies = self.options, self.rule, self.frames.energies
        if not options.n_impulses or not isinstance(rule, PotentialRule):
            return []

        def draw(parents: FrameSet) -> Displacements:
            return Displacements.of(parents, apply_impulses(parents, rule, options, self.rng), options.cutoff)

        lowest = energies.min() - np.ptp(energies)
        made, n_missing = self._until_good(options.n_impulses, draw, IMPULSE_ATTEMPTS, lowest)
        if n_missing:
            warnings.warn(
                f"{self.frames.name}: {n_missing} of {options.n_impulses} impulse frames are left out; each "
                f"of {IMPULSE_ATTEMPTS} impulses ended too high (--max-energy) or below all frames",
                stacklevel=3,
            )
        return made

    def _until_good(
        self, n_frames: int, draw: Callable[[FrameSet], Displacements], attempts: int, lowest: float = -np.inf
    ) -> tuple[list[AugmentedBatch], int]:
        """Return augmented frames, and how many could not be made in `attempts` draws.

        Drawn again are frames that rise by more than `max_energy` or fall below `lowest` (eV), that have too
        close contacts, or that the rule does not cover. All frames are parents equally often.
        """
        rounds = -(-n_frames // len(self.frames))
        turns = [self.rng.permutation(len(self.frames)) for _ in range(rounds)]
        parent = np.concatenate(turns)[:n_frames]
        made: list[AugmentedBatch] = []
        for _ in range(attempts):
            rejected = []
            for block in blocks(len(parent), self.n_pairs):
                displaced = draw(self.frames.select(parent[block]))
                labels = self.rule(displaced)
                good = labels.energy_change <= self.options.max_energy * EV_PER_KCAL_MOL
                good &= displaced.parents.energies + labels.energy_change >= lowest
                good &= self._allowed(displaced)
                made.append(
                    AugmentedBatch(
                        parent[block][good], displaced.displacements[good], _selected(labels, good)
                    )
                )
                rejected.append(parent[block][~good])
            parent = np.concatenate(rejected)
            if not len(parent):
                break
        return made, len(parent)

    def _allowed(self, displaced: Displacements) -> BoolArray:
        """Return which frames the rule covers and whose molecules keep their distance."""
        covered = self._covered(displaced)
        if self.contacts is None:
            return covered
        distant = np.linalg.norm(displaced.displaced_vectors, axis=-1) >= self.contacts
        return covered & distant.all(axis=1)

    def _covered(self, displaced: Displacements) -> BoolArray:
        every = np.ones(len(displaced.parents), dtype=bool)
        return self.rule.covers(displaced) if isinstance(self.rule, LimitedRule) else every


def count(batches: list[AugmentedBatch]) -> int:
    """Return the number of frames in all batches."""
    return sum(len(batch.parent) for batch in batches)


def joined(batches: list[AugmentedBatch]) -> AugmentedBatch:
    """Return all batches as one."""
    labels = [batch.labels for batch in batches]
    errors = [label.force_error for label in labels if label.force_error is not None]
    return AugmentedBatch(
        np.concatenate([batch.parent for batch in batches]),
        np.concatenate([batch.displacements for batch in batches]),
        Labels(
            np.concatenate([label.energy_change for label in labels]),
            np.concatenate([label.forces for label in labels]),
            np.concatenate(errors) if errors else None,
        ),
    )


def _selected(labels: Labels, chosen: np.ndarray) -> Labels:
    error = None if labels.force_error is None else labels.force_error[chosen]
    return Labels(labels.energy_change[chosen], labels.forces[chosen], error)
