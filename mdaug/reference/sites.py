"""Energies of many geometries: stored ones read, equal ones computed once, chains of guesses followed."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from ase import Atoms
from ase.units import Hartree

from mdaug.frames.frame_set import IntArray
from mdaug.reference.broken_symmetry import Bond
from mdaug.reference.keys import point_key
from mdaug.reference.level import Level
from mdaug.reference.single_point import guess_or_none, single_point
from mdaug.reference.store import PointStore, Record
from mdaug.reference.workers import JobQueue

Progress = Callable[[int, int], None]
"""Called with (points done, points in all)."""


@dataclass(frozen=True)
class Site:
    """A geometry whose energy is wanted.

    Parameters
    ----------
    atoms
        The geometry.
    breaking
        Bonds that are breaking: then the energy is the unrestricted one.
    follows
        Position, in the list of sites, of the neighbour further out whose unrestricted solution is the
        first guess here; None: a new guess is made.
    scan
        Number of the scan; earlier scans are computed first.
    """

    atoms: Atoms
    breaking: tuple[Bond, ...] = ()
    follows: int | None = None
    scan: int = 0


@dataclass(frozen=True)
class SiteEnergy:
    """What is known of a site: records of the store, None where not computed or not wanted."""

    restricted: Record | None
    unrestricted: Record | None
    breaking: bool

    @property
    def energy_eV(self) -> float:
        """The unrestricted energy where a bond breaks, else the restricted one; NaN where unknown."""
        return self.unrestricted_eV if self.breaking else self.restricted_eV

    @property
    def restricted_eV(self) -> float:
        return _energy_eV(self.restricted)

    @property
    def unrestricted_eV(self) -> float:
        return _energy_eV(self.unrestricted)

    @property
    def spin_square(self) -> float:
        """⟨S²⟩ of the unrestricted solution, NaN where there is none."""
        return float((self.unrestricted or {}).get("spin_square", np.nan))

    @property
    def record(self) -> Record | None:
        return self.unrestricted if self.breaking else self.restricted


def compute(
    sites: Sequence[Site],
    bonds: IntArray,
    level: Level,
    store: PointStore,
    *,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> list[SiteEnergy]:
    """Return the energies of `sites`; each is in `store` as soon as it is known.

    A breaking site gets both energies: the difference shows how far either is to be trusted.

    Parameters
    ----------
    bonds
        Bonds of the molecule, shape (n_bonds, 2).
    n_workers
        Processes of one thread each; 0 computes nothing and returns what the store holds.
    """
    plan = _Plan(list(sites), bonds, level, store, progress or (lambda _done, _total: None))
    if n_workers:
        plan.run(n_workers)
    return [
        SiteEnergy(
            store.get(point_key(site.atoms, level, unrestricted=False)),
            store.get(point_key(site.atoms, level, unrestricted=True)),
            breaking=_unrestricted(site, level),
        )
        for site in sites
    ]


def _unrestricted(site: Site, level: Level) -> bool:
    return bool(site.breaking) or level.multiplicity > 1


def _energy_eV(record: Record | None) -> float:
    energy = (record or {}).get("energy_Eh")
    return np.nan if energy is None else float(energy) * Hartree


@dataclass
class _Plan:
    """Which jobs are left, and what follows from each."""

    sites: list[Site]
    bonds: IntArray
    level: Level
    store: PointStore
    progress: Progress
    queue: JobQueue = field(default_factory=JobQueue)
    done: int = 0
    total: int = 0

    def run(self, n_workers: int) -> None:
        wanted: dict[str, tuple[int, bool]] = {}
        for k, site in enumerate(self.sites):
            unrestricted = _unrestricted(site, self.level)
            kinds = {unrestricted, self.level.multiplicity > 1}
            for kind in kinds:
                wanted.setdefault(point_key(site.atoms, self.level, unrestricted=kind), (k, kind))
        self.total = len(wanted)
        missing = {key: point for key, point in wanted.items() if self.store.get(key) is None}
        self.done = self.total - len(missing)
        self.progress(self.done, self.total)
        self._wanted_guesses = {k: key for key, (k, unrestricted) in missing.items() if unrestricted}
        self._followers = self._needed_followers()
        for key, (k, unrestricted) in missing.items():
            if not unrestricted:
                self._add_point(k, key, unrestricted=False)
        for k in self._followers[None]:
            self._add_guess(k, None)
        self.queue.run(n_workers)

    def _needed_followers(self) -> dict[int | None, list[int]]:
        """Return, for each site (None: for none), those that start from it on the way to missing points."""
        needed: set[int] = set()
        for k in self._wanted_guesses:
            link: int | None = k
            while link is not None and link not in needed:
                needed.add(link)
                link = self.sites[link].follows
        followers: dict[int | None, list[int]] = defaultdict(list)
        for k in sorted(needed):
            followers[self.sites[k].follows].append(k)
        return followers

    def _add_guess(self, k: int, start: Any) -> None:
        site = self.sites[k]
        job = (guess_or_none, (site.atoms, self.level, self.bonds, site.breaking, start))
        self.queue.add((site.scan, 0, k), job, partial(self._guessed, k))

    def _guessed(self, k: int, guess: Any) -> None:
        if k in self._wanted_guesses:
            self._add_point(k, self._wanted_guesses[k], unrestricted=True, guess=guess)
        for follower in self._followers[k]:
            self._add_guess(follower, guess)

    def _add_point(self, k: int, key: str, *, unrestricted: bool, guess: Any = None) -> None:
        site = self.sites[k]
        job = partial(single_point, unrestricted=unrestricted, guess=guess), (site.atoms, self.level)
        self.queue.add((site.scan, 1, k), job, partial(self._computed, key))

    def _computed(self, key: str, record: Record) -> None:
        self.store.add(key, record)
        self.done += 1
        self.progress(self.done, self.total)
