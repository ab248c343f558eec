"""Atoms that an engine is asked about: their elements must be the model's, their positions numbers."""

import numpy as np
from ase.calculators.calculator import CalculatorError
from ase.data import atomic_numbers as number_of
from ase.data import chemical_symbols

from mdaug.errors import DataError
from mdaug.frames import FloatArray, IntArray


class StructureError(DataError, CalculatorError):
    """The model has nothing to say about these atoms; a ``CalculatorError`` too, as ASE's tools expect."""


def species_of(numbers: IntArray, elements: list[str]) -> IntArray:
    """Return each atom's index (n_atoms,) in `elements`, the symbols of the manifest.

    Raises
    ------
    StructureError
        There is no atom, or an element that the model does not know.
    """
    if len(numbers) == 0:
        raise StructureError("no atoms to evaluate; expected at least one")
    known = [number_of[symbol] for symbol in elements]
    strange = [n for n, number in enumerate(numbers) if number not in known]
    if strange:
        symbol = chemical_symbols[numbers[strange[0]]]
        raise StructureError(
            f"atom {strange[0]} is {symbol}, which the model does not know (it knows {', '.join(elements)}); "
            "train a model on frames with this element"
        )
    return np.array([known.index(number) for number in numbers], dtype=np.int64)


def check_positions(positions: FloatArray, where: str = "") -> None:
    """Refuse positions (n_atoms, 3) that are NaN or infinite with a StructureError; `where` begins it."""
    if not np.isfinite(positions).all():
        atom = int(np.argwhere(~np.isfinite(positions))[0, 0])
        raise StructureError(
            f"{where}position of atom {atom} is {positions[atom].tolist()}; expected finite numbers"
        )
