"""Settings of child processes that run one on each core."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.process import BaseProcess

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that numerical libraries read when they are loaded."""


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Limit processes that start in the block to one thread each."""
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def start_worker(process: BaseProcess) -> None:
    """Start a process that ignores Ctrl-C: the terminal sends it to all, and the parent ends its workers.

    Parameters
    ----------
    process
        Process with the start method "spawn", not started yet. It ignores SIGINT from its first instruction.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        process.start()
        return
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, handler)


def run_command(command: Sequence[str]) -> None:
    """Run a command to its end, for jobs that are scripts.

    Parameters
    ----------
    command
        Program and arguments.

    Raises
    ------
    OSError
        The exit code is not 0; the message has the last line of the errors.
    """
    ended = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    if ended.returncode:
        last = (ended.stderr.strip().splitlines() or [""])[-1]
        raise OSError(f"{' '.join(command)} ended with exit code {ended.returncode}: {last}")
