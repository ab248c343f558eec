"""Charge and multiplicity of frames, under the names that programs give them."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdaug.errors import DataError

CHARGES = ("charge", "total_charge", "molecular_charge")
"""Names of the total charge, e: in FAIRchem and ORB, in MACE and SchNetPack, in QCSchema."""

MULTIPLICITIES = ("multiplicity", "spin_multiplicity", "molecular_multiplicity")
"""Names of 2S + 1: in extended xyz of mdaug, in SchNetPack, in QCSchema."""

SPINS = ("total_spin", "spin")
"""Names that are 2S + 1 in MACE (``total_spin``), FAIRchem and ORB (``spin``), but S or 2S elsewhere.

They are read only where no multiplicity is stated and the number of electrons allows 2S + 1, which it never
does together with 2S.
"""

NAMES = (*CHARGES, *MULTIPLICITIES, *SPINS)


class State(NamedTuple):
    """Charge (e) and multiplicity 2S + 1 of a frame; None where not stated."""

    charge: float | None = None
    multiplicity: int | None = None

    def __str__(self) -> str:
        stated = ((name, value) for name, value in self._asdict().items() if value is not None)
        return ", ".join(f"{name} {value:g}" for name, value in stated)


def read_state(records: Mapping[str, Any], n_protons: int, where: str) -> State:
    """Return the charge and the multiplicity that the records of a frame state.

    Parameters
    ----------
    records
        Records by name; others than `NAMES` are ignored.
    n_protons
        Sum of the atomic numbers.
    where
        File and frame, for messages.

    Raises
    ------
    DataError
        A charge is no finite number, a multiplicity no whole number from 1, or two names have two values.
    """
    charge = _agreed(records, CHARGES, np.isfinite, "a finite number of elementary charges", where)
    expected = "2S + 1, a whole number from 1"
    multiplicity = _agreed(records, MULTIPLICITIES, lambda m: m >= 1 and m % 1 == 0, expected, where)
    if multiplicity is None:
        multiplicity = _of_spins(records, n_protons - (charge or 0.0))
    return State(charge, None if multiplicity is None else int(multiplicity))


def read_states(arrays: Mapping[str, NDArray[Any]], n_frames: int, n_protons: int, where: str) -> list[State]:
    """Return the state of each frame from arrays with one value, or one for each frame.

    Parameters
    ----------
    arrays
        Arrays by name; others than `NAMES` are ignored.
    n_frames
        Number of frames.
    n_protons, where
        As for `read_state`; `where` is the file.

    Raises
    ------
    DataError
        As `read_state`, and for arrays of other shapes.
    """
    columns = {}
    for name in filter(arrays.__contains__, NAMES):
        values = np.asarray(arrays[name])
        if values.size in (1, n_frames) and values.dtype.kind in "biuf":
            columns[name] = np.broadcast_to(values.ravel().astype(np.float64), n_frames)
        elif name not in SPINS:  # which may be those of atoms
            raise DataError(
                f"{where}: key {name} is of type {values.dtype} and shape {values.shape}; expected one "
                f"number, or one for each of {n_frames} frames: correct or rename it"
            )
    if not columns or n_frames == 0:
        return [State()] * n_frames
    rows, first, member = np.unique(
        np.stack(list(columns.values()), axis=1), axis=0, return_index=True, return_inverse=True
    )
    of_row = {
        k: read_state(
            dict(zip(columns, rows[k].tolist(), strict=True)), n_protons, f"{where}: frame {first[k]}"
        )
        for k in np.argsort(first).tolist()
    }
    return [of_row[k] for k in member.reshape(-1).tolist()]


def only_state(states: Sequence[State], where: str) -> State:
    """Return the state that all frames have.

    Parameters
    ----------
    states
        Of each frame.
    where
        The file, for messages.

    Raises
    ------
    DataError
        Frames have different states.
    """
    for name in State._fields:
        values = list(dict.fromkeys(getattr(state, name) for state in states))
        if len(values) > 1:
            shown = ", ".join("none" if value is None else f"{value:g}" for value in values[:4])
            raise DataError(
                f"{where}: frames differ in {name} ({shown}); expected one system: split the file"
            )
    return states[0] if states else State()


def complete_states(
    kinds: Sequence[Hashable], states: Sequence[State], where: Callable[[int], str]
) -> list[State]:
    """Return the states, with what one does not state from the others of its kind.

    Parameters
    ----------
    kinds
        Frames or files of one kind have the same atoms.
    states
        State of each.
    where
        Index -> file, and frame of it, for messages.

    Raises
    ------
    DataError
        One does not state what the others state differently.
    """
    charges = _completed(kinds, [state.charge for state in states], "charge", where)
    of_charge = list(zip(kinds, charges, strict=True))
    multiplicities = _completed(of_charge, [state.multiplicity for state in states], "multiplicity", where)
    return [State(*state) for state in zip(charges, multiplicities, strict=True)]


def _completed(
    kinds: Sequence[Hashable], values: Sequence[Any], name: str, where: Callable[[int], str]
) -> list[Any]:
    stated: dict[Hashable, list[Any]] = {kind: [] for kind in kinds}
    for kind, value in zip(kinds, values, strict=True):
        if value is not None and value not in stated[kind]:
            stated[kind].append(value)
    completed = []
    for n, (kind, value) in enumerate(zip(kinds, values, strict=True)):
        if value is None and len(stated[kind]) > 1:
            raise DataError(
                f"{where(n)}: no {name} is stated, but frames of the same atoms have {name} "
                f"{stated[kind][0]:g} and {stated[kind][1]:g}; expected one of each: state it"
            )
        completed.append(stated[kind][0] if value is None and stated[kind] else value)
    return completed


def number(value: Any, key: str, where: str) -> float:
    """Return a record as a number.

    Parameters
    ----------
    value
        The record.
    key, where
        Its name, and file and frame, for messages.

    Raises
    ------
    DataError
        It is not one number.
    """
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"{where}: {key} is {str(value)[:60]!r}; expected one number, with a decimal point and without a "
            "unit"
        ) from error


def _agreed(
    records: Mapping[str, Any],
    names: Sequence[str],
    is_possible: Callable[[float], bool],
    expected: str,
    where: str,
) -> float | None:
    """Return the value that stands under one or several of `names`; None where there is none."""
    values = {name: number(value, name, where) for name in names if (value := records.get(name)) is not None}
    for name, value in values.items():
        if not np.isfinite(value) or not is_possible(value):
            raise DataError(
                f"{where}: {name} is {value:g}; expected {expected}: correct it, or remove the key"
            )
    if len(set(values.values())) > 1:
        shown = " and ".join(f"{name} {value:g}" for name, value in values.items())
        raise DataError(f"{where}: {shown}; expected one value: remove the wrong one")
    return next(iter(values.values()), None)


def _of_spins(records: Mapping[str, Any], n_electrons: float) -> float | None:
    """Return the first of `SPINS` that can be 2S + 1: odd for an even number of electrons."""
    for name in SPINS:
        try:
            value = float(records.get(name, np.nan))
        except (TypeError, ValueError):
            continue
        if 1 <= value <= n_electrons + 1 and value % 1 == 0 and (value + n_electrons) % 2 == 1:
            return value
    return None
