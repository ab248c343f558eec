"""Systems of DeePMD-kit: folders with type.raw and arrays as npy (in set.000, …) or raw text; eV, Å, eV/Å."""

from pathlib import Path

import numpy as np
from ase.data import atomic_numbers as number_of_symbol
from numpy.typing import NDArray

from mdaug.archives import load_npy
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.electrons import State, only_state, read_states
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from mdaug.frames import FloatArray, FrameSet


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
    """Read a system; virials are converted to stresses (−virial / volume)."""
    if any(path.glob("set.*/real_atom_types.npy")):
        raise DataError(
            f"{path}: a system with frames of different compositions (real_atom_types.npy); mdaug reads "
            "systems of one composition: convert it with dpdata (`to('deepmd/npy', …)`)"
        )
    numbers = _atomic_numbers(path)
    is_molecule = (path / "nopbc").exists()
    arrays = _arrays(path, len(numbers), is_molecule=is_molecule)
    positions, forces = arrays["coord"], arrays.get("force")
    if forces is None:
        if not reading.may_lack_forces(len(numbers), periodic=not is_molecule):
            raise DataError(f"{path}: no force.npy (or force.raw); expected the forces of every frame")
        forces = np.full_like(positions, np.nan)
    cells, stresses = arrays.get("box"), None
    if cells is not None and "virial" in arrays:
        stresses = -arrays["virial"] / np.abs(np.linalg.det(cells))[:, None, None]
    state = _state(path, len(positions), int(numbers.sum()))
    frames = FrameSet(
        atomic_numbers=numbers,
        positions=positions,
        energies=arrays["energy"],
        forces=forces,
        cells=cells,
        pbc=(not is_molecule, not is_molecule, not is_molecule),
        stresses=stresses,
        charge=state.charge,
        multiplicity=state.multiplicity,
        name=path.name,
    )
    return [Contents(frames, StatedUnits.of_energy("eV"))]


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


def _state(path: Path, n_frames: int, n_protons: int) -> State:
    """Return charge and multiplicity from ``charge_spin``, whose second column is 2S + 1, or 0 if unknown."""
    columns = _optional(path, "charge_spin", (2,))
    if columns is None:
        return State()
    named = {"charge": columns[:, 0], "multiplicity": columns[:, 1]}
    arrays = {name: values for name, values in named.items() if name == "charge" or values.any()}
    where = f"{path}: charge_spin"
    return only_state(read_states(arrays, n_frames, n_protons, where), where)


def _atomic_numbers(path: Path) -> NDArray[np.int64]:
    types = np.loadtxt(path / "type.raw", dtype=np.int64, ndmin=1)
    if not (path / "type_map.raw").is_file():
        raise DataError(
            f"{path}: no type_map.raw, without which the elements are unknown; expected the symbol of each "
            "type, one a line"
        )
    symbols = (path / "type_map.raw").read_text().split()
    unknown = [symbol for symbol in symbols if symbol not in number_of_symbol]
    if unknown:
        raise DataError(f"{path}: type_map.raw has {unknown[0]!r}; expected symbols of elements")
    if len(types) == 0 or types.min() < 0 or types.max() >= len(symbols):
        raise DataError(
            f"{path}: type.raw is empty or has types beyond the {len(symbols)} elements of type_map.raw; "
            f"expected 0 to {len(symbols) - 1}, one for each atom"
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
