"""Processes of this machine that run jobs; one that is killed is replaced."""

import multiprocessing
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from mdaug.jobs.job import KILLED, Ended, Job, call, reason_of
from mdaug.processes import one_thread_each, start_worker


@dataclass
class _Slot:
    """A process, this end of the pipe to it, and the number of the call that it runs (None: idle)."""

    process: SpawnProcess
    connection: Connection
    number: int | None = None


class LocalProcesses:
    """Processes of one thread each, started when they are needed.

    They are not those of `concurrent.futures`: its pool loses all calls when one process is killed, and its
    processes live on when this one is killed.

    Parameters
    ----------
    n_processes
        Most processes at once.
    """

    def __init__(self, n_processes: int) -> None:
        self._n_processes = n_processes
        self._slots: list[_Slot] = []

    @property
    def n_free(self) -> int:
        """Number of processes without a call; no call waits behind another, so that priorities hold."""
        return self._n_processes - sum(slot.number is not None for slot in self._slots)

    def start(self, number: int, job: Job, priority: int, avoid: frozenset[str]) -> None:
        """Send a call to an idle process, which is started if there is none."""
        slot = next((slot for slot in self._slots if slot.number is None), None) or self._new_slot()
        slot.number = number
        with suppress(OSError):  # an idle process was killed: `wait` finds that, and the call runs again
            slot.connection.send(job)

    def wait(self, seconds: float) -> list[tuple[int, Ended]]:
        """Return the calls that have ended."""
        busy = {slot.connection: slot for slot in self._slots if slot.number is not None}
        ended = []
        for connection in wait(list(busy), seconds):
            slot = busy[connection]  # type: ignore[index]
            number, slot.number = slot.number, None
            assert number is not None
            try:
                ended.append((number, slot.connection.recv()))
            except (EOFError, OSError):
                self._discard(slot)
                ended.append((number, KILLED))
        return ended

    def close(self) -> None:
        """End all processes."""
        for slot in self._slots:
            slot.process.terminate()
        while self._slots:
            self._discard(self._slots[-1])

    def _new_slot(self) -> _Slot:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs,), daemon=True)
        with one_thread_each():
            start_worker(process)
        theirs.close()  # so that its end closes with the process
        self._slots.append(_Slot(process, ours))
        return self._slots[-1]

    def _discard(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        slot.connection.close()
        slot.process.join()


def _serve(connection: Connection) -> None:
    """Run calls until the other end of the pipe closes, in a worker process."""
    while True:
        try:
            ended = call(connection.recv())
        except EOFError:
            return
        except Exception as error:  # a job whose function or arguments cannot be loaded here
            ended = Ended(reason=f"the job cannot be loaded ({reason_of(error)})", is_final=True)
        try:
            connection.send(ended)
        except BrokenPipeError:  # the process that wants the result is gone
            return
        except Exception as error:
            connection.send(Ended(reason=f"the result cannot be sent ({reason_of(error)})", is_final=True))
