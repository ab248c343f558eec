"""Runs of the C++ compiler that leave no incomplete library after an interruption. Imports nothing heavy."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mdaug.locks import locked
from mdaug.text import print_text

_SECONDS_OF_SILENCE = 1.0


def find_compiler() -> str:
    """Return the path of a C++ compiler: that of ``CXX``, c++, g++ or clang++; OSError if there is none."""
    compiler = shutil.which(os.environ.get("CXX", "c++")) or shutil.which("g++") or shutil.which("clang++")
    if compiler is None:
        raise OSError("no C++ compiler found (install g++ or set CXX)")
    return compiler


def run_compiler(command: Sequence[str]) -> None:
    """Run a compiler; an interruption, such as Ctrl-C, also ends the processes that it has started.

    Parameters
    ----------
    command
        The compiler and its arguments.

    Raises
    ------
    subprocess.CalledProcessError
        The compiler failed; its messages are in ``stderr``.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        try:
            output, messages = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output, messages)


def error_text(error: Exception) -> str:
    """Return the reason why a library could not be compiled or loaded: the last messages of the compiler, or
    the error."""
    return str(getattr(error, "stderr", None) or error).strip()[-400:]


@contextmanager
def compilation_lock(lock_file: Path, what: str) -> Iterator[None]:
    """Let one process compile `what`; others wait and print a message to standard error after a second.

    Parameters
    ----------
    lock_file
        The lock; its folder exists.
    what
        Name of the library in messages.

    Raises
    ------
    OSError
        The lock cannot be written.
    """
    message = f"mdaug: waiting for another mdaug process that compiles {what}"
    with locked(
        lock_file,
        what=f"The compilation of {what}",
        on_wait=lambda: print_text(message, file=sys.stderr),
        silence_s=_SECONDS_OF_SILENCE,
    ):
        yield


@contextmanager
def unfinished(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` for the compiler's output; at the end remove it and those that
    killed processes left.

    Parameters
    ----------
    path
        File or folder that the block makes, by renaming the path that it is given. The caller holds
        its `compilation_lock`.
    """
    _remove_unfinished(path)
    try:
        yield path.with_name(f"{path.name}.{os.getpid()}.part")
    finally:
        _remove_unfinished(path)


def _remove_unfinished(path: Path) -> None:
    for part in path.parent.glob(f"{path.name}.*.part"):
        if part.is_dir():
            shutil.rmtree(part, ignore_errors=True)
        else:
            part.unlink(missing_ok=True)
