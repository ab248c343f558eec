"""Files that one process at a time may write: a lock beside them, which ends as the process ends, however."""

import errno
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, SoftFileLock, Timeout

from mdaug.errors import MDAugError

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems without locks answer."""


class BusyError(MDAugError):
    """Another process is writing there."""


def is_lock(path: Path) -> bool:
    """Whether `path` is named as the files of locks are, such as one that a kill left."""
    return path.name.startswith(".") and path.name.endswith(".lock")


@contextmanager
def locked(lock_file: Path, *, what: str, advice: str) -> Iterator[None]:
    """Hold `lock_file` in the block; it is removed at the end, and means nothing if a kill leaves it.

    On a file system without locks a warning says so, and the block runs.

    Parameters
    ----------
    what
        What the lock is for, as it is named to the user.
    advice
        What to do if another process holds it.

    Raises
    ------
    BusyError
        Another process holds it; nothing is waited for.
    """
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=0)
        if isinstance(lock, SoftFileLock):  # filelock's substitute, which a kill would leave locked
            lock.release()
            raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    except Timeout:
        raise BusyError(f"{what} is being written by another process; {advice}") from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        warnings.warn(
            f"{what} cannot be locked ({error.strerror}): start no second process that writes there",
            stacklevel=1,
        )
    try:
        yield
    finally:
        lock_file.unlink(missing_ok=True)
        lock.release()
