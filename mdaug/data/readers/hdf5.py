"""HDF5 files of SPICE, ANI-1x, Transition1x and similar: a group a molecule, arrays of its conformations.

One of several molecules is read as ``FILE#GROUP``.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mdaug.data.origin import FRAME_IN_FILE
from mdaug.data.readers.contents import Contents, Reader
from mdaug.data.readers.electrons import NAMES, State, complete_states, only_state, read_states
from mdaug.data.readers.elements import numbers_of_symbols, whole_numbers
from mdaug.data.readers.labels import listed, pair_labels
from mdaug.data.readers.stresses import is_stress, is_virial, rank, tensors_of
from mdaug.data.reading import Reading
from mdaug.data.stated_units import StatedUnits, factor_of_stress, factor_of_virial, stated_units
from mdaug.errors import DataError, MissingDependencyError
from mdaug.frames import FloatArray, FrameSet

if TYPE_CHECKING:
    import h5py

MAGIC = b"\x89HDF\r\n\x1a\n"

NUMBERS = ("atomic_numbers", "species", "nuclear_charges", "z")
POSITIONS = ("conformations", "coordinates", "positions", "coords", "R")

CELLS = ("cells", "cell", "lattice", "lattice_vectors", "cell_vectors")

UNITS = {
    "conformations": StatedUnits("Hartree", "Hartree", "Bohr", "Bohr"),
    "coordinates": StatedUnits.of_energy("Hartree"),
}
"""Name of the positions -> units where the file states none: those of SPICE and of ANI."""

MAX_BYTES = 8 * 2**30
"""Arrays that unpack to more are refused."""

MAX_LISTED = 8


def _sniff(path: Path, head: bytes) -> bool:
    return head.startswith(MAGIC)


def split_group(path: Path) -> tuple[Path, str] | None:
    """Return file and group of ``FILE#GROUP``; None if that is not what `path` is.

    Parameters
    ----------
    path
        Any path.
    """
    text = str(path)
    for n, character in enumerate(text):
        if character == "#" and Path(text[:n]).is_file():
            return Path(text[:n]), text[n + 1 :]
    return None


def _read(path: Path, reading: Reading) -> list[Contents]:
    """Read the molecules of a file, or one of them."""
    path, stated = (path, None) if path.is_file() else split_group(path) or (path, None)
    with _open(path) as file:
        if stated is None:
            groups = _molecules(file)
            _check_number(file, groups, path, reading)
        else:
            groups = [stated]
            _check_group(file, stated, path)
        return [contents for group in groups for contents in _read_group(file[group], path, reading)]


def _check_number(file: "h5py.File", groups: Sequence[str], path: Path, reading: Reading) -> None:
    """Refuse a file without molecules, and one of several where one is expected."""
    if not groups:
        raise DataError(
            f"{path}: no group with atomic numbers ({', '.join(NUMBERS)}) and positions "
            f"({', '.join(POSITIONS)}); expected a file as those of SPICE or ANI-1x"
        )
    molecules = [group for group in groups if not _is_atom(file[group])] or groups
    if len(molecules) > 1 and not reading.several_systems:
        more = ", …" if len(molecules) > MAX_LISTED else ""
        raise DataError(
            f"{path}: holds {len(molecules)} molecules ({', '.join(molecules[:MAX_LISTED])}{more}); state "
            f"one as '{path}#{molecules[0]}'"
        )


def _check_group(file: "h5py.File", group: str, path: Path) -> None:
    if group not in file or _of(file, NUMBERS, group) is None or _of(file, POSITIONS, group) is None:
        raise DataError(
            f"{path}: no group {group!r} with atomic numbers and positions; it has {listed(_molecules(file))}"
        )


def _open(path: Path) -> "h5py.File":
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError(f"{path}: HDF5 needs h5py: pip install 'mdaug[hdf5]'") from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise DataError(f"{path}: broken HDF5 file ({error}); is the file whole?") from error


def _molecules(file: "h5py.File") -> list[str]:
    """Return the groups with atomic numbers and positions; links to other files are not followed."""
    arrays: dict[str, set[str]] = {}

    def visit(name: str, item: Any) -> None:
        if hasattr(item, "shape"):
            parent, _, last = name.rpartition("/")
            arrays.setdefault(parent or "/", set()).add(last)

    file.visititems(visit)
    return [name for name, names in arrays.items() if names & set(NUMBERS) and names & set(POSITIONS)]


def _of(file: "h5py.Group", names: Sequence[str], group: str) -> str | None:
    return next((name for name in names if f"{group}/{name}" in file), None)


def _is_atom(group: "h5py.Group") -> bool:
    """Return whether the conformations of a group are those of one atom without a cell."""
    positions_name = next(name for name in POSITIONS if name in group)
    return group[positions_name].shape[1:] == (1, 3) and not any(name in group for name in CELLS)


def _read_group(group: "h5py.Group", path: Path, reading: Reading) -> list[Contents]:
    where = f"{path}: group {group.name}"
    numbers_name, positions_name = (
        next(name for name in names if name in group) for names in (NUMBERS, POSITIONS)
    )
    numbers = _numbers(_array(group, numbers_name, where), where)
    positions = _array(group, positions_name, where).astype(np.float64)
    n_frames, n_atoms = len(positions), len(numbers)
    if positions.shape != (n_frames, n_atoms, 3):
        raise DataError(
            f"{where}: {positions_name} has shape {positions.shape}; expected (n_frames, {n_atoms}, 3)"
        )
    may_lack_forces = reading.may_lack_forces(n_atoms, periodic=not _is_atom(group))
    labels = _labels(group, positions.shape, replace(reading, forces_optional=may_lack_forces), where)
    units = _units(group, positions_name, labels.energy_name, labels.forces_name, where)
    notes = labels.notes
    if positions_name not in UNITS and "units" not in group[labels.energy_name].attrs:
        notes.append("the file states no units: taken as eV and Å (--units, --length-units)")
    cells = _cells(group, n_frames, where)
    pbc = (False, False, False) if cells is None else _pbc(group, where)
    if not any(pbc):
        cells = None
    labeled = np.flatnonzero(labels.are_given)
    frames = FrameSet(
        numbers,
        positions,
        labels.energies,
        labels.forces,
        cells,
        pbc,
        stresses=None if cells is None else _stresses(group, cells, units, where),
        name=f"{path.name}#{str(group.name).strip('/')}".rstrip("#"),
        info={FRAME_IN_FILE: np.arange(n_frames)},
    ).select(labeled)
    states = _states(group, n_frames, int(numbers.sum()), where)
    of_states = _by_state(frames, [states[n] for n in labeled], reading, where)
    return [Contents(own, units, tuple(notes) if n == 0 else ()) for n, own in enumerate(of_states)]


class _Labels(NamedTuple):
    """Energies and forces of a group, and which conformations have them; NaN for forces that it lacks."""

    energy_name: str
    forces_name: str | None
    energies: FloatArray
    forces: FloatArray
    are_given: NDArray[np.bool_]
    notes: list[str]


def _labels(group: "h5py.Group", shape: tuple[int, ...], reading: Reading, where: str) -> _Labels:
    """Return the labels of a group, of which one conformation has some; `shape` is that of the positions."""
    energy_name, forces_name, notes = _choose_labels(group, shape, reading, where)
    energies = _array(group, energy_name, where).astype(np.float64).reshape(shape[0])
    are_given = np.isfinite(energies)
    forces = np.full(shape, np.nan)
    if forces_name is not None:
        sign = -1.0 if "grad" in forces_name.lower() else 1.0
        forces = sign * _array(group, forces_name, where).astype(np.float64)
        are_given &= np.isfinite(forces).all(axis=(1, 2))
    if not are_given.any():
        raise DataError(
            f"{where}: {energy_name} is not given for any of its {shape[0]} conformations; name other "
            "energies with --energy-key"
        )
    if not are_given.all():
        either = " or ".join(filter(None, (energy_name, forces_name)))
        notes.append(f"{(~are_given).sum()} of {shape[0]} conformations are left out: without {either}")
    return _Labels(energy_name, forces_name, energies, forces, are_given, notes)


def _states(group: "h5py.Group", n_frames: int, n_protons: int, where: str) -> list[State]:
    """Return charge and multiplicity of each conformation, from arrays or attributes of the group."""
    arrays = {name: np.asarray(group.attrs[name]) for name in NAMES if name in group.attrs}
    arrays |= {name: _array(group, name, where) for name in NAMES if hasattr(group.get(name), "shape")}
    return read_states(arrays, n_frames, n_protons, where)


def _by_state(frames: FrameSet, states: Sequence[State], reading: Reading, where: str) -> list[FrameSet]:
    """Return the frames of each charge and multiplicity; several are refused where one is expected."""
    if not reading.several_systems:
        state = only_state(states, where)
        return [replace(frames, charge=state.charge, multiplicity=state.multiplicity)]
    states = complete_states([None] * len(states), states, lambda n: f"{where}: frame {n}")
    members: dict[State, list[int]] = {}
    for n, state in enumerate(states):
        members.setdefault(state, []).append(n)
    return [
        replace(
            frames.select(np.array(own)),
            charge=state.charge,
            multiplicity=state.multiplicity,
            name=frames.name if len(members) == 1 else f"{frames.name} ({state})",
        )
        for state, own in members.items()
    ]


def _choose_labels(
    group: "h5py.Group", shape: tuple[int, ...], reading: Reading, where: str
) -> tuple[str, str | None, list[str]]:
    """Return the names of energies and forces, and notes on the choice; `shape` is that of the positions."""
    shapes = {name: item.shape for name, item in group.items() if hasattr(item, "shape")}

    def names_of(
        words: tuple[str, ...], stated: str | None, expected: Sequence[tuple[int, ...]]
    ) -> list[str]:
        named = [name for name in shapes if name == stated or any(word in name.lower() for word in words)]
        fitting = [name for name in named if shapes[name] in expected]
        if named and not fitting:
            raise DataError(
                f"{where}: {named[0]} has shape {shapes[named[0]]}; expected {expected[0]}, as there are "
                f"{shape[0]} frames of {shape[1]} atoms"
            )
        return fitting

    energies = names_of(("energ",), reading.energy_key, [shape[:1], (*shape[:1], 1)])
    forces = names_of(("force", "grad"), reading.forces_key, [shape])
    return pair_labels(energies, forces, reading, where, list(shapes))


def _pbc(group: "h5py.Group", where: str) -> tuple[bool, bool, bool]:
    """Return which directions are periodic in all conformations; all three where ``pbc`` is missing."""
    if "pbc" not in group:
        return True, True, True
    given = _array(group, "pbc", where).astype(bool)
    rows = given.reshape(-1, 3 if given.shape[-1:] == (3,) else 1)
    if not len(rows) or (rows != rows[0]).any():
        raise DataError(f"{where}: pbc is not the same for all conformations; give them groups of their own")
    a, b, c = np.broadcast_to(rows[0], 3).tolist()
    return a, b, c


def _cells(group: "h5py.Group", n_frames: int, where: str) -> FloatArray | None:
    """Return the cells (n_frames, 3, 3) in the unit of the positions; None for molecules."""
    name = next((name for name in CELLS if name in group), None)
    if name is None:
        return None
    cells = _array(group, name, where).astype(np.float64)
    if not cells.any():
        return None
    if cells.shape in {(3, 3), (n_frames, 3, 3)}:
        return np.array(np.broadcast_to(cells, (n_frames, 3, 3)))
    raise DataError(f"{where}: {name} has shape {cells.shape}; expected (3, 3) or ({n_frames}, 3, 3)")


def _stresses(group: "h5py.Group", cells: FloatArray, units: StatedUnits, where: str) -> FloatArray | None:
    """Return stresses in energy by cubic length of `units`; None if the group has no stress and no virial."""
    name = min(filter(is_stress, sorted(group)), key=rank, default=None)
    if name is None:
        return None
    stresses = tensors_of(_array(group, name, where))
    if stresses is None or stresses.shape != cells.shape:
        shape = group[name].shape
        raise DataError(f"{where}: {name} has shape {shape}; expected nine or six numbers for each frame")
    unit = _unit(group, name) or ""
    if is_virial(name):
        stresses = -stresses / np.abs(np.linalg.det(cells))[:, None, None]
        return stresses * factor_of_virial(unit, units, f"{where}: {name}")
    return stresses * factor_of_stress(unit, units, f"{where}: {name}")


def _array(group: "h5py.Group", name: str, where: str) -> NDArray[Any]:
    item = group[name]
    if item.is_virtual or item.external:
        raise DataError(
            f"{where}: {name} is stored in other files, which are not read; copy it into this one"
        )
    if item.nbytes > MAX_BYTES:
        raise DataError(f"{where}: {name} unpacks to {item.nbytes / 2**30:.1f} GB; mdaug reads up to 8")
    return np.asarray(item[()])


def _numbers(values: NDArray[Any], where: str) -> NDArray[np.int64]:
    """Return atomic numbers from numbers or symbols."""
    if values.ndim == 2 and len(values) and (values == values[0]).all():
        values = values[0]
    if values.ndim != 1:
        raise DataError(f"{where}: atomic numbers have shape {values.shape}; expected (n_atoms,)")
    if values.dtype.kind in "iuf":
        return whole_numbers(values, where)
    symbols = [value.decode() if isinstance(value, bytes) else str(value) for value in values]
    return numbers_of_symbols(symbols, where)


def _units(group: "h5py.Group", positions: str, energy: str, forces: str | None, where: str) -> StatedUnits:
    """Return the units in the attributes ``units`` of the arrays, or those of the layout."""
    of_layout = UNITS.get(positions, StatedUnits.of_energy("eV"))
    of_forces = None if forces is None else _unit(group, forces)
    return stated_units(of_layout, _unit(group, energy), of_forces, _unit(group, positions), where=where)


def _unit(group: "h5py.Group", name: str) -> str | None:
    """Return the attribute ``units`` of an array; None where it is missing or empty."""
    unit = group[name].attrs.get("units", "")
    return (unit.decode() if isinstance(unit, bytes) else str(unit)) or None


READER = Reader("HDF5 of SPICE, ANI-1x and similar", _sniff, _read)
