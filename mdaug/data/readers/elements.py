"""Symbols of elements in files to atomic numbers."""

from collections.abc import Sequence

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mdaug.errors import DataError


def numbers_of_symbols(symbols: Sequence[str], where: str) -> NDArray[np.int64]:
    """Return atomic numbers, shape (n_symbols,).

    Parameters
    ----------
    symbols
        Symbols of elements.
    where
        File and place in it, for the message.

    Raises
    ------
    DataError
        If one is no element.
    """
    unknown = [symbol for symbol in symbols if symbol not in atomic_numbers]
    if unknown:
        raise DataError(f"{where}: {unknown[0]!r} is no element; expected a symbol, as H or Cl")
    return np.array([atomic_numbers[symbol] for symbol in symbols], dtype=np.int64)
