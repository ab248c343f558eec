"""Compilation: one process at a time, and nothing left behind when it is interrupted."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mdaug.native.compiler import run_compiler, unfinished
from tests.interruption import CAN_BE_INTERRUPTED

pytestmark = pytest.mark.slow

SLOW_COMPILER = """#!/bin/sh
[ "$1" = --version ] && exit
while [ "$1" != -o ]; do shift; done
echo half > "$2"
sleep 60 &
echo $! > {folder}/worker
wait
"""
BUILD = "from mdaug.native.build import CORE, build_library\nprint(build_library(CORE))"


@pytest.fixture
def environment(tmp_path):
    """Return variables with a compiler that starts a process and waits for it, as c++ does for cc1plus."""
    compiler = tmp_path / "c++"
    compiler.write_text(SLOW_COMPILER.format(folder=tmp_path))
    compiler.chmod(0o755)
    return os.environ | {"CXX": str(compiler), "MDAUG_CACHE": str(tmp_path / "cache")}


def start(environment):
    return subprocess.Popen(
        [sys.executable, "-c", BUILD],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=CAN_BE_INTERRUPTED,  # noqa: PLW1509
    )


def wait_for(condition, seconds=600):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def is_running(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def worker_of(folder):
    """Return the number of the process that the slow compiler has started."""
    file = folder / "worker"
    wait_for(lambda: file.exists() and file.read_text().strip())
    return int(file.read_text())


def test_ctrl_c_ends_the_compiler_and_leaves_no_file(environment, tmp_path):
    build = start(environment)
    worker = worker_of(tmp_path)
    build.send_signal(signal.SIGINT)
    build.communicate(timeout=600)
    wait_for(lambda: not is_running(worker), 10)
    assert not list((tmp_path / "cache" / "native").iterdir())


def test_what_a_killed_build_left_does_not_break_the_next(environment, tmp_path):
    build = start(environment)
    worker = worker_of(tmp_path)
    build.kill()
    build.communicate(timeout=600)
    os.kill(worker, signal.SIGKILL)
    assert list((tmp_path / "cache" / "native").glob("*.part"))
    quick = tmp_path / "c++"
    quick.write_text(SLOW_COMPILER.split("sleep", maxsplit=1)[0])
    done = subprocess.run(
        [sys.executable, "-c", BUILD], env=environment, capture_output=True, text=True, check=True
    )
    assert Path(done.stdout.strip()).read_text() == "half\n"
    assert not list((tmp_path / "cache" / "native").glob("*.part"))


def test_a_process_that_waits_for_another_one_says_so(environment, tmp_path):
    """Also where standard error is no terminal."""
    first = start(environment)
    worker_of(tmp_path)
    second = start(environment)
    assert second.stderr.readline() == "mdaug: waiting for another mdaug process that compiles its core\n"
    for build in (second, first):
        build.send_signal(signal.SIGINT)
        build.communicate(timeout=600)


def test_a_failing_compiler_raises_with_its_messages():
    with pytest.raises(subprocess.CalledProcessError) as failure:
        run_compiler(["sh", "-c", "echo error: no such header >&2; exit 3"])
    assert failure.value.returncode == 3
    assert failure.value.stderr == "error: no such header\n"


def test_unfinished_folders_are_removed(tmp_path):
    old = tmp_path / "plugin.999.part"
    old.mkdir()
    (old / "half.so").touch()
    with pytest.raises(KeyboardInterrupt), unfinished(tmp_path / "plugin") as output:
        assert not old.exists()
        output.mkdir()
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
