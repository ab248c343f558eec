import os
import time

import pytest

from mdaug.quantum.workers import JobQueue


def square(number):
    return number**2


def fail_once_there(path):
    while not path.exists():
        time.sleep(0.02)
    raise ValueError("no energy")


def wait_long(path):
    path.write_text(str(os.getpid()))
    time.sleep(600)


def threads():
    return os.environ["OMP_NUM_THREADS"], os.getpid()


def test_urgent_jobs_go_first_and_results_may_add_jobs():
    queue, seen = JobQueue(), []

    def first(result):
        seen.append(result)
        queue.add((0,), (square, (9,)), seen.append)

    for urgency, number in ((3, 3), (1, 1), (2, 2)):
        queue.add((urgency,), (square, (number,)), first if number == 1 else seen.append)
    queue.run(1)
    assert seen == [1, 81, 4, 9]


def test_processes_have_one_thread_and_leave_the_environment_alone(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    queue, seen = JobQueue(), []
    for k in range(3):
        queue.add((k,), (threads, ()), seen.append)
    queue.run(2)
    assert [count for count, _ in seen] == ["1"] * 3
    assert os.getpid() not in {pid for _, pid in seen}
    assert "OMP_NUM_THREADS" not in os.environ


def test_after_an_error_the_other_processes_are_ended(tmp_path):
    queue, path = JobQueue(), tmp_path / "pid"
    queue.add((1,), (wait_long, (path,)), print)
    queue.add((2,), (fail_once_there, (path,)), print)
    with pytest.raises(ValueError, match="no energy"):
        queue.run(2)
    process = int(path.read_text())
    for _ in range(1000):
        if not _runs(process):
            return
        time.sleep(0.02)
    pytest.fail("the waiting process is still there")


def _runs(process):
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
