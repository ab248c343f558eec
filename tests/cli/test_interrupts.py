"""Ctrl-C, which a terminal sends to all processes of a command, gives one line and leaves no process."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.interruption import CAN_BE_INTERRUPTED

pytestmark = pytest.mark.slow


def interrupt(arguments: list[str], cwd, shown: list[str]) -> tuple[int, str]:
    """Send SIGINT to all processes of a command once `shown` are printed; return exit code and stderr."""
    log = cwd / "stderr.txt"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "mdaug", *arguments],
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            start_new_session=True,
            preexec_fn=CAN_BE_INTERRUPTED,  # noqa: PLW1509
        )
        until = time.monotonic() + 240
        while not all(text in log.read_text() for text in shown):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(timeout=600)
    left = subprocess.run(["pgrep", "-g", str(process.pid), "-r", "R,S,D"], capture_output=True, check=False)
    assert left.stdout == b""
    return code, log.read_text()


@pytest.mark.parametrize(
    ("arguments", "shown", "line"),
    [
        (
            ["demo", "--config", "demo", "--out", "run"],
            ["raw: training", "augmented: springs"],
            "run holds the files written until then",
        ),
        (
            ["train", "--config", "demo", "--out", "run"],
            ["training on "],
            "continue with `mdaug train --resume --out run`",
        ),
    ],
    ids=["demo", "train"],
)
def test_one_line_and_no_process_left(tmp_path, arguments, shown, line):
    code, error = interrupt(arguments, tmp_path, shown)
    assert code == 130
    assert error.count("mdaug: error: ") == 1
    assert error.rstrip().endswith(f"mdaug: error: interrupted; {line}")
    assert "Traceback" not in error
    assert "KeyboardInterrupt" not in error
