"""Record of the environment of a result: command line, versions, machine, commit, threads."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import mdaug
from mdaug.processor import processor_name

_PACKAGES = ("torch", "numpy", "scipy", "scikit-learn", "ase", "MDAnalysis", "vesin", "tblite")

arguments: ContextVar[list[str] | None] = ContextVar("arguments", default=None)
"""Arguments of the running `mdaug` command; None outside of one."""


def command_line() -> str:
    """Return the running command in the form in which it is typed."""
    given = arguments.get()
    return shlex.join(sys.argv if given is None else ["mdaug", *given])


def describe_environment(commands: Sequence[str] | None = None) -> dict[str, Any]:
    """Return what `environment.json` records of the process and its machine.

    Parameters
    ----------
    commands
        Command lines of the run, oldest first: the original one and those with ``--resume``
        [default: the running command].
    """
    return {
        "commands": [command_line()] if commands is None else list(commands),
        "folder": str(Path.cwd()),
        "python": platform.python_version(),
        "packages": {"mdaug": mdaug.__version__, **{name: _version(name) for name in _PACKAGES}},
        "mdaug_commit": _commit(Path(mdaug.__file__).parents[1]),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cpu_count": os.cpu_count(),
        "threads": _threads(),
        "thread_settings": {
            key: os.environ[key] for key in sorted(os.environ) if key.endswith("_NUM_THREADS")
        },
        "devices": _devices(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit(checkout: Path) -> str | None:
    """Return the commit of a source checkout, marked if the code was changed since; None for a wheel."""
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _git(checkout, "rev-parse", "HEAD")
        changed = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{commit} with changes" if changed else commit


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _threads() -> int | None:
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if torch else None


def _devices() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return ["cpu"]
    return ["cpu", *(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))]
