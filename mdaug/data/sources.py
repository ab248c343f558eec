"""DATA to its files: a file, a folder, a pattern such as ``frames/*.xyz``, a group of an HDF5 file."""

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mdaug.data.datasets import is_named_set
from mdaug.data.readers import deepmd
from mdaug.data.readers.hdf5 import split_group
from mdaug.errors import DataError


def find_files(data: str | Path) -> list[Path]:
    """Return what is read for `data`, in natural order (2 before 10).

    Parameters
    ----------
    data
        A file, the group of an HDF5 file (``FILE#GROUP``), a folder or a pattern. Of a folder, all systems of
        DeePMD-kit below it, or, where there is none, all files in it but hidden ones.

    Returns
    -------
    paths
        Files and folders of DeePMD-kit's systems; `data` itself if there is no such file or folder.

    Raises
    ------
    DataError
        If the folder holds no file, or no file matches the pattern.
    """
    path = Path(data)
    if path.is_dir():
        return _in_folder(path)
    if path.exists() or split_group(path) is not None or not glob.has_magic(str(data)):
        return [path]
    matched = [match for match in _matches(str(data)) if match.is_file() or deepmd.is_system(match)]
    if not matched:
        raise DataError(f"{data}: no file matches this pattern")
    return sorted(matched, key=_natural)


def names_files(data: str) -> bool:
    """Return whether there are files that `find_files` would read.

    Parameters
    ----------
    data
        As for `find_files`.
    """
    path = Path(data)
    return not is_named_set(data) and (path.exists() or split_group(path) is not None or bool(_matches(data)))


def beside(folder: Path, data: str) -> str:
    """Return `data` in a folder if it names files there, and as it is if not.

    Parameters
    ----------
    folder
        Folder that a relative path is relative to.
    data
        As for `find_files`, or the name of a set, which a folder of that name does not hide.
    """
    place = folder / data
    return str(place) if place.is_file() or (not is_named_set(data) and names_files(str(place))) else data


def in_full(data: str) -> str:
    """Return `data` with an absolute path if it names files, and as it is if it does not.

    Parameters
    ----------
    data
        As for `find_files`, or the name of a set.
    """
    if not names_files(data):
        return data
    return str(Path.cwd() / data if _matches(data) else Path(data).resolve())


def _matches(data: str) -> list[Path]:
    return [Path(name) for name in glob.glob(data, recursive=True)] if glob.has_magic(data) else []


def _in_folder(folder: Path) -> list[Path]:
    if deepmd.is_system(folder):
        return [folder]
    systems = [path for path in _folders_below(folder) if deepmd.is_system(path)]
    paths = systems or [path for path in folder.iterdir() if path.is_file() and path.name[0] != "."]
    if not paths:
        raise DataError(f"{folder}: the folder holds no file and no system of DeePMD-kit")
    return sorted(paths, key=_natural)


def _folders_below(folder: Path) -> Iterator[Path]:
    """Yield each folder below once, those behind symbolic links too, which may form circles."""
    seen = set()
    for parent, folders, _ in os.walk(folder, followlinks=True):
        place = os.path.realpath(parent)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)
        folders.sort()
        yield Path(parent)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Return a key that sorts numbers in names by value."""
    parts = re.split(r"(\d+)", str(path))
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]
