"""Schedulers and workers of Dask, in processes of their own."""

import os
import subprocess
import sys
from contextlib import contextmanager

from tests.jobs import work

# workers that are replaced after a kill start in a moment: they are forked from a process with the imports
ENVIRONMENT = os.environ | {"DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver"}


@contextmanager
def scheduler(folder):
    """Start a scheduler; its file is scheduler.json in `folder`."""
    file = folder / "scheduler.json"
    given = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-show"]
    with dask("scheduler", *given, "--no-dashboard") as process:
        work.wait_for(file)
        yield str(file), process


@contextmanager
def workers(file, n):
    """Start workers, each with a nanny that replaces it when it is killed."""
    with dask(
        "worker", "--scheduler-file", file, "--nworkers", str(n), "--nthreads", "1", "--no-dashboard"
    ) as process:
        yield process


@contextmanager
def dask(*arguments):
    command = [sys.executable, "-m", "dask", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=ENVIRONMENT, **quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
