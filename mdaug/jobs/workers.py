"""What runs jobs: this process, processes of this machine, or a Dask cluster, behind one interface."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from mdaug.jobs.job import Ended, Job, call


@dataclass(frozen=True)
class Where:
    """Where jobs run.

    Parameters
    ----------
    n_workers
        Number of processes of one thread each on this machine; with 1 the jobs run in this process. None for
        one on each core.
    scheduler
        Address of a Dask scheduler, or its scheduler file (JSON), whose workers run the jobs instead.
    isolated
        Run the jobs of one worker in a process of its own, too.
    """

    n_workers: int | None = 1
    scheduler: str | None = None
    isolated: bool = False

    @property
    def in_this_process(self) -> bool:
        """Whether the jobs run in the calling process, one after another."""
        return self.scheduler is None and self.n_processes == 1 and not self.isolated

    @property
    def n_processes(self) -> int:
        """Number of processes of this machine, without a scheduler."""
        return (os.cpu_count() or 1) if self.n_workers is None else self.n_workers


class Workers(Protocol):
    """Runs calls of jobs."""

    @property
    def n_free(self) -> int:
        """Number of calls that may be started now."""

    def start(self, number: int, job: Job, priority: int, avoid: frozenset[str]) -> None:
        """Start a call.

        Parameters
        ----------
        number
            Number under which `wait` returns its end.
        job
            The job.
        priority
            Calls with smaller numbers run first.
        avoid
            Workers on which the job has failed; another one is chosen if there is one.
        """

    def wait(self, seconds: float) -> list[tuple[int, Ended]]:
        """Return the calls that have ended, with their numbers; wait for one if there is none.

        Parameters
        ----------
        seconds
            Longest time to wait.

        Raises
        ------
        MDAugError
            The workers are lost.
        """

    def close(self) -> None:
        """End calls that run, and give the workers back."""


class ThisProcess:
    """Runs each call at once, in this process."""

    def __init__(self) -> None:
        self._ended: list[tuple[int, Ended]] = []

    @property
    def n_free(self) -> int:
        """One call at a time."""
        return 1 - len(self._ended)

    def start(self, number: int, job: Job, priority: int, avoid: frozenset[str]) -> None:
        """Run a call to its end."""
        self._ended.append((number, call(job)))

    def wait(self, seconds: float) -> list[tuple[int, Ended]]:
        """Return the call that was started last."""
        ended, self._ended = self._ended, []
        return ended

    def close(self) -> None:
        """Nothing is left to end."""


@contextmanager
def open_workers(where: Where) -> Iterator[Workers]:
    """Provide workers during the block; calls that still run at its end are ended.

    Parameters
    ----------
    where
        Which workers.

    Raises
    ------
    MDAugError
        No scheduler answers at the address.
    MissingDependencyError
        Dask is not installed.
    """
    workers: Workers
    if where.scheduler is not None:
        from mdaug.jobs.dask_workers import DaskWorkers

        workers = DaskWorkers(where.scheduler)
    elif where.in_this_process:
        workers = ThisProcess()
    else:
        from mdaug.jobs.local import LocalProcesses

        workers = LocalProcesses(where.n_processes)
    try:
        yield workers
    finally:
        workers.close()
