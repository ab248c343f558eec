"""Child processes compute on one thread; this one keeps its own setting."""

import os
import sys

import pytest

from mdaug.processes import THREADS, one_thread_each, run_command


def test_one_thread_in_the_block_and_everything_as_it_was_after_it(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), one_thread_each():
        assert [os.environ[name] for name in THREADS] == ["1"] * 3
        raise ZeroDivisionError
    assert dict(os.environ) == before


def test_a_command_that_fails_is_named_with_its_last_line():
    run_command([sys.executable, "-c", ""])
    with pytest.raises(OSError, match=r"exit code 3: no disk$"):
        run_command([sys.executable, "-c", "import sys; print('no disk', file=sys.stderr); sys.exit(3)"])
