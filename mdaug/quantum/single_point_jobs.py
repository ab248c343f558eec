"""Single points of many geometries by several processes; each point is computed once."""

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

Call = tuple[Callable[..., Any], tuple[Any, ...]]
"""A module-level function (which other processes can import) and its arguments."""

Priority = tuple[int, ...]
"""Priority of a call; smaller ones run first."""


class JobQueue:
    """Queue of function calls with priorities; a finished call may add others.

    Examples
    --------
    >>> queue = JobQueue()
    >>> queue.add((1,), (round, (2.5,)), lambda result: print(result))
    >>> queue.run(n_workers=1)  # doctest: +SKIP
    2
    """

    def __init__(self) -> None:
        self._ready: list[tuple[Priority, int, Call, Callable[[Any], None]]] = []
        self._n_added = 0

    def add(self, priority: Priority, call: Call, done: Callable[[Any], None]) -> None:
        """Add a call.

        Parameters
        ----------
        priority
            Calls of smaller priority run first.
        call
            Function and arguments.
        done
            Called with the result, in this process; may add calls.
        """
        heapq.heappush(self._ready, (priority, self._n_added, call, done))
        self._n_added += 1

    def run(self, n_workers: int) -> None:
        """Run all calls.

        Parameters
        ----------
        n_workers
            Number of processes, each with one thread; with 1 all calls run in this process. No more calls are
            submitted than processes are idle, so that the order of priorities holds.

        Raises
        ------
        Exception
            The exception of a call; the other processes are terminated.
        """
        if n_workers == 1:
            while self._ready:
                _, _, (function, arguments), done = heapq.heappop(self._ready)
                done(function(*arguments))
            return
        with _pool(n_workers) as pool:
            running: dict[Future[Any], Callable[[Any], None]] = {}
            while self._ready or running:
                while self._ready and len(running) < n_workers:
                    _, _, (function, arguments), done = heapq.heappop(self._ready)
                    running[pool.submit(function, *arguments)] = done
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    running.pop(future)(future.result())


@contextmanager
def _pool(n_workers: int) -> Iterator[ProcessPoolExecutor]:
    """Provide a pool of single-threaded processes; after an error or an interrupt they are terminated."""
    other_processes = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        n_workers, multiprocessing.get_context("spawn"), initializer=_ignore_interrupts
    )
    try:
        with one_thread_each():
            yield pool
        pool.shutdown()
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - other_processes:
            process.terminate()
        raise


def _ignore_interrupts() -> None:
    """Ignore Ctrl-C, which the terminal sends to every process; only the parent handles it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


Progress = Callable[[int, int], None]
"""Called with (points done, points in all)."""

WEIGHT_POWER = 4
"""Restricted CCSD(T) is more accurate than unrestricted until a bond is nearly broken (docs/reference.md)."""


@dataclass(frozen=True)
class SinglePointJob:
    """A geometry whose energy is to be computed.

    Parameters
    ----------
    atoms
        The geometry.
    breaking
        Bonds that are breaking, which need an unrestricted solution.
    follows
        Index, in the list of jobs, of the next geometry at larger distance, whose unrestricted solution is
        the initial guess; None for a new guess.
    scan
        Number of the scan; earlier scans are computed first.
    """

    atoms: Atoms
    breaking: tuple[Bond, ...] = ()
    follows: int | None = None
    scan: int = 0


@dataclass(frozen=True)
class SinglePointResult:
    """The result of a job: records of the store, None where not computed or not needed.

    Parameters
    ----------
    restricted, unrestricted
        Records of the total energies.
    core
        Record of the core electrons' correlation, which is added to every energy; None if it is not needed.
    breaking
        Whether a bond is breaking.
    """

    restricted: Record | None
    unrestricted: Record | None = None
    core: Record | None = None
    breaking: bool = False

    @property
    def energy_eV(self) -> float:
        """Energy, interpolated from restricted to unrestricted as the spins of a bond separate; NaN if
        unknown.

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
        """Restricted energy with core correlation; NaN if unknown."""
        return _energy_eV(self.restricted, self.core)

    @property
    def unrestricted_eV(self) -> float:
        """Unrestricted energy with core correlation; NaN if unknown."""
        return _energy_eV(self.unrestricted, self.core)

    @property
    def spin_square(self) -> float:
        """⟨S²⟩ of the unrestricted solution, NaN where there is none."""
        return float((self.unrestricted or {}).get("spin_square", np.nan))

    @property
    def records(self) -> list[Record]:
        """The records that exist."""
        return [record for record in (self.restricted, self.unrestricted, self.core) if record is not None]


def compute(
    jobs: Sequence[SinglePointJob],
    bonds: IntArray,
    level: Level,
    store: PointStore,
    *,
    n_workers: int = 1,
    progress: Progress | None = None,
) -> list[SinglePointResult]:
    """Return the energies of many geometries; each is stored as soon as it is computed.

    Where a bond breaks, both the restricted and the unrestricted energy are computed; their difference
    measures the error of both.

    Parameters
    ----------
    jobs
        The geometries.
    bonds
        Bonds of the molecule, shape (n_bonds, 2).
    n_workers
        Processes of one thread each; 0 computes nothing and returns what the store contains.
    level
        Level of theory.
    store
        Store of finished points; those it contains are not computed again.
    progress
        Called with (points done, points in all).

    Returns
    -------
    results
        One for each job.

    Raises
    ------
    BusyError
        Another process is writing to the store.
    """
    plan = _Plan(list(jobs), bonds, level, store, progress or (lambda _done, _total: None))
    if n_workers:
        plan.run(n_workers)
    return [plan.result(job) for job in jobs]


def _energy_eV(record: Record | None, core: Record | None) -> float:
    energy, added = (record or {}).get("energy_Eh"), (core or {"energy_Eh": 0.0}).get("energy_Eh")
    return np.nan if energy is None or added is None else float(energy + added) * Hartree


def _kinds(job: SinglePointJob, level: Level) -> list[PointKind]:
    """Return the kinds of records that a job needs."""
    if level.multiplicity > 1:
        kinds: list[PointKind] = ["unrestricted"]
    else:
        kinds = ["restricted", "unrestricted"] if job.breaking else ["restricted"]
    return [*kinds, "core"] if level.adds_core else kinds


@dataclass
class _Plan:
    """Records that are missing, and the order in which they are computed."""

    jobs: list[SinglePointJob]
    bonds: IntArray
    level: Level
    store: PointStore
    progress: Progress
    queue: JobQueue = field(default_factory=JobQueue)
    done: int = 0
    total: int = 0

    def result(self, job: SinglePointJob) -> SinglePointResult:
        records = {
            kind: self.store.get(point_key(job.atoms, self.level, kind)) for kind in get_args(PointKind)
        }
        core = (records["core"] or {"energy_Eh": None}) if self.level.adds_core else None
        unrestricted = records["unrestricted"] if "unrestricted" in _kinds(job, self.level) else None
        return SinglePointResult(records["restricted"], unrestricted, core, bool(job.breaking))

    def run(self, n_workers: int) -> None:
        """Compute the records that the store does not contain."""
        needed: dict[str, tuple[int, PointKind]] = {}
        for k, job in enumerate(self.jobs):
            for kind in _kinds(job, self.level):
                needed.setdefault(point_key(job.atoms, self.level, kind), (k, kind))
        if self._missing(needed):
            with self.store.writing() as self._add:
                self._queue(self._missing(needed))
                self.queue.run(n_workers)

    def _missing(self, needed: dict[str, tuple[int, PointKind]]) -> dict[str, tuple[int, PointKind]]:
        missing = {key: point for key, point in needed.items() if self.store.get(key) is None}
        self.total = len(needed)
        self.done = self.total - len(missing)
        self.progress(self.done, self.total)
        return missing

    def _queue(self, missing: dict[str, tuple[int, PointKind]]) -> None:
        self._key_of_guess = {k: key for key, (k, kind) in missing.items() if kind == "unrestricted"}
        self._followers = self._needed_followers()
        for key, (k, kind) in missing.items():
            if kind != "unrestricted":
                self._add_point(k, key, kind)
        for k in self._followers[None]:
            self._add_guess(k, None)

    def _needed_followers(self) -> dict[int | None, list[int]]:
        """Return, for each job (and None), the jobs whose guess starts from its solution."""
        needed: set[int] = set()
        for k in self._key_of_guess:
            link: int | None = k
            while link is not None and link not in needed:
                needed.add(link)
                link = self.jobs[link].follows
        followers: dict[int | None, list[int]] = defaultdict(list)
        for k in sorted(needed):
            followers[self.jobs[k].follows].append(k)
        return followers

    def _add_guess(self, k: int, start: Any) -> None:
        job = self.jobs[k]
        call = (guess_or_none, (job.atoms, self.level, self.bonds, job.breaking, start))
        self.queue.add((job.scan, 0, k), call, partial(self._guessed, k))

    def _guessed(self, k: int, guess: Any) -> None:
        if k in self._key_of_guess:
            self._add_point(k, self._key_of_guess[k], "unrestricted", guess)
        for follower in self._followers[k]:
            self._add_guess(follower, guess)

    def _add_point(self, k: int, key: str, kind: PointKind, guess: Any = None) -> None:
        job = self.jobs[k]
        functions: dict[PointKind, Callable[..., Record]] = {
            "restricted": partial(single_point, unrestricted=False),
            "unrestricted": partial(single_point, unrestricted=True, guess=guess),
            "core": core_correlation,
        }
        # core correlation takes seconds and completes points of earlier runs, so it comes early
        self.queue.add(
            (job.scan, kind != "core", k),
            (functions[kind], (job.atoms, self.level)),
            partial(self._computed, key),
        )

    def _computed(self, key: str, record: Record) -> None:
        self._add(key, record)
        self.done += 1
        self.progress(self.done, self.total)
