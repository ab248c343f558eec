"""sGDML and MD17 files: arrays in an npz, in kcal/mol unless the file says otherwise."""

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mdaug.archives import load_npz
from mdaug.data.element_order import sort_by_element
from mdaug.data.origin import FILE_NAME, FRAME_IN_FILE
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.electrons import only_state, read_states
from mdaug.data.readers.elements import check_same_atoms, whole_numbers
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits, energy_unit, length_unit
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

KEYS = {
    "atomic numbers": ("z", "nuclear_charges"),
    "positions": ("R", "coords"),
    "energies": ("E", "energies"),
    "forces": ("F", "forces"),
}
"""Each quantity's name in sGDML and old MD17 files, then in new MD17 and rMD17 files."""

FRAME_RECORD, ATOM_RECORD = "frame_record_", "atom_record_"
"""What the names of records start with, which have a row for each frame, or for each atom of each frame."""

Arrays = dict[str, NDArray]


def _sniff(path: Path, head: bytes) -> bool:
    return re.match(rb"PK\x03\x04.{26}[^/]*\.npy", head, re.DOTALL) is not None


def _read(path: Path, reading: Reading) -> list[Contents]:
    arrays = _load(path)
    of_frames = _atomic_numbers(arrays, path, reading)
    numbers = of_frames if of_frames.ndim < 2 else of_frames[0]
    positions = _find(arrays, "positions", None, path)
    energies = _find(arrays, "energies", reading.energy_key, path)
    if _may_lack_forces(arrays, len(numbers), reading):
        forces = np.full(positions.shape, np.nan)
    else:
        forces = _find(arrays, "forces", reading.forces_key, path)
    _check_arrays(positions, energies, forces, len(numbers), path)
    n_frames = len(positions)
    info, of_atoms = _records(arrays, n_frames, len(numbers), path)
    cells, pbc = _cell(arrays, n_frames, path)
    state = only_state(read_states(arrays, n_frames, int(numbers.sum()), str(path)), str(path))
    frames = FrameSet(
        atomic_numbers=numbers,
        positions=positions.astype(np.float64),
        energies=energies.astype(np.float64).reshape(n_frames),
        forces=forces.astype(np.float64),
        cells=cells,
        pbc=pbc,
        stresses=_optional(arrays, "stresses", (n_frames, 3, 3), path),
        temperature_K=_common(arrays, "temperature", path),
        charge=state.charge,
        multiplicity=state.multiplicity,
        name=path.name,
        level_of_theory=_text(arrays["theory"]) if "theory" in arrays else None,
        group=whole_numbers(arrays["group"], f"{path}: group") if "group" in arrays else None,  # type: ignore[arg-type]
        weights=_optional(arrays, "weights", (n_frames,), path),  # type: ignore[arg-type]
        info=info,
        of_atoms=of_atoms,
    )
    if of_frames.ndim == 2 and reading.reorder:
        frames = sort_by_element(frames, of_frames)
    return [Contents(frames, _units(arrays, path))]


def _atomic_numbers(arrays: Arrays, path: Path, reading: Reading) -> NDArray[np.int64]:
    """Return the atomic numbers of all frames, shape (n_atoms,), or of each, shape (n_frames, n_atoms)."""
    numbers = whole_numbers(_find(arrays, "atomic numbers", None, path), f"{path}: atomic numbers")
    if numbers.ndim == 2:
        check_same_atoms(list(numbers), str(path), reading)
    return numbers


def _may_lack_forces(arrays: Arrays, n_atoms: int, reading: Reading) -> bool:
    """Return whether the file has no forces, and needs none."""
    if reading.forces_key is not None or any(key in arrays for key in KEYS["forces"]):
        return False
    return reading.may_lack_forces(n_atoms, periodic="cells" in arrays or "lattice" in arrays)


def _check_arrays(positions: NDArray, energies: NDArray, forces: NDArray, n_atoms: int, path: Path) -> None:
    for what, values in (("positions", positions), ("energies", energies), ("forces", forces)):
        if values.dtype.kind not in "iuf":
            raise DataError(f"{path}: {what} of type {values.dtype}; expected real numbers")
    shape = (len(positions), n_atoms, 3)
    if positions.shape != shape or forces.shape != shape or energies.size != len(positions):
        raise DataError(
            f"{path}: positions {positions.shape}, energies {energies.shape} and forces {forces.shape} "
            f"do not match; expected (n_frames, n_atoms, 3), (n_frames,) and (n_frames, n_atoms, 3), "
            f"n_atoms = {n_atoms}"
        )


def _optional(arrays: Arrays, key: str, shape: tuple[int, ...], path: Path) -> FloatArray | None:
    """Return an array that our own files may have; None without."""
    if key not in arrays:
        return None
    values = arrays[key]
    if values.dtype.kind not in "iuf" or values.shape != shape:
        raise DataError(
            f"{path}: key {key} of type {values.dtype} and shape {values.shape}; expected real numbers of "
            f"shape {shape}"
        )
    return values.astype(np.float64)


def _records(
    arrays: Arrays, n_frames: int, n_atoms: int, path: Path
) -> tuple[dict[str, NDArray[Any]], frozenset[str]]:
    """Return the records of the frames, and which of them have a row for each atom."""
    info, of_atoms = {}, set()
    for key, values in arrays.items():
        for start, shape in ((FRAME_RECORD, (n_frames,)), (ATOM_RECORD, (n_frames, n_atoms))):
            name = key.removeprefix(start)
            if name == key or name in (FRAME_IN_FILE, FILE_NAME):  # which only reading gives
                continue
            if values.shape[: len(shape)] != shape:
                raise DataError(f"{path}: key {key} of shape {values.shape}; expected {(*shape, '…')}")
            info[name] = values
            if start == ATOM_RECORD:
                of_atoms.add(name)
    return info, frozenset(of_atoms)


def _load(path: Path) -> Arrays:
    try:
        return load_npz(path)
    except (ValueError, OSError, EOFError) as error:
        raise DataError(
            f"{path}: not a readable npz of plain arrays ({error}); "
            "arrays of Python objects are never loaded, as they can run code"
        ) from error


def _find(arrays: Arrays, what: str, stated: str | None, path: Path) -> NDArray:
    expected = KEYS[what] if stated is None else (stated,)
    for key in expected:
        if key in arrays:
            return arrays[key]
    raise DataError(
        f"{path}: no {what}; expected key {' or '.join(expected)}, it has {', '.join(arrays) or 'no keys'}"
    )


def _common(arrays: Arrays, key: str, path: Path) -> float | None:
    """Return a number that is stated once or the same for every frame; None where it is not given."""
    if key not in arrays:
        return None
    if arrays[key].dtype.kind not in "iuf":
        raise DataError(f"{path}: key {key} has values as {arrays[key].ravel()[:1]}; expected a number")
    values = np.unique(arrays[key].astype(np.float64))
    if len(values) != 1:
        raise DataError(
            f"{path}: frames differ in {key} ({', '.join(f'{v:g}' for v in values[:4])}); expected one "
            "system: split the file"
        )
    return float(values[0])


def _cell(arrays: Arrays, n_frames: int, path: Path) -> tuple[FloatArray | None, tuple[bool, bool, bool]]:
    """Return cells and pbc: ours (``cells``: rows, each frame) or sGDML's (``lattice``: columns, once)."""
    if "cells" in arrays:
        if "pbc" not in arrays or arrays["pbc"].shape != (3,):
            raise DataError(
                f"{path}: key cells without a key pbc of three values; expected whether each vector is "
                "periodic"
            )
        x, y, z = (bool(p) for p in arrays["pbc"])
        return arrays["cells"].astype(np.float64), (x, y, z)
    if "lattice" in arrays:
        return np.repeat(arrays["lattice"].astype(np.float64).T[None], n_frames, axis=0), (True, True, True)
    return None, (False, False, False)


def _units(arrays: Arrays, path: Path) -> StatedUnits:
    """Return the units that the file names; kcal/mol and Å without names; forces in energy per length."""
    length = _text(arrays["r_unit"]) if "r_unit" in arrays else ""
    energy = _text(arrays["e_unit"]) if "e_unit" in arrays else "kcal/mol"
    length_name = length_unit(length, f"{path}: key r_unit") if length.strip() else "Angstrom"
    energy_name = energy_unit(energy, f"{path}: key e_unit")
    return StatedUnits(energy_name, energy_name, length_name, length_name)


def _text(array: NDArray) -> str:
    value = array.item()
    return value.decode() if isinstance(value, bytes) else str(value)


READER = Reader("sGDML/MD17 npz", _sniff, _read)
