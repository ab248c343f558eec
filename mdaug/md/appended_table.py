"""A table on the disk that grows a row at a time and is cut back where a resumed run goes on."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self


class Table:
    """Appends rows of a step and of numbers to a CSV file.

    Numbers are written with as many digits as a float64 needs to be read back the same, so that a drift of
    1e-9 eV survives an offset of thousands of eV.

    Parameters
    ----------
    path
        The file.
    columns
        Their names; the first one is the step.
    keep_bytes
        None: start a new file. Otherwise keep that many bytes of the old one and append.
    """

    def __init__(self, path: Path, columns: Sequence[str], keep_bytes: int | None) -> None:
        self._file = path.open("w" if keep_bytes is None else "r+", encoding="ascii", newline="")
        if keep_bytes is None:
            self._file.write(",".join(columns) + "\n")
        else:
            self._file.truncate(keep_bytes)
            self._file.seek(0, os.SEEK_END)

    def append(self, step: int, *values: float) -> None:
        """Append one row."""
        self._file.write(f"{step}," + ",".join(repr(float(value)) for value in values) + "\n")

    def sync(self) -> int:
        """Put everything on the disk and return the size in bytes."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Write what is buffered and close."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
