"""Symbols of elements in files to atomic numbers, and whether all frames have the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from ase.data import atomic_numbers
from numpy.typing import NDArray

from mdaug.data.reading import Reading
from mdaug.errors import DataError, OrderError


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


def whole_numbers(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return values that must be whole numbers as integers, shape as given.

    Parameters
    ----------
    values
        Numbers of any kind.
    where
        File and key, for the message.

    Raises
    ------
    DataError
        If they are no whole numbers.
    """
    is_whole = values == np.round(values) if values.dtype.kind in "iuf" else np.zeros(values.shape, np.bool_)
    if not is_whole.all():
        first = values[~is_whole].tolist()[0]
        raise DataError(f"{where}: {first!r} is no whole number; expected integers (atomic numbers: 8 for O)")
    return values.astype(np.int64)


def check_same_atoms(numbers: Sequence[NDArray[np.int64]], where: str, reading: Reading) -> None:
    """Refuse frames of several systems, and those of one in several orders without `Reading.reorder`.

    Parameters
    ----------
    numbers
        Atomic numbers of each frame.
    where
        The file, for the message.
    reading
        Whether the atoms are to be reordered.

    Raises
    ------
    DataError
        If a frame has other atoms than the first, or in another order (`OrderError`).
    """
    sorted_of_first = np.sort(numbers[0])
    for n, of_frame in enumerate(numbers):
        if np.array_equal(of_frame, numbers[0]):
            continue
        same = np.array_equal(np.sort(of_frame), sorted_of_first)
        if same and reading.reorder:
            continue
        what = "the atoms in another order" if same else "other atoms"
        advice = "read them with --reorder" if same else "split the file"
        raise (OrderError if same else DataError)(
            f"{where}: frame {n} has {what} than frame 0; expected one system with one order of atoms: "
            f"{advice}"
        )
