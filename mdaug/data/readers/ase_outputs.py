"""ASE databases and trajectories, and outputs of AIMD codes that ASE parses; all in eV after parsing.

Only formats that are data or text are listed: none of them can run code when read.
"""

import sqlite3
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import ase.db
import ase.io
from ase import Atoms
from ase.db.core import Database
from ase.db.sqlite import SQLite3Database

from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.systems import systems_from_atoms
from mdaug.data.reading import Reading
from mdaug.errors import DataError

SQLITE_MAGIC = b"SQLite format 3\x00"


def _reader(name: str, magic: tuple[bytes, ...], images: Callable[[Path], list[Atoms]]) -> Reader:
    """Return a reader of files whose head holds one of `magic`."""

    def sniff(path: Path, head: bytes) -> bool:
        return any(word in head for word in magic)

    def structures_of(path: Path) -> list[Atoms]:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return images(path)
        except Exception as error:  # ASE's parsers raise whatever they meet
            raise DataError(
                f"{path}: looks like {name} but ASE cannot read it ({type(error).__name__}: {error}); "
                "is the run finished and the file whole?"
            ) from error

    def read(path: Path, reading: Reading) -> list[Contents]:
        return systems_from_atoms(structures_of(path), path, reading)

    return Reader(name, sniff, read)


def _images(ase_format: str) -> Callable[[Path], list[Atoms]]:
    def images(path: Path) -> list[Atoms]:
        return list(ase.io.iread(path, index=":", format=ase_format, do_not_split_by_at_sign=True))

    return images


def _gaussian(path: Path) -> list[Atoms]:
    """Return the structures of a Gaussian output if they are in the frame of its forces.

    Forces are printed for the input orientation; without it ASE pairs them with rotated coordinates.
    """
    text = path.read_text(errors="replace")
    if "Standard orientation:" in text and "Input orientation:" not in text:
        raise ValueError(
            "coordinates are in standard orientation only, forces are not: run Gaussian with NoSymm"
        )
    return _images("gaussian-out")(path)


def _json_rows(path: Path) -> list[Atoms]:
    """Return the structures of an ASE database in JSON."""
    return _structures(ase.db.connect(path, type="json"))


def sqlite_rows(path: Path) -> list[Atoms]:
    """Return the structures of an ASE database in SQLite, which is opened read-only.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        The database is of another program.
    """
    with sqlite_database(path) as database:
        return _structures(database)


@contextmanager
def sqlite_database(path: Path) -> Iterator[Database]:
    """Open an ASE database in SQLite read-only.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    ValueError
        The database is of another program.
    """
    with closing(read_only(path)) as connection:
        _check_tables(connection)
        database = SQLite3Database(str(path.resolve()), use_lock_file=False)
        # ASE would open the file for writing, and add its tables to a database of another kind
        database.connection = connection  # type: ignore[assignment]
        database.change_count = 0
        yield database


def _structures(database: Database) -> list[Atoms]:
    """Return the structures of an ASE database, their key-value pairs in ``info``."""
    structures = []
    for row in database.select():
        atoms = row.toatoms()
        atoms.info |= row.key_value_pairs
        structures.append(atoms)
    return structures


def read_only(path: Path) -> sqlite3.Connection:
    """Open a SQLite database without writing to it or, where that is possible, beside it.

    Parameters
    ----------
    path
        The file.
    """
    in_use = any(path.with_name(path.name + end).exists() for end in ("-wal", "-journal"))
    # an immutable file gets no lock and no files beside it, but changes in a journal are not seen
    uri = f"{path.resolve().as_uri()}?{'mode=ro' if in_use else 'mode=ro&immutable=1'}"
    return sqlite3.connect(uri, uri=True, timeout=20)


def _check_tables(connection: sqlite3.Connection) -> None:
    """Refuse a SQLite database of another kind."""
    columns = {row[1] for row in connection.execute("PRAGMA table_info(systems)")}
    if not {"numbers", "positions", "cell"} <= columns:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        raise ValueError(
            f"a SQLite database without ASE's table of systems; its tables: {', '.join(tables[:8]) or 'none'}"
        )


READERS = (
    _reader("VASP vasprun.xml", (b"<modeling>",), _images("vasp-xml")),
    _reader("VASP OUTCAR", (b" vasp.",), _images("vasp-out")),
    _reader("ORCA output", (b"* O   R   C   A *",), _images("orca-output")),
    _reader("Gaussian output", (b"Entering Gaussian System",), _gaussian),
    _reader("FHI-aims output", (b"Invoking FHI-aims ...",), _images("aims-output")),
    _reader("Quantum ESPRESSO output", (b"Program PWSCF",), _images("espresso-out")),
    _reader("ASE trajectory", (b"ASE-Trajectory",), _images("traj")),
    _reader("ASE database (SQLite)", (SQLITE_MAGIC,), sqlite_rows),
    _reader("ASE database (JSON)", (b'{"1": {',), _json_rows),
)
