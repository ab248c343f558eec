"""Small jobs, which workers import."""

import os
import signal
import time
from pathlib import Path

from mdaug.errors import DataError
from mdaug.jobs import Job, Where, run_jobs


def square(number):
    return number**2


def threads():
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def append(path, text):
    """Add a line; lines of several processes do not mix."""
    with Path(path).open("a") as file:
        file.write(f"{text}\n")


def counted(path, number, seconds=0.0):
    """Record each call."""
    append(path, number)
    time.sleep(seconds)
    return number


def record(calls, pids, number, seconds=0.0):
    """Record the process of each call, too."""
    append(pids, os.getpid())
    return counted(calls, number, seconds)


def fail_at_first(path, number):
    append(path, number)
    if lines(path).count(str(number)) == 1:
        raise OSError("the disk is full")
    return number


def refuse(number):
    raise DataError(f"{number} is no molecule")


def die(path, times):
    """Kill the own process in the first so many calls."""
    append(path, os.getpid())
    if len(lines(path)) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "alive"


def no_result():
    return lambda: None  # no other process can load it


def wait_long(path):
    path.write_text(str(os.getpid()))
    time.sleep(600)


def once_there(path):
    wait_for(path)
    return path.name


def meet(own, other):
    """Return when another worker runs the job that creates `other`."""
    own.write_text(str(os.getpid()))
    wait_for(other)
    return os.getpid()


def wait_for(path, is_whole=lambda: True):
    for _ in range(3000):
        if path.exists() and is_whole():
            return
        time.sleep(0.02)
    raise TimeoutError(f"{path} does not appear")


def lines(path):
    return Path(path).read_text().split() if Path(path).exists() else []


def run_forever(calls, pids):
    """Run jobs in two processes until this one is killed."""
    run_jobs([Job(f"job {k}", record, (calls, pids, k, 0.01)) for k in range(100_000)], Where(2))


def here():
    return Path.cwd().name
