"""Files for LAMMPS: a structure in the order of atoms that a model needs, and an input that reads it."""

import io
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.io.lammpsdata import write_lammps_data

from mdaug.calculators.evaluators import make_finder
from mdaug.calculators.molecules import molecule_order
from mdaug.calculators.structures import cell_of, check_positions, elements_of
from mdaug.errors import DataError
from mdaug.files import write_text
from mdaug.geometry.rigid_motion import n_rigid_motions
from mdaug.workflows.settings.inputs import inputs_folder

MARGIN = 10.0
"""Free space around a structure in directions without a period, Å."""


def write_data_file(
    path: Path, atoms: Atoms, manifest: Mapping[str, Any], *, overwrite: bool = False
) -> Atoms:
    """Write a structure as a LAMMPS data file (atom style atomic, Å), and return its atoms as written.

    Atom types are the elements of the model, in its order. With a baseline the molecules follow each other,
    each one's atoms in the order of its template.

    Parameters
    ----------
    path
        The data file.
    atoms
        The structure.
    manifest
        Manifest of the model that will evaluate it.
    overwrite
        Whether to replace an existing file.

    Raises
    ------
    DataError
        The file exists, or the model cannot evaluate the structure.
    """
    _refuse_existing(path, overwrite=overwrite)
    elements = list(manifest["elements"])
    elements_of(atoms.numbers, elements)
    check_positions(atoms.positions)
    ordered = in_box(atoms[molecule_order(make_finder(manifest), atoms)])
    text = io.StringIO()
    write_lammps_data(text, ordered, specorder=elements, masses=True, atom_style="atomic")
    write_text(path, text.getvalue())
    return ordered


def write_input(
    data: Path, atoms: Atoms, manifest: Mapping[str, Any], model: Path, *, overwrite: bool = False
) -> Path:
    """Write a data file and an input for NVE dynamics that reads it, and return the path of the input.

    The input is the shipped ``molecule.in`` with other values of its variables.

    Parameters
    ----------
    data, atoms, manifest, overwrite
        As for `write_data_file`.
    model
        Path of the model.

    Raises
    ------
    DataError
        One of the files exists, or the model cannot evaluate the structure.
    """
    path = data.with_suffix(".in")
    if path == data:
        raise DataError(f"{data}: the input gets this name; expected another ending, such as .data")
    for each in (data, model):
        if set('"$') & set(str(each)):
            raise DataError(f'{each}: LAMMPS cannot read a name with " or $; expected another one')
    for each in (data, path):
        _refuse_existing(each, overwrite=overwrite)
    ordered = write_data_file(data, atoms, manifest, overwrite=overwrite)
    values = {
        "model": model,
        "data": data,
        "elements": " ".join(manifest["elements"]),
        "boundary": " ".join("p" if periodic else "f" for periodic in ordered.pbc),
        "rigid": n_rigid_motions(ordered),
    }
    text = (inputs_folder() / "molecule.in").read_text(encoding="utf-8")
    for name, value in values.items():
        line = re.compile(rf'^(variable +{name} index )("[^"]*"|\S+)', re.MULTILINE)
        text = line.sub(partial(_with_value, value), text)
    write_text(path, text)
    return path


def _with_value(value: object, found: re.Match[str]) -> str:
    return f'{found[1]}"{value}"'


def _refuse_existing(path: Path, *, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise DataError(f"{path} exists; name another file with --out, or replace it with --overwrite")


def in_box(atoms: Atoms) -> Atoms:
    """Return atoms with a cell vector in each direction; a box around them where there is no period.

    Parameters
    ----------
    atoms
        The structure.
    """
    boxed = atoms.copy()
    if atoms.pbc.all():
        return boxed
    low, high = atoms.positions.min(axis=0), atoms.positions.max(axis=0)
    if not atoms.pbc.any():
        boxed.set_cell(high - low + 2 * MARGIN)
        boxed.positions += MARGIN - low
        return boxed
    cell = cell_of(atoms)
    assert cell is not None  # a direction has a period
    for axis in np.flatnonzero(~atoms.pbc):
        normal = np.cross(cell[(axis + 1) % 3], cell[(axis + 2) % 3])
        normal /= np.linalg.norm(normal)
        height = atoms.positions @ normal
        cell[axis] = normal * (np.ptp(height) + 2 * MARGIN)
        boxed.positions += normal * (MARGIN - height.min())
    boxed.set_cell(cell)
    return boxed
