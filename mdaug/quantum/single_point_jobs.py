"""Single points of many geometries on several processes, each point computed once."""

import heapq
import multiprocessing
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import numpy as np
from ase import Atoms
from ase.units import Hartree

from mdaug.frames import IntArray
from mdaug.processes import one_thread_each
from mdaug.quantum.level import Level
from mdaug.quantum.mean_field import Bond
from mdaug.quantum.point_store import PointKind, PointStore, Record, point_key
from mdaug.quantum.single_point import PAIRED, core_correlation, guess_or_none, single_point

Job = tuple[Callable[..., Any], tuple[Any, ...]]
"""A function of a module and its arguments."""


class JobQueue:
    """Jobs with urgencies; a job that finishes may add others.

    Examples
    --------
    >>> queue = JobQueue()
    >>> queue.add((1,), (round, (2.5,)), lambda result: print(result))
    >>> queue.run(n_workers=1)  # doctest: +SKIP
    2
    """

    def __init__(self) -> None:
        self._ready: list[tuple[tuple, int, Job, Callable[[Any], None]]] = []
        self._n_added = 0

    def add(self, urgency: tuple, job: Job, done: Callable[[Any], None]) -> None:
        """Queue `job`, smaller urgency first; `done` gets its result in this process and may call `add`."""
        heapq.heappush(self._ready, (urgency, self._n_added, job, done))
        self._n_added += 1

    def run(self, n_workers: int) -> None:
        """Run all jobs, at most `n_workers` processes at once; with one worker, in this process.

        No more are handed out than can start at once, so the most urgent is always next.

        Raises
        ------
        Exception
            What a job raised; the other workers are stopped.
        """
        if n_workers == 1:
            while self._ready:
                _, _, (function, arguments), done = heapq.heappop(self._ready)
                done(function(*arguments))
            return
        with _pool(n_workers) as pool:
            running: dict[Future, Callable[[Any], None]] = {}
            while self._ready or running:
                while self._ready and len(running) < n_workers:
                    _, _, (function, arguments), done = heapq.heappop(self._ready)
                    running[pool.submit(function, *arguments)] = done
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    running.pop(future)(future.result())


@contextmanager
def _pool(n_workers: int) -> Iterator[ProcessPoolExecutor]:
    """Give a pool of single-threaded processes; after an error or an interrupt they are ended at once."""
    already_there = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(n_workers, multiprocessing.get_context("spawn"), initializer=_leave_interrupts)
    try:
        with one_thread_each():
            yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - already_there:
            process.terminate()
        raise


def _leave_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; only the parent acts on it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


Progress = Callable[[int, int], None]
"""Called with (points done, points in all)."""

WEIGHT_POWER = 4
"""Restricted CCSD(T) is the better one until a bond is nearly broken (docs/reference.md has the numbers)."""


@dataclass(frozen=True)
class SinglePointJob:
    """A geometry whose energy is wanted.

    Parameters
    ----------
    atoms
        The geometry.
    breaking
        Bonds that are breaking: an unrestricted solution is sought there.
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
class SinglePointResult:
    """What is known of a site: records of the store, None where not computed or not wanted.

    Parameters
    ----------
    core
        Of the core electrons' correlation, which is added to every energy; None where it is not wanted.
    breaking
        Whether a bond is breaking.
    """

    restricted: Record | None
    unrestricted: Record | None = None
    core: Record | None = None
    breaking: bool = False

    @property
    def energy_eV(self) -> float:
        """The restricted energy, going over to the unrestricted one as the spins part; NaN where unknown.

        E = (1 − w) E_restricted + w E_unrestricted with w = ⟨S²⟩⁴, at most 1: continuous
        where the broken-symmetry solution begins.
        """
        if not self.breaking:
            return self.restricted_eV if self.unrestricted is None else self.unrestricted_eV
        if self.spin_square < PAIRED:
            return self.restricted_eV
        weight = min(1.0, self.spin_square) ** WEIGHT_POWER
        if weight == 1.0:
            return self.unrestricted_eV
        return (1 - weight) * self.restricted_eV + weight * self.unrestricted_eV

    @property
    def restricted_eV(self) -> float:
        return _energy_eV(self.restricted, self.core)

    @property
    def unrestricted_eV(self) -> float:
        return _energy_eV(self.unrestricted, self.core)

    @property
    def spin_square(self) -> float:
        """⟨S²⟩ of the unrestricted solution, NaN where there is none."""
        return float((self.unrestricted or {}).get("spin_square", np.nan))

    @property
    def records(self) -> list[Record]:
        return [record for record in (self.restricted, self.unrestricted, self.core) if record is not None]


def compute(
    sites: Sequence[SinglePointJob],
    bonds: IntArray,
    level: Level,
    store: PointStore,
    *,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> list[SinglePointResult]:
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
    return [plan.energy(site) for site in sites]


def _energy_eV(record: Record | None, core: Record | None) -> float:
    energy, added = (record or {}).get("energy_Eh"), (core or {"energy_Eh": 0.0}).get("energy_Eh")
    return np.nan if energy is None or added is None else float(energy + added) * Hartree


def _kinds(site: SinglePointJob, level: Level) -> list[PointKind]:
    """Return what is to be computed of a site."""
    if level.multiplicity > 1:
        kinds: list[PointKind] = ["unrestricted"]
    else:
        kinds = ["restricted", "unrestricted"] if site.breaking else ["restricted"]
    return [*kinds, "core"] if level.adds_core else kinds


@dataclass
class _Plan:
    """Which jobs are left, and what follows from each."""

    sites: list[SinglePointJob]
    bonds: IntArray
    level: Level
    store: PointStore
    progress: Progress
    queue: JobQueue = field(default_factory=JobQueue)
    done: int = 0
    total: int = 0

    def energy(self, site: SinglePointJob) -> SinglePointResult:
        known = {
            kind: self.store.get(point_key(site.atoms, self.level, kind)) for kind in get_args(PointKind)
        }
        core = (known["core"] or {"energy_Eh": None}) if self.level.adds_core else None
        unrestricted = known["unrestricted"] if "unrestricted" in _kinds(site, self.level) else None
        return SinglePointResult(known["restricted"], unrestricted, core, bool(site.breaking))

    def run(self, n_workers: int) -> None:
        """Compute what the store does not hold."""
        wanted: dict[str, tuple[int, PointKind]] = {}
        for k, site in enumerate(self.sites):
            for kind in _kinds(site, self.level):
                wanted.setdefault(point_key(site.atoms, self.level, kind), (k, kind))
        if self._missing(wanted):
            with self.store.writing() as self._add:
                self._queue(self._missing(wanted))
                self.queue.run(n_workers)

    def _missing(self, wanted: dict[str, tuple[int, PointKind]]) -> dict[str, tuple[int, PointKind]]:
        missing = {key: point for key, point in wanted.items() if self.store.get(key) is None}
        self.total = len(wanted)
        self.done = self.total - len(missing)
        self.progress(self.done, self.total)
        return missing

    def _queue(self, missing: dict[str, tuple[int, PointKind]]) -> None:
        self._wanted_guesses = {k: key for key, (k, kind) in missing.items() if kind == "unrestricted"}
        self._followers = self._needed_followers()
        for key, (k, kind) in missing.items():
            if kind != "unrestricted":
                self._add_point(k, key, kind)
        for k in self._followers[None]:
            self._add_guess(k, None)

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
            self._add_point(k, self._wanted_guesses[k], "unrestricted", guess)
        for follower in self._followers[k]:
            self._add_guess(follower, guess)

    def _add_point(self, k: int, key: str, kind: PointKind, guess: Any = None) -> None:
        site = self.sites[k]
        jobs: dict[PointKind, Callable[..., Record]] = {
            "restricted": partial(single_point, unrestricted=False),
            "unrestricted": partial(single_point, unrestricted=True, guess=guess),
            "core": core_correlation,
        }
        # the core takes seconds and completes points of earlier runs, so it comes early
        self.queue.add(
            (site.scan, kind != "core", k),
            (jobs[kind], (site.atoms, self.level)),
            partial(self._computed, key),
        )

    def _computed(self, key: str, record: Record) -> None:
        self._add(key, record)
        self.done += 1
        self.progress(self.done, self.total)
