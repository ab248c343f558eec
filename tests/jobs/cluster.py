"""Schedulers and workers of Dask, in processes of their own."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

from tests.jobs import work

# workers that are replaced after a kill start in a moment: they are forked from a process with the imports
ENVIRONMENT = os.environ | {"DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "forkserver"}


@contextmanager
def scheduler(folder, n_kills=3):
    """Start a scheduler, which gives up a job after so many kills; its file is scheduler.json in `folder`."""
    file = folder / "scheduler.json"
    given = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-show"]
    limit = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": str(n_kills)}
    with dask("scheduler", *given, "--no-dashboard", **limit) as process:
        work.wait_for(file, lambda: file.read_bytes().endswith(b"}"))  # workers give up on half a file
        yield str(file), process


@contextmanager
def workers(file, n, n_others=0):
    """Start workers, each with a nanny that replaces it when it is killed; so many others run already."""
    import distributed

    given = ["--scheduler-file", file, "--nworkers", str(n), "--nthreads", "1", "--no-dashboard"]
    with dask("worker", *given) as process:
        with distributed.Client(scheduler_file=file, set_as_default=False) as client:
            while _n_running(client) < n_others + n:  # a kill before all have started ends all
                time.sleep(0.05)
        yield process


def _n_running(client):
    return list(client.run(_status, nanny=True).values()).count("running")


def _status(dask_worker):
    return dask_worker.status.name


@contextmanager
def dask(*arguments, **settings):
    command = [sys.executable, "-m", "dask", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=ENVIRONMENT | settings, **quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
