"""Requirements of an evaluation: elements of the model, finite positions, a valid cell."""

import numpy as np
from ase import Atoms
from ase.calculators.calculator import CalculatorError
from ase.data import atomic_numbers as number_of
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray
from mdaug.geometry.pairs import check_lattice
from mdaug.models.species import element_indices


class StructureError(DataError, CalculatorError):
    """The model cannot evaluate these atoms; also a ``CalculatorError``, which ASE's tools expect."""


def elements_of(numbers: IntArray, elements: list[str]) -> IntArray:
    """Return each atom's index in `elements`.

    Parameters
    ----------
    numbers
        Atomic numbers (n_atoms,).
    elements
        Symbols of the manifest.

    Raises
    ------
    StructureError
        There is no atom, or an element that the model does not have.
    """
    if len(numbers) == 0:
        raise StructureError("no atoms to evaluate; expected at least one")
    indices = element_indices(numbers, [number_of[symbol] for symbol in elements])
    if (indices < 0).any():
        first = int(np.argmin(indices))
        symbol = chemical_symbols[numbers[first]]
        raise StructureError(
            f"atom {first} is {symbol}, which is not an element of the model ({', '.join(elements)}); "
            "train a model on frames with this element"
        )
    return indices


def check_positions(positions: FloatArray, where: str = "") -> None:
    """Check that positions are finite numbers.

    Parameters
    ----------
    positions
        Shape (n_atoms, 3), Å.
    where
        Begins the message, such as "frame 3: ".

    Raises
    ------
    StructureError
        A position is NaN or infinite.
    """
    if not np.isfinite(positions).all():
        atom = int(np.argwhere(~np.isfinite(positions))[0, 0])
        raise StructureError(
            f"{where}position of atom {atom} is {positions[atom].tolist()}; expected finite numbers"
        )


def cell_of(atoms: Atoms) -> FloatArray | None:
    """Return the cell of periodic atoms (3, 3), Å, or None for a molecule.

    Parameters
    ----------
    atoms
        In non-periodic directions a missing cell vector is replaced by a unit vector.

    Raises
    ------
    StructureError
        A periodic direction has no cell vector, the cell is not finite, or its vectors are parallel.
    """
    if not atoms.pbc.any():
        return None
    missing = atoms.pbc & (atoms.cell.lengths() == 0)
    if missing.any():
        axis = "abc"[int(missing.argmax())]
        raise StructureError(
            f"periodic along {axis}, but the cell lacks that vector; set atoms.cell or atoms.pbc"
        )
    try:
        check_lattice(atoms.cell.array, atoms.cell.lengths() > 0)
    except DataError as error:
        raise StructureError(f"{error}; set atoms.cell") from error
    return atoms.cell.complete().array
