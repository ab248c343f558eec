"""Jobs on a Dask cluster: kills, late workers, a scheduler that goes away, workers that do not fit."""

import os
import random
import signal
import threading
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

from mdaug import __version__
from mdaug.errors import MDAugError, MissingDependencyError
from mdaug.jobs import Failure, Job, Where, run_jobs
from mdaug.jobs.dask_workers import call_on_cluster
from mdaug.jobs.job import Ended
from tests.jobs import work
from tests.jobs.cluster import scheduler, workers

pytestmark = pytest.mark.dask


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Scheduler file of a cluster of three workers."""
    with scheduler(tmp_path_factory.mktemp("cluster")) as (file, _), workers(file, 3):
        yield Where(scheduler=file)


@pytest.mark.filterwarnings("ignore:the Dask cluster")
def test_ten_kills_cost_ten_calls(tmp_path):
    pids, seen = tmp_path / "pids", []
    random.seed(0)

    def kill_one(k, _):
        seen.append(k)
        if len(seen) % 3 == 0 and len(seen) <= 30:
            alive = [pid for pid in map(int, set(work.lines(pids))) if runs(pid)]
            os.kill(random.choice(alive), signal.SIGKILL)

    jobs = [Job(f"job {k}", work.record, (tmp_path / "calls", pids, k, 0.1)) for k in range(36)]
    with scheduler(tmp_path, n_kills=10) as (file, _), workers(file, 3):  # chance may choose one job always
        assert run_jobs(jobs, Where(scheduler=file), ended=kill_one) == list(range(36))
    assert sorted(seen) == list(range(36))


def runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def test_failures_are_those_of_local_processes(cluster, tmp_path):
    """A job that raises runs again on another worker; a refused one does not; one that kills is given up."""
    calls, kills = tmp_path / "calls", tmp_path / "kills"
    jobs = [
        Job("again", work.fail_at_first, (calls, 5)),
        Job("refused", work.refuse, (7,)),
        Job("killer", work.die, (kills, 99)),
        Job("square", work.square, (3,)),
        Job("wrong", work.once_there, (None,)),
    ]
    again, refused, killer, square, wrong = run_jobs(jobs, cluster)
    assert (again, square) == (5, 9)
    assert isinstance(refused, Failure) and refused.reason.startswith("7 is no molecule (on tcp://")
    assert killer.reason == "4 workers died while they had it, perhaps out of memory"
    assert len(work.lines(kills)) == 8  # four beside other jobs, which may be to blame, and four alone
    assert wrong.reason.startswith(
        "AttributeError: 'NoneType' object has no attribute 'exists' (2 times, the"
    )


def test_jobs_that_had_the_killed_workers_are_not_given_up(monkeypatch):
    """Dask counts the death of a worker against every job that it had; here the workers of all three die."""
    started, waiting = [], []

    class Dying:
        n_free = 3

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def start(self, number, job, *_):
            alone = not waiting
            started.append((job.name, alone))
            dies = len(started) <= 3 or job.name == "killer"
            waiting.append(
                (number, Ended(reason="killed", was_killed=True, is_suspect=True) if dies else Ended(5))
            )

        def wait(self, _):
            ended = waiting[:]
            waiting.clear()
            return ended

    monkeypatch.setattr("mdaug.jobs.queue.open_workers", lambda where: Dying())
    results = run_jobs([Job(name, work.square, (3,)) for name in ("first", "killer", "last")], Where())
    assert results[0] == results[2] == 5
    assert isinstance(results[1], Failure)
    assert started[3:] == [("first", True), ("killer", True), ("last", True)]


def test_late_workers_are_used_and_a_lost_scheduler_is_one_clear_line(tmp_path, monkeypatch):
    """The two jobs end only when each runs in a worker of its own; the second worker joins late."""
    one, other = tmp_path / "one", tmp_path / "other"
    found = []
    with scheduler(tmp_path) as (file, process):
        where = Where(scheduler=file)

        def run():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                jobs = [Job("one", work.meet, (one, other)), Job("other", work.meet, (other, one))]
                found.extend([run_jobs(jobs, where), [str(warning.message) for warning in caught]])

        thread = threading.Thread(target=run)
        thread.start()
        with workers(file, 1):
            while not one.exists() and not other.exists():
                thread.join(0.05)
            with workers(file, 1, n_others=1):
                thread.join()
        assert len(set(found[0])) == 2
        assert found[1] == [f"the Dask cluster at {file} has no workers yet; waiting"]

        jobs = [Job("late", work.wait_for, (tmp_path / "never",))]
        threading.Timer(0.5, process.kill).start()
        with pytest.raises(MDAugError) as caught:
            run_jobs(jobs, where)
        text = str(caught.value)
        assert text.startswith(f"the Dask scheduler at {file} is gone") and "--resume" in text
        assert "\n" not in text
    monkeypatch.setattr("mdaug.jobs.dask_workers.CONNECT_S", 1.0)
    with pytest.raises(MDAugError, match=f"no Dask scheduler answers at {file} .*start one with"):
        run_jobs(jobs, where)


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("nowhere.json", "FileNotFoundError"),
        ("other.json", "it is no scheduler file of Dask"),
        ("tcp:/host", "invalid literal"),
    ],
)
def test_an_address_that_is_none_is_told(address, reason, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("mdaug.jobs.dask_workers.CONNECT_S", 0.2)
    monkeypatch.setattr("distributed.Client", lambda *_, **__: pytest.fail("Dask was asked"))
    Path("other.json").write_text("{}")
    with pytest.raises(
        MDAugError, match=f"no Dask scheduler answers at {address} .*{reason}.*start one with"
    ):
        run_jobs([Job("square", work.square, (1,))], Where(scheduler=address))


@pytest.mark.parametrize(
    ("worker", "folder", "reason"),
    [
        ({"nthreads": 2}, None, "it has 2 threads; start workers with --nthreads 1"),
        ({"version": "9.9"}, None, f"it has mdaug {__version__}, and the command 9.9; install the same"),
        ({}, "elsewhere", "it does not see .*/elsewhere; put the run folder on a file system that all"),
    ],
)
def test_a_worker_that_does_not_fit_is_told(worker, folder, reason, tmp_path, monkeypatch):
    state = SimpleNamespace(nthreads=worker.get("nthreads", 1))
    monkeypatch.setattr("distributed.get_worker", lambda: SimpleNamespace(state=state, address="tcp://x:1"))
    job = Job("here", work.here, (), folder and Path(folder))
    ended = call_on_cluster(job, str(tmp_path), worker.get("version", __version__))
    assert not ended.is_final and ended.worker == "tcp://x:1"
    assert ended.reason.startswith("this worker cannot run it: ")
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(ended.reason)


def test_jobs_with_files_run_in_the_working_folder(cluster, tmp_path, monkeypatch):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path)
    assert run_jobs([Job("here", work.here, (), Path("run"))], cluster) == [tmp_path.name]


def test_without_dask_the_command_that_installs_it_is_told(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mdaug\[dask\]'"):
        run_jobs([Job("square", work.square, (1,))], Where(scheduler="tcp://127.0.0.1:1"))


def test_a_job_that_failed_goes_to_another_worker(monkeypatch):
    distributed = pytest.importorskip("distributed")
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=1), address="tcp://x:1")
    monkeypatch.setattr("distributed.get_worker", lambda: worker)
    monkeypatch.setattr("mdaug.jobs.dask_workers.time.sleep", lambda _: None)
    job, results = Job("square", work.square, (3,)), []
    for _ in range(1000):
        try:
            results.append(call_on_cluster(job, ".", __version__, frozenset([worker.address])).result)
        except distributed.Reschedule:
            results.append(None)
    assert 900 < results.count(None) < 1000  # and where there is no other worker, it runs at last
