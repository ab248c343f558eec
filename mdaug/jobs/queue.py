"""Queue of jobs with priorities, and its short form: a list of jobs to a list of results."""

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mdaug.jobs.job import Ended, Failure, Job
from mdaug.jobs.workers import Where, Workers, open_workers

MOST_CALLS = 2
"""Calls of a job that raises an exception other than `MDAugError`: the worker may be to blame."""

MOST_KILLS = 3
"""Calls of a job whose process is killed in each."""

HOPELESS = 20
"""Number of failures without one success after which no other job is started."""

POLL_S = 0.5


@dataclass
class _Entry:
    """A job in the queue, and its calls so far."""

    job: Job
    priority: int
    done: Callable[[Any], None]
    failed: Callable[[Failure], None]
    n_failed: int = 0
    n_killed: int = 0
    failed_on: set[str] = field(default_factory=set)
    runs_alone: bool = False


class JobQueue:
    """Queue of jobs with priorities; a finished job may add others.

    Attributes
    ----------
    failures
        The failed jobs that were added without `failed`.

    Examples
    --------
    >>> queue = JobQueue()
    >>> queue.add(Job("round 2.5", round, (2.5,)), lambda result: print(result))
    >>> queue.run(Where(n_workers=1))
    2
    """

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._entries: dict[int, _Entry] = {}
        self._ready: list[tuple[int, int]] = []
        self._suspects: deque[int] = deque()
        self._n_added = self._n_done = 0

    def add(
        self,
        job: Job,
        done: Callable[[Any], None],
        *,
        failed: Callable[[Failure], None] | None = None,
        priority: int = 0,
    ) -> None:
        """Add a job.

        Parameters
        ----------
        job
            The job.
        done
            Called with the result, in this process; may add jobs.
        failed
            Called with the failure of the job, in this process; may add jobs. None collects it in `failures`.
        priority
            Jobs of smaller priority run first; equal ones run in the order in which they were added.
        """
        entry = _Entry(job, priority, done, failed or self.failures.append)
        self._entries[self._n_added] = entry
        heapq.heappush(self._ready, (priority, self._n_added))
        self._n_added += 1

    def run(self, where: Where, tick: Callable[[], None] | None = None) -> None:
        """Run all jobs.

        Parameters
        ----------
        where
            In which processes.
        tick
            Called about twice a second.

        Raises
        ------
        MDAugError
            All of the first jobs have failed, or the scheduler of a cluster is lost. An exception of a `done`
            ends the jobs that run, too.
        """
        if not self._ready:
            return
        with open_workers(where) as workers:
            while self._entries:
                self._start(workers)
                if tick is not None:
                    tick()
                for number, ended in workers.wait(POLL_S):
                    self._settle(number, ended)
                if len(self.failures) >= HOPELESS and not self._n_done:
                    raise self.failures[0].error()

    def _start(self, workers: Workers) -> None:
        for _ in range(min(workers.n_free, len(self._ready))):
            _, number = heapq.heappop(self._ready)
            entry = self._entries[number]
            workers.start(number, entry.job, entry.priority, frozenset(entry.failed_on))
        if self._suspects and len(self._suspects) == len(self._entries):  # no other job waits or runs
            number = self._suspects.popleft()
            workers.start(number, self._entries[number].job, self._entries[number].priority, frozenset())

    def _settle(self, number: int, ended: Ended) -> None:
        """Hand on the result or the failure of a job, or queue it again; alone, if it may not be to blame."""
        entry = self._entries[number]
        if ended.reason is None:
            del self._entries[number]
            self._n_done += 1
            entry.done(ended.result)
            return
        if ended.is_suspect and not entry.runs_alone:
            entry.runs_alone = True
            self._suspects.append(number)
            return
        entry.n_killed += ended.was_killed
        entry.n_failed += not ended.was_killed
        entry.failed_on.add(ended.worker)
        is_final = ended.is_final or ended.is_suspect
        if is_final or entry.n_failed >= MOST_CALLS or entry.n_killed >= MOST_KILLS:
            del self._entries[number]
            entry.failed(_failure(entry, ended))
        else:
            heapq.heappush(self._ready, (entry.priority, number))


def _failure(entry: _Entry, ended: Ended) -> Failure:
    calls = entry.n_failed + entry.n_killed
    where = f", the last time on {ended.worker}" if ended.worker else ""
    times = f" ({calls} times{where})" if calls > 1 else f" (on {ended.worker})" if ended.worker else ""
    return Failure(entry.job.name, f"{ended.reason}{times}", ended.traceback)


def run_jobs(
    jobs: Iterable[Job],
    where: Where,
    *,
    ended: Callable[[int, Any], None] | None = None,
) -> list[Any]:
    """Run jobs and return their results in order, a `Failure` for each job that has none.

    Parameters
    ----------
    jobs
        The jobs.
    where
        In which processes.
    ended
        Called with the index of a job and its result or `Failure`, as soon as it is there.

    Raises
    ------
    MDAugError
        All of the first jobs have failed, or the scheduler of a cluster is lost.
    """
    queue, results = JobQueue(), dict[int, Any]()

    def keep(index: int, result: Any) -> None:
        results[index] = result
        if isinstance(result, Failure):
            queue.failures.append(result)
        if ended is not None:
            ended(index, result)

    for k, job in enumerate(jobs):
        queue.add(job, partial(keep, k), failed=partial(keep, k))
    queue.run(where)
    return [results[k] for k in sorted(results)]
