"""The workers of a Dask cluster."""

import importlib
import json
import logging
import os
import random
import time
import uuid
import warnings
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from mdaug import __version__
from mdaug.errors import MDAugError, MissingDependencyError
from mdaug.jobs.job import Ended, Job, call, reason_of

WINDOW, PER_THREAD = 1000, 4
"""The scheduler holds at most so many calls, or so many for each thread of the cluster: enough that an
adaptive cluster grows, and not so many that they fill its memory."""

CONNECT_S, FETCH_S, CLOSE_S, COUNT_S = 15.0, 10.0, 5.0, 10.0
"""Longest times to connect, to fetch a result and to close, and the time between two counts of workers."""

HANDED_BACK = 0.95
"""Probability, each second, that a worker on which a job has failed hands it back to the scheduler."""

ADVICE = (
    "results until now are kept; start the scheduler and repeat the command (with --resume if it has one)"
)


class DaskWorkers:
    """Workers of one thread each of a Dask cluster; workers may come and go.

    Parameters
    ----------
    address
        Address of the scheduler, as tcp://host:8786, or its scheduler file, as scheduler.json.

    Raises
    ------
    MDAugError
        No scheduler answers at the address.
    MissingDependencyError
        Dask is not installed.
    """

    def __init__(self, address: str) -> None:
        distributed = _distributed()
        for name in ("distributed", "distributed.client", "distributed.comm", "tornado.application"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is in the errors raised here
        self._address, self._killed = address, distributed.scheduler.KilledWorker
        try:
            given = _checked(address, distributed)
            self._client = distributed.Client(**given, timeout=CONNECT_S, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise MDAugError(
                f"no Dask scheduler answers at {address} ({reason_of(error)}); start one with "
                "`dask scheduler`, or leave out --scheduler"
            ) from error
        self._futures: dict[int, Any] = {}
        self._ended: SimpleQueue[int] = SimpleQueue()
        self._counted = -COUNT_S
        self._n_threads = 0
        self._count()

    @property
    def n_free(self) -> int:
        """Number of calls that the scheduler may be given."""
        return max(WINDOW, PER_THREAD * self._n_threads) - len(self._futures)

    def start(self, number: int, job: Job, priority: int, avoid: frozenset[str]) -> None:
        """Hand a call to the scheduler."""
        future = self._client.submit(
            call_on_cluster,
            job,
            os.getcwd(),
            __version__,
            avoid,
            key=f"{getattr(job.function, '__name__', 'job')}-{uuid.uuid4().hex}",
            pure=False,
            priority=-priority,
        )
        self._futures[number] = future
        future.add_done_callback(lambda _: self._ended.put(number))

    def wait(self, seconds: float) -> list[tuple[int, Ended]]:
        """Return the calls that have ended."""
        numbers = []
        try:
            numbers.append(self._ended.get(timeout=seconds))
            while True:
                numbers.append(self._ended.get_nowait())
        except Empty:
            pass
        ends = [(number, self._end(number)) for number in numbers]
        ended = [(number, end) for number, end in ends if end is not None]
        if not ended:
            self._count()
        return ended

    def close(self) -> None:
        """Cancel the calls that have not ended; a call that runs on a worker ends there by itself."""
        with suppress(OSError, TimeoutError):
            if self._client.status == "running" and self._futures:
                self._client.cancel(list(self._futures.values()), force=True)
            self._client.close(timeout=CLOSE_S)

    def _end(self, number: int) -> Ended | None:
        """Return the end of a call, None if its worker was lost with the result, so that it runs again."""
        future = self._futures[number]
        if future.cancelled():
            raise self._lost()
        try:
            ended = future.result(timeout=FETCH_S)
        except TimeoutError:
            future.add_done_callback(lambda _: self._ended.put(number))
            return None
        except self._killed as error:
            reason = f"{error.allowed_failures + 1} workers died while they had it, perhaps out of memory"
            ended = Ended(reason=reason, was_killed=True, is_suspect=True)
        except Exception as error:  # canceled meanwhile, or the job cannot be loaded by the worker
            if future.cancelled():
                raise self._lost() from error
            ended = Ended(reason=f"the worker cannot load it ({reason_of(error)}); is mdaug installed there?")
        del self._futures[number]
        return ended

    def _lost(self) -> MDAugError:
        return MDAugError(f"the Dask scheduler at {self._address} is gone, or it dropped the jobs; {ADVICE}")

    def _count(self) -> None:
        """Count the workers from time to time, and warn while there are none."""
        if time.monotonic() - self._counted < COUNT_S:
            return
        first, self._counted = self._counted < 0, time.monotonic()
        self._n_threads = sum(self._nthreads().values())
        if first and not self._n_threads:
            warnings.warn(f"the Dask cluster at {self._address} has no workers yet; waiting", stacklevel=2)

    def _nthreads(self) -> dict[str, int]:
        try:
            return dict(self._client.nthreads())
        except (OSError, TimeoutError, RuntimeError) as error:
            raise self._lost() from error


def _checked(address: str, distributed: Any) -> dict[str, str]:
    """Return the address of a scheduler, or its file, as Dask's client takes it.

    The client would wait for a missing file without end, and print a traceback for a malformed address. A
    scheduler that is just starting may not have written its file yet.
    """
    until = time.monotonic() + CONNECT_S
    if not address.endswith(".json"):
        distributed.comm.addressing.parse_host_port(address, default_port=8786)
        return {"address": address}
    while not Path(address).exists() and time.monotonic() < until:
        time.sleep(0.1)
    with open(address) as file:
        if "address" not in json.load(file):
            raise ValueError("it is no scheduler file of Dask")
    return {"scheduler_file": address}


def call_on_cluster(
    job: Job, working_folder: str, version: str, avoid: frozenset[str] = frozenset()
) -> Ended:
    """Call the function of a job, in a worker of a cluster.

    Parameters
    ----------
    job
        The job.
    working_folder
        Working folder of the process that wants the result; relative paths begin there.
    version
        Version of mdaug of that process.
    avoid
        Addresses of workers on which the job has failed: they hand it back for a while.

    Raises
    ------
    distributed.Reschedule
        On a worker that is to be avoided.
    """
    distributed = _distributed()
    worker, problem = distributed.get_worker(), None
    # a restriction to other workers would never end where those leave the cluster
    if worker.address in avoid and random.random() < HANDED_BACK:
        time.sleep(1.0)
        raise distributed.Reschedule
    if worker.state.nthreads > 1:
        problem = f"it has {worker.state.nthreads} threads; start workers with --nthreads 1"
    elif version != __version__:
        problem = f"it has mdaug {__version__}, and the command {version}; install the same"
    elif job.folder is not None:
        folder = Path(working_folder, job.folder)
        if folder.is_dir():
            os.chdir(working_folder)
        else:
            problem = f"it does not see {folder}; put the run folder on a file system that all workers share"
    if problem is not None:
        return Ended(reason=f"this worker cannot run it: {problem}", worker=worker.address)
    ended = call(job)
    return Ended(ended.result, ended.reason, ended.traceback, ended.is_final, worker=worker.address)


def _distributed() -> Any:
    try:
        return importlib.import_module("distributed")
    except ImportError as error:
        raise MissingDependencyError(
            "--scheduler needs Dask, which is not installed: pip install 'mdaug[dask]'"
        ) from error
