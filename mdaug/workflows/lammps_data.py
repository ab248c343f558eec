"""Data files for LAMMPS whose atoms are in the order that the baseline of a model needs."""

import io
from collections.abc import Mapping
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
    if path.exists() and not overwrite:
        raise DataError(f"{path} exists; name another file with --out, or replace it with --overwrite")
    elements = list(manifest["elements"])
    elements_of(atoms.numbers, elements)
    check_positions(atoms.positions)
    ordered = in_box(atoms[molecule_order(make_finder(manifest), atoms)])
    text = io.StringIO()
    write_lammps_data(text, ordered, specorder=elements, masses=True, atom_style="atomic")
    write_text(path, text.getvalue())
    return ordered


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
