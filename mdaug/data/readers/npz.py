"""sGDML and MD17 files: arrays in an npz, in kcal/mol unless the file says otherwise."""

import re
import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mdaug.data.readers.contents import Contents, Reader
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet

KEYS = {
    "atomic numbers": ("z", "nuclear_charges"),
    "positions": ("R", "coords"),
    "energies": ("E", "energies"),
    "forces": ("F", "forces"),
}
"""Each quantity's name in sGDML and old MD17 files, then in new MD17 and rMD17 files."""

ENERGY_UNITS = {
    "kcal/mol": "kcal/mol",
    "ev": "eV",
    "mev": "meV",
    "hartree": "Hartree",
    "ha": "Hartree",
}
LENGTH_UNITS = ("", "ang", "angstrom", "å", "a")

Arrays = dict[str, NDArray]


def sniff(path: Path, head: bytes) -> bool:
    return re.match(rb"PK\x03\x04.{26}[^/]*\.npy", head, re.DOTALL) is not None


def read(path: Path) -> Contents:
    arrays = _load(path)
    numbers, positions, energies, forces = (_find(arrays, what, path) for what in KEYS)
    n_frames = len(positions)
    if numbers.ndim == 2:
        different = np.flatnonzero((numbers != numbers[0]).any(axis=1))
        if len(different):
            raise DataError(
                f"{path}: frame {different[0]} has other atoms, or in another order, than frame 0; "
                "expected one system with one order of atoms"
            )
        numbers = numbers[0]
    shape = (n_frames, len(numbers), 3)
    if positions.shape != shape or forces.shape != shape or energies.size != n_frames:
        raise DataError(
            f"{path}: positions {positions.shape}, energies {energies.shape} and forces {forces.shape} "
            f"do not match; expected (n_frames, n_atoms, 3), (n_frames,) and (n_frames, n_atoms, 3), "
            f"n_atoms = {len(numbers)}"
        )
    cells, pbc = _cell(arrays, n_frames)
    frames = FrameSet(
        atomic_numbers=numbers.astype(np.int64),
        positions=positions.astype(np.float64),
        energies=energies.astype(np.float64).reshape(n_frames),
        forces=forces.astype(np.float64),
        cells=cells,
        pbc=pbc,
        temperature_K=float(arrays["temperature"]) if "temperature" in arrays else None,
        charge=float(arrays["charge"]) if "charge" in arrays else None,
        multiplicity=int(arrays["multiplicity"]) if "multiplicity" in arrays else None,
        name=path.name,
        level_of_theory=_text(arrays["theory"]) if "theory" in arrays else None,
        group=arrays["group"].astype(np.int64) if "group" in arrays else None,  # type: ignore[arg-type]
    )
    return Contents(frames, _units(arrays, path))


def _load(path: Path) -> Arrays:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path}: not a readable npz of plain arrays ({error}); "
            "arrays of Python objects are never loaded, as they can run code"
        ) from error


def _find(arrays: Arrays, what: str, path: Path) -> NDArray:
    for key in KEYS[what]:
        if key in arrays:
            return arrays[key]
    raise DataError(
        f"{path}: no {what}; expected key {' or '.join(KEYS[what])}, found {', '.join(arrays) or 'no keys'}"
    )


def _cell(arrays: Arrays, n_frames: int) -> tuple[FloatArray | None, tuple[bool, bool, bool]]:
    """Return cells and pbc: ours (``cells``: rows, each frame) or sGDML's (``lattice``: columns, once)."""
    if "cells" in arrays:
        x, y, z = (bool(p) for p in arrays["pbc"])
        return arrays["cells"].astype(np.float64), (x, y, z)
    if "lattice" in arrays:
        return np.repeat(arrays["lattice"].astype(np.float64).T[None], n_frames, axis=0), (True, True, True)
    return None, (False, False, False)


def _units(arrays: Arrays, path: Path) -> str:
    length = _text(arrays["r_unit"]) if "r_unit" in arrays else ""
    if length.lower() not in LENGTH_UNITS:
        raise DataError(f"{path}: lengths in {length!r} (key r_unit); expected Å")
    energy = _text(arrays["e_unit"]) if "e_unit" in arrays else "kcal/mol"
    if energy.lower() not in ENERGY_UNITS:
        raise DataError(f"{path}: energies in {energy!r} (key e_unit); expected {', '.join(ENERGY_UNITS)}")
    return ENERGY_UNITS[energy.lower()]


def _text(array: NDArray) -> str:
    value = array.item()
    return value.decode() if isinstance(value, bytes) else str(value)


READER = Reader("sGDML/MD17 npz", sniff, read)
