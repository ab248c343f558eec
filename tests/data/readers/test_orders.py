"""Frames in several orders of atoms, in every format that can hold them: refused, and read with `reorder`."""

from collections.abc import Callable
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase import Atoms
from ase.data import chemical_symbols

from mdaug.data.load import read_frames, read_systems
from mdaug.data.stated_units import A_PER_LENGTH_UNIT
from mdaug.errors import DataError
from mdaug.frames import FrameSet, IntArray
from mdaug.units import EV_PER_ENERGY_UNIT

N_FRAMES = 12
ORDERS = np.tile(np.arange(9), (N_FRAMES, 1))
ORDERS[1::3] = [2, 1, 0, 8, 4, 5, 6, 7, 3]
"""The embedded ethanol has C, C, O and six hydrogens, of which the last is bonded to O."""

Arrays = tuple[IntArray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture
def frames(ethanol: FrameSet) -> FrameSet:
    return ethanol.evenly_spaced(N_FRAMES)


@pytest.fixture
def arrays(frames: FrameSet) -> Arrays:
    """Atomic numbers, positions, energies and forces of each frame in its order of atoms; eV and Å."""
    rows = np.arange(N_FRAMES)[:, None]
    return (
        frames.atomic_numbers[ORDERS],
        frames.positions[rows, ORDERS],
        frames.energies,
        frames.forces[rows, ORDERS],
    )


def _npz(path: Path, arrays: Arrays) -> Path:
    numbers, positions, energies, forces = arrays
    labels = {"atom_record_label": ORDERS, "frame_record_label2": np.arange(N_FRAMES)}
    np.savez(
        path / "a.npz", z=numbers, R=positions, E=energies, F=forces, e_unit="eV", r_unit="Ang", **labels
    )
    return path / "a.npz"


def _sgdml(path: Path, arrays: Arrays) -> Path:
    lines = []
    unit = EV_PER_ENERGY_UNIT["kcal/mol"]
    for numbers, positions, energy, forces in zip(*arrays, strict=True):
        lines += ["9", f"{energy / unit:.12f}"]
        for number, values in zip(numbers, np.concatenate([positions, forces / unit], axis=1), strict=True):
            lines.append(" ".join([chemical_symbols[number], *(f"{value:.10f}" for value in values)]))
    (path / "a.xyz").write_text("\n".join(lines) + "\n")
    return path / "a.xyz"


def _database(path: Path, arrays: Arrays) -> Path:
    """Write a database of SchNetPack in Bohr and Hartree, in which no bonds are found without conversion."""
    numbers, positions, energies, forces = arrays
    bohr, hartree = A_PER_LENGTH_UNIT["Bohr"], EV_PER_ENERGY_UNIT["Hartree"]
    units = {"energy": "Hartree", "forces": "Hartree/Bohr"}
    with ase.db.connect(path / "a.db") as database:
        database.metadata = {"_property_unit_dict": units, "_distance_unit": "Bohr"}
        for n in range(N_FRAMES):
            data = {"energy": energies[n : n + 1] / hartree, "forces": forces[n] * bohr / hartree}
            database.write(Atoms(numbers[n], positions[n] / bohr), data=data)
    return path / "a.db"


def _deepmd(path: Path, arrays: Arrays) -> Path:
    """Write a system of mixed types with a virtual atom, in the last place of frames in the second order."""
    numbers, positions, energies, forces = arrays
    types = np.searchsorted([1, 6, 8], numbers)
    second = (np.arange(9) != ORDERS).any(axis=1)

    def filled(values: np.ndarray, virtual: float) -> np.ndarray:
        nothing = np.full((N_FRAMES, 1, *values.shape[2:]), virtual)
        first, last = (np.concatenate(parts, axis=1) for parts in ((nothing, values), (values, nothing)))
        return np.where(second.reshape(-1, *(1 for _ in values.shape[1:])), last, first)

    folder = path / "a"
    (folder / "set.000").mkdir(parents=True)
    (folder / "type.raw").write_text("0\n" * 10)
    (folder / "type_map.raw").write_text("H\nC\nO\n")
    (folder / "nopbc").touch()
    np.save(folder / "set.000" / "real_atom_types.npy", filled(types, -1))
    for name, values in (
        ("coord", filled(positions, 0.0)),
        ("force", filled(forces, 0.0)),
        ("energy", energies),
    ):
        np.save(folder / "set.000" / f"{name}.npy", values.reshape(N_FRAMES, -1))
    return folder


def _check(frames: FrameSet, expected: FrameSet) -> None:
    assert frames.atomic_numbers.tolist() == expected.atomic_numbers.tolist()
    assert frames.positions == pytest.approx(expected.positions, abs=1e-9)
    assert frames.energies == pytest.approx(expected.energies, abs=1e-6)
    assert frames.forces == pytest.approx(expected.forces, abs=1e-6)


@pytest.mark.parametrize(
    ("write", "refusal"),
    [
        (_npz, "frame 1 has the atoms in another order than frame 0"),
        (_sgdml, "frame 1 has the atoms in another order than frame 0"),
        (_database, "frame 1 has the atoms in another order than frame 0"),
        (_deepmd, "the atoms in another order"),
    ],
)
def test_a_file_with_frames_in_two_orders(
    write: Callable[[Path, Arrays], Path], refusal: str, frames: FrameSet, arrays: Arrays, tmp_path: Path
) -> None:
    path = write(tmp_path, arrays)
    with pytest.raises(DataError, match=rf"{refusal}.*: read (it|them) with --reorder"):
        read_frames(path)
    (of_several,) = read_systems(path, reorder=True)
    for contents in (read_frames(path, reorder=True), of_several):
        _check(contents.frames, frames)
        assert contents.frames.info["frame_in_file"].tolist() == list(range(N_FRAMES))
        assert any("4 of 12 frames are brought into the order of frame 0" in note for note in contents.notes)


def test_records_of_atoms_are_reordered_and_those_of_frames_are_not(arrays: Arrays, tmp_path: Path) -> None:
    frames = read_frames(_npz(tmp_path, arrays), reorder=True).frames
    assert frames.info["label"].tolist() == [list(range(9))] * N_FRAMES
    assert frames.info["label2"].tolist() == list(range(N_FRAMES))
    assert frames.of_atoms == {"label"}


@pytest.mark.parametrize("write", [_npz, _sgdml])
def test_other_atoms_are_refused(
    write: Callable[[Path, Arrays], Path], arrays: Arrays, tmp_path: Path
) -> None:
    numbers = arrays[0].copy()
    numbers[5, 0] = 7
    path = write(tmp_path, (numbers, *arrays[1:]))
    with pytest.raises(DataError, match=r"frame 5 has other atoms than frame 0; .*: split the file"):
        read_frames(path, reorder=True)


@pytest.mark.h5py
def test_groups_of_an_hdf5_file_in_two_orders(frames: FrameSet, tmp_path: Path) -> None:
    import h5py

    bohr, hartree = A_PER_LENGTH_UNIT["Bohr"], EV_PER_ENERGY_UNIT["Hartree"]
    second = ORDERS[1]
    with h5py.File(tmp_path / "a.h5", "w") as file:
        for name, order, part in (("1", np.arange(9), slice(0, 7)), ("2", second, slice(7, None))):
            group = file.create_group(name)
            group["atomic_numbers"] = frames.atomic_numbers[order]
            group["conformations"] = frames.positions[part][:, order] / bohr
            group["dft_total_energy"] = frames.energies[part] / hartree
            group["dft_total_gradient"] = -frames.forces[part][:, order] * bohr / hartree
    (contents,) = read_systems(tmp_path / "a.h5", reorder=True)
    _check(contents.frames, frames)
    assert len(read_systems(tmp_path / "a.h5")) == 2
