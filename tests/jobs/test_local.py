"""Jobs in this process and in several: order, failures, kills, interrupts."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mdaug.errors import MDAugError
from mdaug.jobs import Failure, Job, JobQueue, Where, queue, run_jobs
from mdaug.jobs.queue import HOPELESS
from tests.jobs import work

both = pytest.mark.parametrize("where", [Where(1), Where(2)], ids=["one process", "two processes"])


def job(function, *arguments):
    return Job(f"{function.__name__} {arguments[-1] if arguments else ''}".strip(), function, arguments)


@both
def test_results_come_in_the_order_of_the_jobs(where):
    seen = []
    results = run_jobs([job(work.square, k) for k in range(5)], where, ended=lambda k, r: seen.append((k, r)))
    assert results == [0, 1, 4, 9, 16]
    assert sorted(seen) == list(enumerate(results))
    assert run_jobs([], where) == []


def test_urgent_jobs_go_first_and_results_may_add_jobs():
    queue, seen = JobQueue(), []

    def first(result):
        seen.append(result)
        queue.add(job(work.square, 9), seen.append, priority=0)

    for urgency, number in ((3, 3), (1, 1), (2, 2)):
        queue.add(job(work.square, number), first if number == 1 else seen.append, priority=urgency)
    queue.run(Where(1))
    assert seen == [1, 81, 4, 9]


def test_processes_have_one_thread_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    seen = run_jobs([job(work.threads) for _ in range(3)], Where(2))
    assert [count for count, _ in seen] == ["1"] * 3
    assert os.getpid() not in {pid for _, pid in seen}
    assert "OMP_NUM_THREADS" not in os.environ


@both
def test_a_job_that_fails_runs_again_and_costs_no_other(where, tmp_path):
    calls = tmp_path / "calls"
    results = run_jobs([job(work.fail_at_first, calls, k) for k in range(4)], where)
    assert results == [0, 1, 2, 3]
    assert sorted(work.lines(calls)) == [str(k) for k in range(4) for _ in range(2)]


@both
def test_a_job_that_fails_again_is_named_with_its_reason(where):
    missing = job(work.once_there, None)
    wrong, right, refused = run_jobs([missing, job(work.square, 2), job(work.refuse, 7)], where)
    assert isinstance(wrong, Failure) and wrong.name == "once_there None"
    assert wrong.reason == "AttributeError: 'NoneType' object has no attribute 'exists' (2 times)"
    assert right == 4
    assert refused.reason == "7 is no molecule"  # about the input: not tried again
    error = refused.error()
    assert isinstance(error, MDAugError) and str(error) == "refuse 7: 7 is no molecule"
    assert "in refuse\n" in error.__notes__[0]


@both
def test_where_all_jobs_fail_the_rest_is_not_tried(where, tmp_path):
    seen = []
    with pytest.raises(MDAugError, match=r"refuse (\d+): \1 is no molecule"):
        run_jobs([job(work.refuse, k) for k in range(200)], where, ended=lambda k, _: seen.append(k))
    assert HOPELESS <= len(seen) <= HOPELESS + 2


def test_a_job_whose_process_is_killed_runs_again_three_times_in_all(tmp_path):
    once, always = tmp_path / "once", tmp_path / "always"
    results = run_jobs([job(work.die, once, 1), job(work.die, always, 9), job(work.square, 3)], Where(2))
    assert results[0] == "alive" and results[2] == 9
    assert results[1].reason.startswith("its process was killed, perhaps because the memory was exhausted (3")
    assert len(set(work.lines(always))) == 3  # another process each time


def test_one_isolated_worker_may_be_killed_too(tmp_path):
    assert run_jobs([job(work.die, tmp_path / "once", 1)], Where(1, isolated=True)) == ["alive"]


def test_ten_kills_cost_ten_calls(tmp_path, monkeypatch):
    """Whatever is killed, every job has its result, once, and other jobs are not run again."""
    monkeypatch.setattr(queue, "MOST_KILLS", 11)  # chance may choose one job again and again
    calls, pids, seen = tmp_path / "calls", tmp_path / "pids", []
    random.seed(0)

    def kill_one(k, _):
        seen.append(k)
        if len(seen) % 3 == 0 and len(seen) <= 30:
            alive = [pid for pid in map(int, set(work.lines(pids))) if _runs(pid)]
            os.kill(random.choice(alive), signal.SIGKILL)

    jobs = [Job(f"job {k}", work.record, (calls, pids, k, 0.02)) for k in range(36)]
    assert run_jobs(jobs, Where(3), ended=kill_one) == list(range(36))
    assert sorted(seen) == list(range(36))
    assert 36 <= len(work.lines(calls)) <= 46


def test_a_result_that_cannot_be_sent_is_told(tmp_path):
    (failure,) = run_jobs([job(work.no_result)], Where(2))
    assert failure.reason.startswith("the result cannot be sent (")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_after_an_interrupt_or_an_error_here_the_processes_are_ended(error, tmp_path):
    path = tmp_path / "pid"

    def stop(_):
        raise error

    jobs = JobQueue()
    jobs.add(job(work.wait_long, path), print)
    jobs.add(job(work.once_there, path), stop)
    with pytest.raises(error):
        jobs.run(Where(2))
    _wait_until_ended(int(path.read_text()))


def test_processes_end_with_the_one_that_started_them(tmp_path):
    """Also if it is killed: nobody would take their results."""
    calls, pids = tmp_path / "calls", tmp_path / "pids"
    code = f"from tests.jobs import work; work.run_forever({str(calls)!r}, {str(pids)!r})"
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[2])
    work.wait_for(pids)
    parent.kill()
    parent.wait()
    for process in set(work.lines(pids)):
        _wait_until_ended(int(process))


def _wait_until_ended(process):
    for _ in range(1000):
        if not _runs(process):
            return
        time.sleep(0.02)
    pytest.fail(f"process {process} is still there")


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
