"""Finished points in one file: a JSON line each, read back by a later run."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mdaug.errors import DataError
from mdaug.locks import locked

Record = dict[str, Any]


class PointStore:
    """Records by key, kept in `path` (JSON lines); every new one is on disk at once.

    A line is written at once at the end of the file, so a run that is killed loses at most the points it
    was computing: a torn last line is left out on reading. Files of several runs may be joined by `cat`.

    Raises
    ------
    DataError
        If the file cannot be read, or a line other than the last is not such a record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, Record] = {}
        self._read()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    @contextmanager
    def writing(self) -> Iterator[Callable[[str, Record], None]]:
        """Keep other processes from writing to the file, and give the function that adds a record to it.

        The file is read again before, as another process may have added to it.

        Raises
        ------
        BusyError
            Another process is writing to it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(f".{self.path.name}.lock")
        with locked(lock, what=str(self.path), advice="wait for its end, or take a copy of the file"):
            length = self._read()
            if length is not None:
                os.truncate(self.path, length)
            yield self._add

    def _add(self, key: str, record: Record) -> None:
        line = json.dumps({"key": key, **record}, allow_nan=False) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
        self._records[key] = record

    def _read(self) -> int | None:
        """Read the whole lines and return their bytes together; None where there is no file."""
        try:
            *lines, _torn = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self.path}: cannot read the stored points ({error.strerror})") from error
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                self._records[record.pop("key")] = record
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}: expected a JSON object with a key; delete that line "
                    "or give another file with --points"
                ) from error
        return sum(len(line) + 1 for line in lines)
