"""One process at a time, nothing left behind, and a warning where a file system has no locks."""

import errno
import os
import subprocess
import sys
import time

import pytest

from mdaug.locks import BusyError, locked

HOLD = """
import sys, time
from pathlib import Path
from mdaug.locks import locked
with locked(Path(sys.argv[1]), what="a", advice="wait"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def lock(tmp_path):
    return tmp_path / ".lock"


def hold(lock) -> subprocess.Popen:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(lock)], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_killed(lock):
    process = hold(lock)
    try:
        refusal = r"^runs/a is being written by another process; wait$"
        with pytest.raises(BusyError, match=refusal), locked(lock, what="runs/a", advice="wait"):
            pass
        assert lock.exists()
    finally:
        process.kill()
        process.wait()
    with locked(lock, what="runs/a", advice="wait"):
        assert lock.exists()
    assert not lock.exists()


def test_an_error_frees_the_lock(lock):
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), locked(lock, what="a", advice=""):
            raise ZeroDivisionError
    assert not lock.exists()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_locks_is_told_and_used(lock, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", no_locks)
    began = time.monotonic()
    message = r"^runs/a cannot be locked \(.*\): start no second process that writes there$"
    for _ in range(2):
        with pytest.warns(UserWarning, match=message) as warned, locked(lock, what="runs/a", advice="wait"):
            assert not lock.exists()  # a kill in the block would leave nothing behind
        assert len(warned) == 1
        assert warned[0].filename.endswith("locks.py")  # the command line shows warnings of mdaug only
    assert time.monotonic() - began < 5


def test_a_process_that_may_wait_says_so_and_goes_on_when_the_lock_is_free(lock):
    process, waits = hold(lock), []

    def end_the_first() -> None:
        waits.append(True)
        process.kill()

    try:
        with locked(lock, what="runs/a", on_wait=end_the_first):
            assert waits == [True]
    finally:
        process.kill()
        process.wait()
    with locked(lock, what="runs/a", on_wait=lambda: waits.append(False)):
        assert waits == [True]


def test_a_lock_file_that_is_a_link_is_not_followed(lock, tmp_path):
    (tmp_path / "other").write_text("of another user")
    lock.symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match=r"\.lock"), locked(lock, what="runs/a"):
        pass
    assert (tmp_path / "other").read_text() == "of another user"


COUNT = """
import sys
from pathlib import Path
from mdaug.locks import locked
for _ in range(100):
    with locked(Path(sys.argv[1]), what="a", on_wait=lambda: None):
        count = Path(sys.argv[2])
        count.write_text(str(int(count.read_text()) + 1))
"""


def test_a_file_that_is_removed_as_others_open_it_locks_nobody_twice(lock, tmp_path):
    count = tmp_path / "count"
    count.write_text("0")
    command = [sys.executable, "-c", COUNT, str(lock), str(count)]
    for process in [subprocess.Popen(command) for _ in range(3)]:
        assert process.wait() == 0
    assert count.read_text() == "300"
