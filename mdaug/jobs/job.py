"""A job, what became of one call of it, and its call in a worker."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mdaug.errors import DataError, MDAugError


@dataclass(frozen=True)
class Job:
    """A function call that any worker can do.

    Parameters
    ----------
    name
        Name in error messages.
    function
        A function at the top level of a module, which workers import.
    arguments
        Its arguments, which are pickled; large files are named by paths instead.
    folder
        Run folder that the function reads or writes; None for a function that needs no files. Workers on
        other machines must see it, and the working folder, under the same paths.
    """

    name: str
    function: Callable[..., Any]
    arguments: tuple[Any, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True)
class Failure:
    """A job that has no result.

    Parameters
    ----------
    name
        Name of the job.
    reason
        Why, in one line.
    traceback
        Traceback in the worker; empty if there is none.
    """

    name: str
    reason: str
    traceback: str = ""

    def error(self) -> MDAugError:
        """Return the failure as an error that names the job; the traceback is a note of it."""
        error = MDAugError(f"{self.name}: {self.reason}")
        if self.traceback:
            error.add_note(f"in the worker:\n{self.traceback}")
        return error


def error_of(failures: Sequence[Failure], advice: str) -> DataError:
    """Return one error for several failed jobs: the first failure, and the number of the others.

    Parameters
    ----------
    failures
        The failures, at least one.
    advice
        What to do, after the message; empty for none.
    """
    error = failures[0].error()
    others = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
    together = DataError(f"{error}{others}" + (f"; {advice}" if advice else ""))
    for note in getattr(error, "__notes__", ()):
        together.add_note(note)
    return together


@dataclass(frozen=True)
class Ended:
    """The end of one call of a job.

    Parameters
    ----------
    result
        Returned value of a call that succeeded.
    reason
        Why it failed, in one line; None for a call that succeeded.
    traceback
        Traceback of an exception.
    is_final
        Whether another call would fail in the same way.
    was_killed
        Whether the process of the call ended.
    is_suspect
        Whether it may have ended because of another job that the worker had, too.
    worker
        Address of the worker in a cluster; empty for processes of this machine.
    """

    result: Any = None
    reason: str | None = None
    traceback: str = ""
    is_final: bool = False
    was_killed: bool = False
    is_suspect: bool = False
    worker: str = ""


def call(job: Job) -> Ended:
    """Call the function of a job; exceptions become a reason. Interrupts are raised.

    Parameters
    ----------
    job
        The job.
    """
    try:
        return Ended(job.function(*job.arguments))
    except MDAugError as error:  # about the input, which is the same in every call
        return Ended(reason=str(error), traceback=traceback.format_exc(), is_final=True)
    except Exception as error:
        return Ended(reason=reason_of(error), traceback=traceback.format_exc())


def reason_of(error: BaseException) -> str:
    """Return type and message of an exception, in one line.

    Parameters
    ----------
    error
        The exception.
    """
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


KILLED = Ended(reason="its process was killed, perhaps because the memory was exhausted", was_killed=True)
"""The end of a call whose process has ended."""
