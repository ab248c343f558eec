"""Finished points in one file: a JSON line each, read back by a later run."""

import json
import os
from pathlib import Path
from typing import Any

from mdaug.errors import DataError

Record = dict[str, Any]


class PointStore:
    """Records by key, kept in `path` (JSON lines); every new one is on disk before `add` returns.

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
        self._length = 0  # bytes of whole lines; a torn one after them is cut off by the next `add`
        if path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Record | None:
        return self._records.get(key)

    def add(self, key: str, record: Record) -> None:
        line = (json.dumps({"key": key, **record}, allow_nan=False) + "\n").encode()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.truncate(self._length)
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._length += len(line)
        self._records[key] = record

    def _read(self) -> None:
        try:
            *lines, _torn = self.path.read_bytes().split(b"\n")
        except OSError as error:
            raise DataError(f"{self.path}: cannot read the stored points ({error.strerror})") from error
        self._length = sum(len(line) + 1 for line in lines)
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                self._records[record.pop("key")] = record
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}: expected a JSON object with a key; delete that line "
                    "or give another file with --points"
                ) from error
