"""Store of finished single points: a file of JSON lines with one record each, identified by a hash of the
geometry."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms

from mdaug.archives import parse_json
from mdaug.errors import DataError
from mdaug.frames import FloatArray
from mdaug.locks import locked
from mdaug.quantum.level import Level

DECIMALS = 6
"""Distances (Å) that agree to this many decimals count as equal."""


PointKind = Literal["restricted", "unrestricted", "core"]
"""Kinds of records of a geometry: total energies, and the correlation energy of the core electrons."""


def point_key(atoms: Atoms, level: Level, kind: PointKind) -> str:
    """Return the key under which a record of a geometry is stored.

    Each atom is described by its element and the sorted list of its distances to the others with their
    elements; the key is a hash of the sorted list of atoms. It does not change under translation, rotation,
    reflection and exchange of atoms of one element, nor does the energy, so equivalent bonds of a symmetric
    molecule are computed once. With forces, which do change, the key is a hash of the positions.

    Parameters
    ----------
    atoms
        The geometry.
    level
        Level of theory.
    kind
        Kind of the record.
    """
    if level.forces:
        described = [(int(z), *row) for z, row in zip(atoms.numbers, _rounded(atoms.positions), strict=True)]
        described.append((0, "with forces"))
    else:
        described = sorted(_surroundings(atoms))
    text = f"{level.identity}|{kind}|{described}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _surroundings(atoms: Atoms) -> list[tuple[Any, ...]]:
    distances = _rounded(atoms.get_all_distances())
    numbers = atoms.numbers.tolist()
    return [
        (numbers[i], tuple(sorted((numbers[j], distances[i][j]) for j in range(len(atoms)) if j != i)))
        for i in range(len(atoms))
    ]


def _rounded(values: FloatArray) -> list[Any]:
    # −0.0 and 0.0 have different texts; adding zero makes both 0.0
    return (np.round(values, DECIMALS) + 0.0).tolist()


Record = dict[str, Any]


class PointStore:
    """Store of records by key in a file of JSON lines.

    Each new record is appended and synced to disk immediately, so a killed run loses only the points it was
    computing; an incomplete last line is ignored on reading. Files of several runs may be joined by `cat`.

    Parameters
    ----------
    path
        The file; it need not exist.
    other_file
        Advice in the message about a line that is no record: how to use another file.

    Raises
    ------
    DataError
        The file cannot be read, or a line other than the last is not a record.
    """

    def __init__(self, path: Path, other_file: str = "give another file with --points") -> None:
        self.path, self._other_file = path, other_file
        self._records: dict[str, Record] = {}
        self._read()

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: str) -> Record | None:
        """Return the record of a key, None if there is none.

        Parameters
        ----------
        key
            From `point_key`.
        """
        return self._records.get(key)

    @contextmanager
    def writing(self) -> Iterator[Callable[[str, Record], None]]:
        """Lock the file during a block; the context is the function that adds a record under a key.

        The file is read again first, as another process may have added records.

        Raises
        ------
        BusyError
            Another process is writing to the file.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = self.path.with_name(f".{self.path.name}.lock")
        with locked(lock, what=str(self.path), advice="wait until it ends, or work on a copy of the file"):
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
        """Read the complete lines and return their total length in bytes, None if there is no file."""
        try:
            *lines, _incomplete = self.path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DataError(f"{self.path}: cannot read the stored points ({error.strerror})") from error
        for number, line in enumerate(lines, start=1):
            try:
                record = parse_json(line)
                self._records[record.pop("key")] = record
            except (ValueError, KeyError, AttributeError, TypeError) as error:
                raise DataError(
                    f"{self.path}, line {number}: expected a JSON object with a key ({error}); delete that "
                    f"line or {self._other_file}"
                ) from error
        return sum(len(line) + 1 for line in lines)
