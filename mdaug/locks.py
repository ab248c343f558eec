"""Locks for files that one process at a time may write; a lock ends with its process, even if it is killed.

The lock is `flock` on a file in the folder of the data. The package `filelock` is not used: on a file system
without locks it falls back to a marker file, which a killed process leaves behind.
"""

import errno
import os
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mdaug.errors import MDAugError

try:
    import fcntl
except ImportError:  # not a POSIX system: treated as a file system without locks
    fcntl = None  # type: ignore[assignment]

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""Error numbers of file systems without locks."""

_HELD = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK}
"""Error numbers for a lock that another process holds."""

_POLL_S = 0.05


class BusyError(MDAugError):
    """Another process holds the lock."""


@contextmanager
def locked(
    lock_file: Path,
    *,
    what: str,
    advice: str = "",
    on_wait: Callable[[], None] | None = None,
    silence_s: float = 0.0,
) -> Iterator[None]:
    """Hold a lock during the block, and remove the lock file at its end.

    A lock file that a killed process left behind is free. On a file system without locks the block runs
    after a warning.

    Parameters
    ----------
    lock_file
        Path of the lock file; its folder must exist.
    what
        Name of the protected file or folder, for messages.
    advice
        Advice in the message of `BusyError` if another process holds the lock.
    on_wait
        If given, wait for a lock that another process holds instead of raising `BusyError`; called once, when
        the waiting has taken `silence_s`.
    silence_s
        Seconds.

    Raises
    ------
    BusyError
        Another process holds the lock, and `on_wait` is None.
    """
    handle = None
    try:
        handle = _acquire(lock_file)
        if handle is None and on_wait is None:
            raise BusyError(f"{what} is being written by another process; {advice}")
        if handle is None and on_wait is not None:
            handle = _wait(lock_file, on_wait, silence_s)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        lock_file.unlink(missing_ok=True)
        warnings.warn(
            f"{what} cannot be locked ({error.strerror}): start no second process that writes there",
            stacklevel=1,  # the command line shows only warnings that modules of mdaug issue
        )
    try:
        yield
    finally:
        if handle is not None:
            lock_file.unlink(missing_ok=True)  # before it is free, so that nobody locks a removed file
            os.close(handle)


def _wait(lock_file: Path, on_wait: Callable[[], None], silence_s: float) -> int:
    """Return the file descriptor of the lock as soon as it is free."""
    began, announced = time.monotonic(), False
    while (handle := _acquire(lock_file)) is None:
        if not announced and time.monotonic() - began >= silence_s:
            on_wait()
            announced = True
        time.sleep(_POLL_S)
    return handle


def _acquire(lock_file: Path) -> int | None:
    """Return the file descriptor of the lock, None if another process holds it."""
    if fcntl is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    while True:
        handle = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(handle), os.stat(lock_file)):
                return handle
        except FileNotFoundError:
            pass  # the previous holder removed the file between our open and our lock
        except OSError as error:
            os.close(handle)
            if error.errno in _HELD:
                return None
            raise
        os.close(handle)
