"""Energies of isolated atoms as the user states them: a table, or text such as ``H=-13.6, C=-1029.5``."""

import math
from collections.abc import Mapping
from typing import Any

from ase.data import atomic_numbers

from mdaug.units import EV_PER_ENERGY_UNIT

UNITS_KEY = "units"
"""Key of the energy unit in the table or text; eV without it."""


def parse_e0s(value: object) -> dict[str, float] | None:
    """Return the energies (eV) of isolated atoms by symbol.

    Parameters
    ----------
    value
        A table of energies by symbol, which may have the key ``units``; the same as text (``H=-0.5, C=-37.8,
        units=Hartree``); or None.

    Raises
    ------
    ValueError
        For what is no symbol of an element, no number, or no unit.
    """
    if value is None:
        return None
    table = _from_text(value) if isinstance(value, str) else value
    if not isinstance(table, Mapping) or not table:
        raise ValueError("expected energies by element, such as H=-13.6, C=-1029.5")
    content = dict(table)
    unit = content.pop(UNITS_KEY, "eV")
    if unit not in EV_PER_ENERGY_UNIT:
        raise ValueError(f"units = {unit!r}; expected one of {', '.join(EV_PER_ENERGY_UNIT)}")
    return {str(symbol): EV_PER_ENERGY_UNIT[unit] * _energy(symbol, e) for symbol, e in content.items()}


def _from_text(text: str) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for part in text.split(","):
        symbol, equals, energy = (word.strip() for word in part.partition("="))
        if not equals or symbol in table:
            raise ValueError(f"{part.strip()!r}; expected each element once, such as H=-13.6, C=-1029.5")
        table[symbol] = energy
    return table


def _energy(symbol: object, energy: Any) -> float:
    if symbol not in atomic_numbers or symbol == "X":
        raise ValueError(f"{symbol!r} is no symbol of an element; expected such as H=-13.6, C=-1029.5")
    try:
        number = float(energy)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"{symbol} = {energy!r}; expected the energy of an isolated atom")
    return number
