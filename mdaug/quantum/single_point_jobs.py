"""Single points of many geometries as independent jobs; each point is computed once."""

import warnings
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, get_args

import numpy as np
from ase import Atoms
from ase.units import Hartree

from mdaug.frames import IntArray
from mdaug.jobs import Job, JobQueue, Where
from mdaug.quantum.level import Level
from mdaug.quantum.mean_field import Bond
from mdaug.quantum.point_store import PointKind, PointStore, Record, point_key
from mdaug.quantum.single_point import PAIRED, core_correlation, guess_or_none, single_point

Progress = Callable[[int, int], None]
"""Called with (points done, points in all)."""

WEIGHT_POWER = 4
"""Restricted CCSD(T) is more accurate than unrestricted until a bond is nearly broken (docs/reference.md)."""


SHOWN = 5
"""Most failed points that are named in warnings."""


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
    where: Where = Where(),
    progress: Progress | None = None,
) -> list[SinglePointResult]:
    """Return the energies of many geometries; each is stored as soon as it is computed.

    Where a bond breaks, both the restricted and the unrestricted energy are computed; their difference
    measures the error of both. A point whose computation fails is not stored, so that another call computes
    it again.

    Parameters
    ----------
    jobs
        The geometries.
    bonds
        Bonds of the molecule, shape (n_bonds, 2).
    level
        Level of theory.
    store
        Store of finished points; those it contains are not computed again.
    where
        Processes that compute, see `mdaug.jobs.Where`; ``n_workers=0`` computes nothing and returns what the
        store contains. Workers need no files: geometries and guesses are sent to them.
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
    MDAugError
        No point could be computed, or the scheduler of a cluster is lost.

    Warns
    -----
    UserWarning
        For points whose computation failed.
    """
    plan = _Plan(list(jobs), bonds, level, store, progress or (lambda _done, _total: None))
    if where.n_workers != 0:
        plan.run(where)
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

    def run(self, where: Where) -> None:
        """Compute the records that the store does not contain."""
        needed: dict[str, tuple[int, PointKind]] = {}
        for k, job in enumerate(self.jobs):
            for kind in _kinds(job, self.level):
                needed.setdefault(point_key(job.atoms, self.level, kind), (k, kind))
        if self._missing(needed):
            with self.store.writing() as self._add:
                self._queue(self._missing(needed))
                n_done = self.done
                self.queue.run(where)
            if (failures := self.queue.failures) and self.done == n_done:
                raise failures[0].error()
            for failure in failures[:SHOWN]:
                warnings.warn(
                    f"{failure.name}: {failure.reason}; another run computes it again", stacklevel=3
                )

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
        arguments = (job.atoms, self.level, self.bonds, job.breaking, start)
        self.queue.add(
            Job(f"initial guess of geometry {k}", guess_or_none, arguments),
            partial(self._guessed, k),
            failed=lambda _: self._guessed(k, None),
            priority=self._priority(k),
        )

    def _priority(self, k: int, *, early: bool = True) -> int:
        """Return the priority of a geometry: by scan, then early ones, then in order."""
        return (2 * self.jobs[k].scan + (not early)) * len(self.jobs) + k

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
            Job(f"geometry {k} ({kind})", functions[kind], (job.atoms, self.level)),
            partial(self._computed, key),
            priority=self._priority(k, early=kind == "core"),
        )

    def _computed(self, key: str, record: Record) -> None:
        self._add(key, record)
        self.done += 1
        self.progress(self.done, self.total)
