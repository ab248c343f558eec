"""One process at a time, nothing left behind, and a word where a file system knows no locks."""

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
    said = r"runs/a cannot be locked \(.*\): start no second process"
    with pytest.warns(UserWarning, match=said) as told, locked(lock, what="runs/a", advice="wait"):
        pass
    assert told[-1].filename.endswith("locks.py")  # the command line shows warnings of mdaug only
    assert time.monotonic() - began < 5
    assert not lock.exists()
    with pytest.warns(UserWarning, match=said), locked(lock, what="runs/a", advice="wait"):
        pass
