"""Systems of DeePMD-kit: folders with type.raw and arrays as npy (in set.000, …) or raw text; eV, Å, eV/Å.

Folders of mixed types hold frames of several compositions with the same number of atoms, or filled up to it
with virtual atoms: ``real_atom_types.npy`` has the types of each frame.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
from ase.data import atomic_numbers as number_of_symbol
from ase.symbols import Symbols

from mdaug.archives import load_npy
from mdaug.data.origin import ATOM_IN_FILE, FRAME_IN_FILE
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.electrons import State, only_state, read_states
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet, IntArray

VIRTUAL = -1
"""Type of atoms that fill up a frame."""


def is_system(path: Path) -> bool:
    """Return whether a path is the folder of a system.

    Parameters
    ----------
    path
        Any path.
    """
    return (path / "type.raw").is_file() and (
        any(path.glob("set.*/coord.npy")) or _raw(path, "coord").is_file()
    )


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read a system, or those of a folder of mixed types; virials become stresses (−virial / volume)."""
    types, symbols = _types(path), _symbols(path)
    is_molecule = (path / "nopbc").exists()
    arrays = _arrays(path, len(types), is_molecule=is_molecule)
    if arrays.get("force") is None:
        if not reading.may_lack_forces(len(types), periodic=not is_molecule):
            raise DataError(f"{path}: no force.npy (or force.raw); expected the forces of every frame")
        arrays["force"] = np.full_like(arrays["coord"], np.nan)
    states = _optional(path, "charge_spin", (2,))
    systems = []
    for types_of_frames, index in _groups(path, types, reading):
        own = {name: values[index] for name, values in arrays.items()}
        own_types, info = types_of_frames[0], dict[str, IntArray]()
        if reading.reorder:
            own_types, in_file = _sort_by_type(types_of_frames, own)
            info[ATOM_IN_FILE] = in_file
        exists = own_types != VIRTUAL
        numbers = _atomic_numbers(path, own_types[exists], symbols)
        if not exists.all():
            own |= {name: own[name][:, exists] for name in ("coord", "force")}
        state = _state(path, None if states is None else states[index], int(numbers.sum()))
        frames = replace(_frames(path.name, numbers, own, state), info=info, of_atoms=frozenset(info))
        if not isinstance(index, slice):
            name = f"{path.name} ({Symbols(numbers).get_chemical_formula('hill')})"
            frames = replace(frames, name=name, info=info | {FRAME_IN_FILE: index})
        systems.append(Contents(frames, StatedUnits.of_energy("eV")))
    return systems


def _groups(path: Path, types: IntArray, reading: Reading) -> list[tuple[IntArray, IntArray | slice]]:
    """Return the types of each system and its frames: all of them where types do not differ.

    Types have a row for each frame, in its order of atoms, or one row where ``type.raw`` has those of all.
    """
    of_frames = _optional(path, "real_atom_types", (len(types),))
    if of_frames is None:
        return [(types[None], slice(None))]
    groups: dict[bytes, list[int]] = {}
    rows = of_frames.astype(np.int64)
    for n, row in enumerate(rows):
        groups.setdefault((np.sort(row) if reading.reorder else row).tobytes(), []).append(n)
    if len(groups) == 1:
        return [(rows, slice(None))]
    return [(rows[index], np.array(index)) for index in groups.values()]


def _sort_by_type(types: IntArray, arrays: dict[str, FloatArray]) -> tuple[IntArray, IntArray]:
    """Sort the atoms of each frame by type; return the types of all frames and the numbers of the atoms.

    These are counted in the frame as it was, without virtual atoms: shape (n_frames, n_atoms).
    """
    types = np.broadcast_to(types, arrays["coord"].shape[:2])
    orders = np.argsort(types, axis=1, kind="stable")
    for name in ("coord", "force"):
        arrays[name] = np.take_along_axis(arrays[name], orders[:, :, None], axis=1)
    own_types = np.sort(types[0])
    existing = orders[:, own_types != VIRTUAL]
    return own_types, np.argsort(np.argsort(existing, axis=1), axis=1)


def _frames(name: str, numbers: IntArray, arrays: dict[str, FloatArray], state: State) -> FrameSet:
    """Return the frames of one system; they have a cell if `arrays` has a box."""
    cells, stresses = arrays.get("box"), None
    if cells is not None and "virial" in arrays:
        stresses = -arrays["virial"] / np.abs(np.linalg.det(cells))[:, None, None]
    return FrameSet(
        atomic_numbers=numbers,
        positions=arrays["coord"],
        energies=arrays["energy"],
        forces=arrays["force"],
        cells=cells,
        pbc=(cells is not None,) * 3,
        stresses=stresses,
        charge=state.charge,
        multiplicity=state.multiplicity,
        name=name,
    )


def _arrays(path: Path, n_atoms: int, *, is_molecule: bool) -> dict[str, FloatArray]:
    """Return coord and energy, box of a cell, and force and virial where the system has them."""
    arrays = {"coord": _array(path, "coord", (n_atoms, 3)), "energy": _array(path, "energy", ())}
    optional = {"force": (n_atoms, 3)}
    if not is_molecule:
        arrays["box"] = _array(path, "box", (3, 3))
        optional["virial"] = (3, 3)
    for name, shape in optional.items():
        values = _optional(path, name, shape)
        if values is not None:
            arrays[name] = values
    n_frames = len(arrays["coord"])
    for name, values in arrays.items():
        if len(values) != n_frames:
            raise DataError(
                f"{path}: {len(values)} frames in {name}, but {n_frames} in coord; is the set whole?"
            )
    return arrays


def _state(path: Path, columns: FloatArray | None, n_protons: int) -> State:
    """Return charge and multiplicity from ``charge_spin``, whose second column is 2S + 1, or 0 if unknown."""
    if columns is None:
        return State()
    named = {"charge": columns[:, 0], "multiplicity": columns[:, 1]}
    arrays = {name: values for name, values in named.items() if name == "charge" or values.any()}
    where = f"{path}: charge_spin"
    return only_state(read_states(arrays, len(columns), n_protons, where), where)


def _types(path: Path) -> IntArray:
    types = np.loadtxt(path / "type.raw", dtype=np.int64, ndmin=1)
    if len(types) == 0:
        raise DataError(f"{path}: type.raw is empty; expected a number for each atom")
    return types


def _symbols(path: Path) -> list[str]:
    if not (path / "type_map.raw").is_file():
        raise DataError(
            f"{path}: no type_map.raw, without which the elements are unknown; expected the symbol of each "
            "type, one a line"
        )
    symbols = (path / "type_map.raw").read_text().split()
    unknown = [symbol for symbol in symbols if symbol not in number_of_symbol]
    if unknown:
        raise DataError(f"{path}: type_map.raw has {unknown[0]!r}; expected symbols of elements")
    return symbols


def _atomic_numbers(path: Path, types: IntArray, symbols: list[str]) -> IntArray:
    if len(types) == 0 or types.min() < 0 or types.max() >= len(symbols):
        raise DataError(
            f"{path}: type.raw (or real_atom_types.npy) is empty or has types beyond the {len(symbols)} "
            f"elements of type_map.raw; expected 0 to {len(symbols) - 1}, one for each atom"
        )
    return np.array([number_of_symbol[symbols[number]] for number in types], dtype=np.int64)


def _array(path: Path, name: str, shape: tuple[int, ...]) -> FloatArray:
    values = _optional(path, name, shape)
    if values is None:
        advice = ", or an empty file nopbc for a molecule" if name == "box" else ""
        raise DataError(f"{path}: no {name}.npy in its sets (or {name}.raw); expected one{advice}")
    return values


def _optional(path: Path, name: str, shape: tuple[int, ...]) -> FloatArray | None:
    """Return an array of all sets, shape (n_frames, *shape); None if no set has it."""
    sets = sorted(path.glob("set.*"))
    files = [folder / f"{name}.npy" for folder in sets if (folder / "coord.npy").is_file()]
    present = [file for file in files if file.is_file()]
    if present and len(present) < len(files):
        missing = next(file for file in files if not file.is_file())
        raise DataError(
            f"{missing}: no such file, but other sets of this system have it; expected one in every set"
        )
    try:
        if present:
            values = np.concatenate([np.atleast_1d(load_npy(file)) for file in present])
        elif _raw(path, name).is_file():
            values = np.loadtxt(_raw(path, name), ndmin=2)
        else:
            return None
        return values.astype(np.float64).reshape(-1, *shape)
    except (ValueError, OSError) as error:
        raise DataError(
            f"{path}: {name} is broken ({error}); expected {shape or 'one number'} a frame"
        ) from error


def _raw(path: Path, name: str) -> Path:
    return path / f"{name}.raw"


READER = Reader("DeePMD-kit system", lambda path, _head: is_system(path), _read, has_keys=False)
