"""Processes that compute on one thread each, fed with the most urgent job that is ready."""

import heapq
import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any

from mdaug.processes import one_thread_each

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
