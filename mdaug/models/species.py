"""Species of atoms: which row of the embedding each has."""

import numpy as np
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray


def elements_of(frames: FrameSet, atomic_numbers: list[int]) -> IntArray:
    """Return the index (n_atoms,) of each atom's element among a model's.

    Parameters
    ----------
    frames
        Frames of one molecule or crystal.
    atomic_numbers
        The model's elements, ascending.

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """
    unknown = sorted(set(frames.atomic_numbers.tolist()) - set(atomic_numbers))
    if unknown:
        missing, elements = (
            ", ".join(chemical_symbols[z] for z in numbers) for numbers in (unknown, atomic_numbers)
        )
        raise DataError(
            f"{frames.name} has {missing}, which the model was not trained on; its elements are {elements}"
        )
    return np.searchsorted(atomic_numbers, frames.atomic_numbers)


def species_of(frames: FrameSet, atomic_numbers: list[int]) -> IntArray:
    """Return the row (n_atoms,) of the embedding for each atom.

    Rows are those of the elements, then those of the atom types (`MoleculeTemplate.atom_types`).

    Parameters
    ----------
    frames, atomic_numbers
        As for `elements_of`.

    Raises
    ------
    DataError
        The frames have an element that the model does not have.
    """
    elements = elements_of(frames, atomic_numbers)
    if frames.atom_types is None:
        return elements
    return np.where(frames.atom_types < 0, elements, len(atomic_numbers) + frames.atom_types)
