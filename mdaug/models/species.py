"""Species of atoms: which row of the embedding each has."""

from collections.abc import Iterable, Sequence

import numpy as np
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray


def element_indices(numbers: IntArray, elements: Sequence[int]) -> IntArray:
    """Return the index of each atom's element among those of a model, shape (n_atoms,).

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    elements
        Atomic numbers of the model's elements.

    Returns
    -------
    IntArray
        −1 for an element that the model does not have.
    """
    places = {number: index for index, number in enumerate(elements)}
    return np.array([places.get(int(number), -1) for number in numbers], dtype=np.int64)


def elements_of_frames(frames: FrameSet, atomic_numbers: list[int]) -> IntArray:
    """Return the index (n_atoms,) of each atom's element among a model's.

    Parameters
    ----------
    frames
        Frames of one molecule or crystal.
    atomic_numbers
        The model's elements.

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """
    indices = element_indices(frames.atomic_numbers, atomic_numbers)
    unknown = sorted(set(frames.atomic_numbers[indices < 0].tolist()))
    if unknown:
        missing, elements = (
            ", ".join(chemical_symbols[z] for z in numbers) for numbers in (unknown, atomic_numbers)
        )
        raise DataError(
            f"{frames.name} has {missing}, which the model was not trained on; its elements are {elements}"
        )
    return indices


def species_of(frames: FrameSet, atomic_numbers: list[int]) -> IntArray:
    """Return the row (n_atoms,) of the embedding for each atom.

    Rows are those of the elements, then those of the atom types (`MoleculeTemplate.atom_types`).

    Parameters
    ----------
    frames, atomic_numbers
        As for `elements_of_frames`.

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """
    elements = elements_of_frames(frames, atomic_numbers)
    if frames.atom_types is None:
        return elements
    return embedding_rows(elements, frames.atom_types, len(atomic_numbers))


def embedding_rows(elements: IntArray, atom_types: IntArray, n_elements: int) -> IntArray:
    """Return the row (n_atoms,) of the embedding for each atom.

    Parameters
    ----------
    elements
        Shape (n_atoms,), index of each atom's element.
    atom_types
        Shape (n_atoms,); −1 for an atom without one.
    n_elements
        Number of elements of the model.
    """
    return np.where(atom_types < 0, elements, n_elements + atom_types)


def types_of_atoms(n_atoms: int, types: Iterable[IntArray], molecules: Iterable[IntArray]) -> IntArray:
    """Return the atom types (n_atoms,) of a structure; −1 for an atom without one.

    Parameters
    ----------
    n_atoms
        Number of atoms of the structure.
    types
        For each template the types of its atoms.
    molecules
        For each template the atoms of its molecules, (n_molecules, n_atoms of the template).
    """
    of_atoms = np.full(n_atoms, -1)
    for of_template, atoms in zip(types, molecules, strict=True):
        of_atoms[atoms] = of_template
    return of_atoms
