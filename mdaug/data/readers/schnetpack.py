"""ASE databases of SchNetPack 2: labels in the data of each row, their units in the metadata."""

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.db.row import AtomsRow

from mdaug.data.isolated_atoms import is_isolated
from mdaug.data.readers.ase_outputs import SQLITE_MAGIC, read_only, sqlite_database
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.from_atoms import choose_labels
from mdaug.data.readers.stresses import is_stress, is_virial
from mdaug.data.readers.systems import systems_from_atoms
from mdaug.data.reading import Reading
from mdaug.data.stated_units import (
    StatedUnits,
    energy_unit,
    factor_of_stress,
    factor_of_virial,
    force_unit,
    length_unit,
)
from mdaug.errors import DataError

UNITS_KEY, LENGTH_KEY = "_property_unit_dict", "_distance_unit"


def _sniff(path: Path, head: bytes) -> bool:
    """Return whether the file is an ASE database whose metadata has SchNetPack's units."""
    if not head.startswith(SQLITE_MAGIC):
        return False
    try:
        with closing(read_only(path)) as connection:
            return UNITS_KEY in _metadata(connection)
    except (sqlite3.Error, OSError, ValueError):
        return False


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read all rows; single-atom energies (``atomrefs``) of the metadata are not subtracted."""
    images, stated = _structures(path, reading)
    return [replace(contents, units=stated) for contents in systems_from_atoms(images, path, reading)]


def _structures(path: Path, reading: Reading) -> tuple[list[Atoms], StatedUnits]:
    """Return the structures of all rows, stresses in energy by cubic length, and the units of the rest."""
    with sqlite_database(path) as database:
        metadata = database.metadata
        units = {str(name): unit for name, unit in metadata[UNITS_KEY].items()}
        images = [_structure(row, units) for row in database.select()]
    if not images:
        raise DataError(f"{path}: holds no frame")
    n, example = next(((n, a) for n, a in enumerate(images) if not is_isolated(a)), (0, images[0]))
    energy, forces, _ = choose_labels(example, reading, f"{path}: frame {n}")
    stated = _units(units, str(metadata.get(LENGTH_KEY, "Ang")), energy, forces, path)
    for name in filter(is_stress, units):
        to_stated = factor_of_virial if is_virial(name) else factor_of_stress
        factor = to_stated(str(units[name] or ""), stated, f"{path}: metadata: {name}")
        for atoms in images:
            if name in atoms.info:
                atoms.info[name] = factor * atoms.info[name]
    return images, stated


def _structure(row: AtomsRow, properties: Iterable[str]) -> Atoms:
    """Return the structure of a row with its numbers and stresses in ``info``, the rest in ``arrays``."""
    atoms = row.toatoms()
    for name in properties:
        if name not in row.data:
            continue
        values = np.asarray(row.data[name], dtype=np.float64)
        if values.size == 1:
            atoms.info[name] = float(values.reshape(()))
        elif is_stress(name):
            atoms.info[name] = values.ravel()
        elif values.shape == (len(atoms), 3):
            atoms.arrays[name] = values
    return atoms


def _units(units: Mapping[str, Any], length: str, energy: str, forces: str | None, path: Path) -> StatedUnits:
    """Return the units that the metadata state for the chosen labels; forces default to energy by length."""
    where = f"{path}: metadata"
    length_name = length_unit(length, where)
    energy_name = energy_unit(str(units[energy]), f"{where}: {energy}")
    if forces is None or not units.get(forces):
        return StatedUnits(energy_name, energy_name, length_name, length_name)
    return StatedUnits(energy_name, *force_unit(str(units[forces]), f"{where}: {forces}"), length_name)


def _metadata(connection: sqlite3.Connection) -> dict[str, Any]:
    rows = connection.execute("SELECT value FROM information WHERE name = 'metadata'").fetchall()
    metadata = json.loads(rows[0][0]) if rows else {}
    return metadata if isinstance(metadata, dict) else {}


READER = Reader("ASE database of SchNetPack", _sniff, _read)
