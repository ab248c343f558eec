"""ASE's Atoms with results to a FrameSet, for all readers that use ASE."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from numpy.typing import NDArray

from mdaug.data.origin import FILE_NAME, FRAME_IN_FILE
from mdaug.data.readers.electrons import CHARGES, MULTIPLICITIES, number, read_state
from mdaug.data.readers.labels import pair_labels
from mdaug.data.readers.stresses import read_stresses
from mdaug.data.reading import Reading
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray

SET_KEYS = ("temperature_K", "charge", "multiplicity", "level_of_theory")
"""Records of a frame that are the same in all frames."""

TAKE_SEVERAL = "`mdaug train`, `check`, `evaluate` and `new` take files of several systems"

OWN_KEYS = (*SET_KEYS, *CHARGES, *MULTIPLICITIES, "group", "weight", FRAME_IN_FILE, FILE_NAME)


def frames_from_atoms(
    images: Sequence[Atoms], path: Path, reading: Reading, *, numbers: Sequence[int]
) -> tuple[FrameSet, tuple[str, ...]]:
    """Return the frames of `images` with whatever energy unit ASE's results have.

    Parameters
    ----------
    images
        Structures with energies and forces as results, or under names of their own.
    path
        The file, for messages.
    reading
        Names of energies and forces that the user states.
    numbers
        Number of each image in the file.

    Returns
    -------
    FrameSet, notes
        Notes say which labels were chosen among several.

    Raises
    ------
    DataError
        If an image has no energy or forces, atoms or records differ between images, or energies and forces
        do not form a pair.
    """
    first = images[0]
    places = [f"{path}: frame {n}" for n in numbers]
    for place, atoms in zip(places, images, strict=True):
        _check_same_system(first, atoms, place, numbers[0])
    energy_key, forces_key, notes = choose_labels(first, reading, places[0])
    records = {
        key: _common_record(values, key, path, numbers, notes)
        for key, values in _set_records(images, places).items()
    }
    periodic = bool(first.pbc.any())
    x, y, z = (bool(p) for p in first.pbc)
    stresses, stress_key, of_stresses = read_stresses(images, places, reading)
    notes += of_stresses
    located = list(zip(images, places, strict=True))
    info = _per_frame_info(images, (energy_key, forces_key, stress_key))
    frames = FrameSet(
        atomic_numbers=first.numbers.astype(np.int64),
        positions=np.array([atoms.positions for atoms in images]),
        energies=np.array([_energy(atoms, energy_key, place) for atoms, place in located]),
        forces=np.array([_forces(atoms, forces_key, place) for atoms, place in located]),
        cells=np.array([np.array(atoms.cell) for atoms in images]) if periodic else None,
        pbc=(x, y, z),
        stresses=stresses,
        temperature_K=records["temperature_K"],
        charge=records["charge"],
        multiplicity=records["multiplicity"],
        name=path.name,
        level_of_theory=records["level_of_theory"],
        group=_groups(images),  # type: ignore[arg-type]
        weights=np.array(
            [number(atoms.info.get("weight", 1.0), "weight", place) for atoms, place in located]
        ),
        info=info | {FRAME_IN_FILE: np.array(numbers)},
        of_atoms=frozenset(info) & frozenset(first.arrays),
    )
    return frames, tuple(notes)


def choose_labels(atoms: Atoms, reading: Reading, where: str) -> tuple[str, str | None, list[str]]:
    """Return the names of energy and forces that belong together, and notes on the choice; see `pair_labels`.

    Parameters
    ----------
    atoms
        The first structure.
    reading
        Names that the user states.
    where
        File and frame, for messages.

    Raises
    ------
    DataError
        If a stated name is missing, or no energy and forces belong together.
    """
    names = [*atoms.info, *(key for key in atoms.arrays if key not in ("numbers", "positions"))]
    return pair_labels(
        _energy_names(atoms, reading.energy_key),
        _forces_names(atoms, reading.forces_key),
        reading,
        where,
        names,
    )


def _energy_names(atoms: Atoms, stated: str | None) -> list[str]:
    results = {} if atoms.calc is None else atoms.calc.results
    names = [name for name in ("free_energy", "energy") if results.get(name) is not None]
    is_number = (int, float, np.integer, np.floating)
    named = [k for k, v in atoms.info.items() if isinstance(v, is_number) and not isinstance(v, bool)]
    of_energies = (key for key in named if "energy" in key.lower() and "weight" not in key.lower())
    return list(dict.fromkeys([*names, *of_energies, *(key for key in named if key == stated)]))


def _forces_names(atoms: Atoms, stated: str | None) -> list[str]:
    results = {} if atoms.calc is None else atoms.calc.results
    names = ["forces"] if results.get("forces") is not None else []
    arrays = [key for key, values in atoms.arrays.items() if values.shape == (len(atoms), 3)]
    of_forces = [key for key in arrays if "force" in key.lower() or key == stated]
    return list(dict.fromkeys([*names, *of_forces]))


def _groups(images: Sequence[Atoms]) -> IntArray | None:
    """Return numbers of the groups, which may be of any kind in the file; None if a frame has none."""
    group = [atoms.info.get("group") for atoms in images]
    if any(value is None for value in group):
        return None
    if all(isinstance(value, (int, np.integer)) for value in group):
        return np.array(group, dtype=np.int64)
    _, numbers = np.unique([str(value) for value in group], return_inverse=True)
    return numbers.astype(np.int64)


def _set_records(images: Sequence[Atoms], places: Sequence[str]) -> dict[str, list[Any]]:
    """Return what each frame has of `SET_KEYS`; None where it has none."""

    def all_of(key: str, read: Callable[[Any, str, str], Any]) -> list[Any]:
        stated = [atoms.info.get(key) for atoms in images]
        located = zip(stated, places, strict=True)
        return [None if value is None else read(value, key, place) for value, place in located]

    states = [
        read_state(atoms.info, int(atoms.numbers.sum()), place)
        for atoms, place in zip(images, places, strict=True)
    ]
    return {
        "temperature_K": all_of("temperature_K", number),
        "charge": [state.charge for state in states],
        "multiplicity": [state.multiplicity for state in states],
        "level_of_theory": all_of("level_of_theory", lambda value, _key, _place: str(value)),
    }


def _common_record(
    values: Sequence[Any], key: str, path: Path, numbers: Sequence[int], notes: list[str]
) -> Any:
    """Return the record that all frames have in common; None where none has it."""
    stated = [(n, value) for n, value in zip(numbers, values, strict=True) if value is not None]
    if not stated:
        return None
    n_of_first, first = stated[0]
    for n, value in stated:
        if value == first:
            continue
        if key == "temperature_K":
            notes.append(
                f"temperatures differ between frames ({first:g} K, frame {n}: {value:g} K): taken as "
                "unknown; state one with --temperature, or split the file"
            )
            return None
        raise DataError(
            f"{path}: frame {n} has {key} {_shown(value)}, frame {n_of_first} has {_shown(first)}; "
            "expected one system at one level of theory: split the file"
        )
    if len(stated) < len(values):
        notes.append(
            f"only {len(stated)} of {len(values)} frames have {key} ({_shown(first)}), which is taken for "
            "all; if the others are of another system or calculation, split the file"
        )
    return first


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _check_same_system(first: Atoms, atoms: Atoms, where: str, number: int) -> None:
    """Refuse a frame of another system than frame `number`."""
    if len(atoms) == 0:
        raise DataError(f"{where} holds no atoms")
    if not np.array_equal(atoms.numbers, first.numbers):
        same = sorted(atoms.numbers) == sorted(first.numbers)
        formula, of_first = (each.get_chemical_formula("hill") for each in (atoms, first))
        what = "the atoms in another order" if same else f"other atoms ({formula}, not {of_first})"
        advice = "read it with --reorder" if same else f"split the file ({TAKE_SEVERAL})"
        raise DataError(
            f"{where} has {what} than frame {number}; expected one system with one order of atoms: {advice}"
        )
    if not np.array_equal(atoms.pbc, first.pbc):
        raise DataError(
            f"{where} has other periodic directions than frame {number}; expected one system: split the file "
            f"({TAKE_SEVERAL})"
        )


def _result(atoms: Atoms, name: str) -> Any:
    return None if atoms.calc is None else atoms.calc.results.get(name)


def _energy(atoms: Atoms, key: str, where: str) -> float:
    """Return the energy under `key`: a free energy where there is one, as forces are its gradient."""
    energy = _result(atoms, key)
    energy = atoms.info.get(key) if energy is None else energy
    if energy is None:
        raise DataError(
            f"{where} has no energy ({key}); expected one in every frame (extended xyz: {key}=… in its "
            "comment line)"
        )
    return number(energy, f"the energy ({key})", where)


def _forces(atoms: Atoms, key: str | None, where: str) -> FloatArray:
    if key is None:
        return np.full((len(atoms), 3), np.nan)
    forces = _result(atoms, key)
    forces = atoms.arrays.get(key) if forces is None else forces
    if forces is None:
        raise DataError(
            f"{where} has no forces ({key}); expected some in every frame (extended xyz: a column "
            f"{key}:R:3): compute them, or leave such frames out of the file"
        )
    return np.asarray(forces, dtype=np.float64) * (-1.0 if "grad" in key.lower() else 1.0)


def _per_frame_info(images: Sequence[Atoms], labels: tuple[str | None, ...]) -> dict[str, NDArray[Any]]:
    """Return what every image records besides the labels, of one shape and kind in all of them."""
    kept: dict[str, NDArray[Any]] = {}
    for key in images[0].info:
        if key not in (*OWN_KEYS, *labels):
            _keep(kept, key, [atoms.info.get(key) for atoms in images])
    for key in images[0].arrays:
        if key not in ("numbers", "positions", *labels):
            _keep(kept, key, [atoms.arrays.get(key) for atoms in images])
    return kept


def _keep(kept: dict[str, NDArray[Any]], key: str, values: list[Any]) -> None:
    if any(value is None for value in values) or len({np.shape(value) for value in values}) > 1:
        return
    array = np.array(values)
    if array.dtype != object:
        kept[key] = array
