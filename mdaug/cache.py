"""Cache folder for downloads and compiled libraries, and a check that no other user could write a library.

Imports only the standard library, as every start of `lmp` imports this module.
"""

import os
import stat
from pathlib import Path

from mdaug.errors import MDAugError

ADVICE = "remove it, or set MDAUG_CACHE to a folder of your own"


class UntrustedFileError(MDAugError, OSError):
    """A compiled library that another user may have written; it is not loaded."""


def cache_folder() -> Path:
    """Return the cache folder, whether it exists or not.

    It is ``$MDAUG_CACHE``, or else the user's cache folder, or, if the user has no home folder or cannot
    write to it, a folder among the temporary files, whose libraries `check_private` protects like all others.
    """
    stated = os.environ.get("MDAUG_CACHE")
    if stated:
        return Path(stated)
    from platformdirs import user_cache_path  # imported here, where a failure does not stop LAMMPS

    try:
        folder = user_cache_path("mdaug")
    except RuntimeError:  # neither HOME nor an entry in the table of users
        return _temporary_folder()
    if not folder.is_absolute():  # older platformdirs return "~/.cache"
        return _temporary_folder()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return folder if existing == folder or os.access(existing, os.W_OK) else _temporary_folder()


def _temporary_folder() -> Path:
    import tempfile

    return Path(tempfile.gettempdir()) / f"mdaug-{os.getuid()}"


def private_folder(name: str) -> Path:
    """Return a folder in the cache for compiled libraries, created so that only its owner may write to it.

    Parameters
    ----------
    name
        Name of the folder in the cache.

    Raises
    ------
    UntrustedFileError
        It exists, and other users may write to it.
    OSError
        It cannot be created.
    """
    folder = cache_folder() / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        folder.mkdir(mode=0o755, exist_ok=True)
        folder.chmod(0o755)  # whatever the umask
    check_private(folder)
    return folder


def make_private(path: Path) -> None:
    """Remove the permission of other users to write to a file or folder.

    Parameters
    ----------
    path
        A file or folder of this user.
    """
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~(stat.S_IWGRP | stat.S_IWOTH))


def check_private(*paths: Path) -> None:
    """Refuse files and folders that other users own or may write to: loading a library runs its code.

    For a library, check the file and its folder. The folders above need no check: if another user replaced
    the private folder, the new one would not be owned by this user.

    Parameters
    ----------
    *paths
        Existing files and folders; those of root are trusted.

    Raises
    ------
    UntrustedFileError
        Another user owns one of them, or may write to it.
    """
    if not hasattr(os, "getuid"):
        return
    for path in paths:
        status = path.stat()
        if status.st_uid not in (os.getuid(), 0):
            reason = f"belongs to another user (number {status.st_uid})"
        elif status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            reason = f"can be written by other users (mode {stat.S_IMODE(status.st_mode):o})"
        else:
            continue
        raise UntrustedFileError(f"{path} {reason}, so that no compiled code is loaded from it; {ADVICE}")
