"""Zip files, arrays and JSON of strangers: size, depth and numbers are checked before they are read.

Small files can unpack to gigabytes, nest so deeply that the C stack of Python overflows, state sizes that
wrap 64-bit integers, and contain two members or keys of one name, of which two programs read different ones.
"""

import json
import math
import os
import struct
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

import numpy as np
from numpy.typing import NDArray

from mdaug.errors import DataError

MAX_RATIO = 20
"""An archive may unpack to this times its size: numbers are hardly compressible."""

ALWAYS_ALLOWED = 1 << 28
"""Bytes to which an archive of any size may unpack."""

MAX_DEPTH = 200
"""Containers inside one another in JSON; the files of mdaug have fewer than ten."""

MAX_JSON_BYTES = 1 << 26
"""Bytes of JSON text; the largest files of mdaug have a few million."""

MAX_INTEGER_BITS = 128
"""Bits of an integer in JSON; the states of random generators have 128."""

_ENDS = 56 + 20 + 22
"""Bytes of the three records at the end of a zip file with 64-bit sizes."""


@contextmanager
def open_zip(source: Path | str | BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a zip file for reading, after a check of its members.

    Parameters
    ----------
    source
        Path of the file, or the file open for reading, such as one inside another.

    Raises
    ------
    zipfile.BadZipFile
        The file is no zip file, has two members of one name or overlapping ones, or unpacks to far more bytes
        than it has.
    """
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        assert archive.fp is not None
        size = archive.fp.seek(0, os.SEEK_END)
        name, count = Counter(member.filename for member in members).most_common(1)[0] if members else ("", 1)
        if count > 1:
            raise zipfile.BadZipFile(f"{count} members are named {name}; expected one")
        if sum(member.compress_size for member in members) > size:
            raise zipfile.BadZipFile("its members overlap")
        unpacked = sum(member.file_size for member in members)
        if unpacked > max(ALWAYS_ALLOWED, MAX_RATIO * size):
            raise zipfile.BadZipFile(f"{size} bytes would unpack to {unpacked}, which no data set needs")
        yield archive


def check_layout(archive: zipfile.ZipFile) -> str:
    """Refuse a zip file in which two programs may find different members; return its one folder.

    Torch and the C++ core read the file of a model besides this module. Torch ignores the case of names.

    Parameters
    ----------
    archive
        From `open_zip`.

    Raises
    ------
    zipfile.BadZipFile
        Something follows the end record, the list of members is elsewhere than stated or of another length,
        sizes contradict each other, names differ only in case or have characters beyond ASCII, or there are
        several folders.
    """
    members = archive.infolist()
    if _directory(archive) != (archive.start_dir, len(members)):
        raise zipfile.BadZipFile("its list of members is not where it states, or has another length")
    for member in members:
        if member.compress_type == zipfile.ZIP_STORED and member.compress_size != member.file_size:
            raise zipfile.BadZipFile(f"{member.filename} has other sizes than it states")
    names = [member.orig_filename for member in members]
    if not all(name.isascii() and name.isprintable() for name in names):
        raise zipfile.BadZipFile("the name of a member has characters beyond ASCII")
    name, count = Counter(name.lower() for name in names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        raise zipfile.BadZipFile(f"{count} members are named {name}; expected one")
    folders = {name.partition("/")[0] for name in names}
    if len(folders) != 1:
        raise zipfile.BadZipFile(f"its members are in {len(folders)} folders, expected one folder")
    return folders.pop()


def _directory(archive: zipfile.ZipFile) -> tuple[int, int] | None:
    """Return where the list of members begins by the end records, and its length; None if it is elsewhere."""
    file = archive.fp
    assert file is not None
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _ENDS))
    ends = file.read().rjust(_ENDS, b"\0")
    end = ends[-22:]
    if end[:4] != b"PK\5\6" or end[-2:] != b"\0\0":  # or a comment, which may hold another end record
        return None
    place = size - 22
    count, length, start = struct.unpack("<HLL", end[10:20])
    if ends[-42:-38] == b"PK\6\7":
        place = size - _ENDS
        if struct.unpack("<Q", ends[-34:-26]) != (place,) or ends[:4] != b"PK\6\6":
            return None
        count, length, start = struct.unpack("<QQQ", ends[32:56])
    return (start, count) if start + length == place else None


def damaged_member(path: Path | str) -> str | None:
    """Return the first member of a zip file whose checksum is wrong, None if there is none.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    zipfile.BadZipFile
        See `open_zip`.
    """
    with open_zip(path) as archive:
        return archive.testzip()


def load_npz(path: Path | str) -> dict[str, NDArray]:
    """Return the arrays of an npz file; arrays of Python objects are never loaded.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        The file is no npz file of plain arrays, or an array has fewer bytes than its shape needs.
    OSError
        The file cannot be read.
    """
    try:
        with open_zip(path) as archive:
            arrays = {}
            for member in archive.infolist():
                key = member.filename.removesuffix(".npy")
                if key in arrays:
                    raise ValueError(f"two arrays are named {key}; expected one")
                with archive.open(member) as stream:
                    _check_array(stream, member.filename, member.file_size)
                with archive.open(member) as stream:
                    arrays[key] = np.lib.format.read_array(stream, allow_pickle=False)
            return arrays
    except (OSError, ValueError):
        raise
    except Exception as error:  # a broken file makes zipfile, zlib and numpy raise errors of many kinds
        raise ValueError(str(error) or type(error).__name__) from error


def load_npy(path: Path | str) -> NDArray:
    """Return the array in an npy file; arrays of Python objects are never loaded.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        The file is no npy file of a plain array, or has fewer bytes than its shape needs.
    OSError
        The file cannot be read.
    """
    with open(path, "rb") as stream:
        _check_array(stream, Path(path).name, os.fstat(stream.fileno()).st_size)
        stream.seek(0)
        return np.lib.format.read_array(stream, allow_pickle=False)


def _check_array(stream: IO[bytes], name: str, size: int) -> None:
    """Refuse an array whose shape needs more than `size` bytes, before memory is allocated for it."""
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"{name} has version {version} of numpy's format; expected 1.0 or 2.0")
    shape, _, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects")
    n_bytes = math.prod(shape) * max(1, dtype.itemsize)
    if any(length < 0 for length in shape) or n_bytes > size:
        raise ValueError(f"{name} states a shape of {shape}, for which its bytes do not suffice")


def load_json(path: Path | str) -> dict[str, Any]:
    """Return the JSON object in a file; see `parse_json`.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    OSError
        The file cannot be read.
    ValueError
        It is no regular file, or holds no JSON object that `parse_json` takes.
    """
    with open(path, "rb", opener=_open_without_waiting) as file:
        if not Path(path).is_file():
            raise ValueError("it is no regular file")
        content = parse_json(file.read(MAX_JSON_BYTES + 1))
    if not isinstance(content, dict):
        raise ValueError("it holds no JSON object")
    return content


def read_json(path: Path | str, expected: str) -> dict[str, Any]:
    """Return the JSON object in a file of mdaug.

    Parameters
    ----------
    path
        The file.
    expected
        What the file should be, for the message of the error.

    Raises
    ------
    OSError
        The file cannot be read.
    DataError
        `load_json` does not take it.
    """
    try:
        return load_json(path)
    except ValueError as error:
        raise DataError(f"{path}: not readable JSON ({error}); expected {expected}") from error


def parse_json(text: str | bytes) -> Any:
    """Return the content of JSON text in which every key of an object occurs once and every number is finite.

    Parameters
    ----------
    text
        The text; bytes are UTF-8.

    Raises
    ------
    ValueError
        The text is no JSON, too long, nests too deeply, repeats a key, or has a number that is not finite or
        an integer of more than `MAX_INTEGER_BITS`.
    """
    if len(text) > MAX_JSON_BYTES:
        raise ValueError(f"more than {MAX_JSON_BYTES} bytes")
    if isinstance(text, bytes):
        text = text.decode()  # `json` would accept UTF-16 and UTF-32, which other readers do not
    try:
        content = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_number,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except RecursionError as error:
        raise ValueError("it nests too deeply") from error
    if _too_deep(content):
        raise ValueError("it nests too deeply")
    return content


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file for reading; a pipe that nobody writes to is not waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _too_deep(content: Any) -> bool:
    level = [content]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(content: Any) -> list[Any]:
    """Return the containers in a container."""
    values = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return [value for value in values if isinstance(value, dict | list)]


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        name = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the key {name!r} occurs twice")
    return content


def _finite(text: str) -> float:
    value = float(text)
    return value if math.isfinite(value) else _refuse_number(text)


def _bounded(text: str) -> int:
    if len(text) > MAX_INTEGER_BITS or (value := int(text)).bit_length() > MAX_INTEGER_BITS:
        _refuse_number(text[:40])
    return value


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number of JSON, or too large")
