"""Charge and multiplicity: under which names they are read, and that they tell systems apart."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.data import write_extxyz
from mdaug.data.load import read_frames, read_systems
from mdaug.data.readers.electrons import State, complete_states, read_state
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from tests.data.readers.one_system import read_contents
from tests.data.readers.test_deepmd import N_FRAMES, make_system
from tests.data.readers.test_hdf5 import E, F, R, save
from tests.fuzz.samples import WATER

PROPERTIES = "Properties=species:S:1:pos:R:3:forces:R:3"
ROWS = "O 0 0 0 0 0 0\nH 0.96 0 0 0 0 0\nH -0.24 0.93 0 0 0 0\n"
CONFORMATIONS = {"atomic_numbers": np.array([8, 1, 1]), "positions": R, "energies": E, "forces": F}


def _xyz(path: Path, *comments: str) -> Path:
    path.write_text("".join(f"3\n{PROPERTIES} energy=-1.5 {comment}\n{ROWS}" for comment in comments))
    return path


def _npz(path: Path, **more: object) -> Path:
    arrays = {"z": WATER.atomic_numbers, "R": WATER.positions, "E": WATER.energies, "F": WATER.forces}
    np.savez(path, **arrays, **more)
    return path


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({}, State(None, None)),
        ({"charge": 1, "multiplicity": 2}, State(1.0, 2)),
        ({"total_charge": 1, "total_spin": 2}, State(1.0, 2)),  # MACE
        ({"total_charge": -1, "spin_multiplicity": 2}, State(-1.0, 2)),  # SchNetPack
        ({"molecular_charge": 1, "molecular_multiplicity": 4}, State(1.0, 4)),  # QCSchema
        ({"charge": 0, "spin": 3}, State(0.0, 3)),  # FAIRchem, ORB: 2S + 1
        ({"charge": 1, "spin": 1}, State(1.0, None)),  # PySCF: 2S of a doublet
        ({"spin": 2}, State(None, None)),  # 2S of a triplet
        ({"spin": 0}, State(None, None)),
        ({"spin": 0.5, "charge": 1}, State(1.0, None)),
        ({"spin": 3, "multiplicity": 1}, State(None, 1)),
        ({"spin": "high"}, State(None, None)),
    ],
)
def test_names(records: dict, expected: State) -> None:
    assert read_state(records, 10, "water.xyz: frame 0") == expected


def test_two_names_with_two_values_are_refused() -> None:
    with pytest.raises(DataError, match=r"a\.xyz: frame 0: charge 0 and total_charge 1; expected one value"):
        read_state({"charge": 0, "total_charge": 1}, 10, "a.xyz: frame 0")


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("charge=nan", "charge is nan; expected a finite number of elementary charges"),
        ("total_charge=inf", "total_charge is inf; expected a finite number"),
        ("multiplicity=nan", r"multiplicity is nan; expected 2S \+ 1, a whole number from 1"),
        ("multiplicity=1.5", r"multiplicity is 1.5; expected 2S \+ 1"),
        ("spin_multiplicity=0", r"spin_multiplicity is 0; expected 2S \+ 1"),
    ],
)
def test_impossible_values_are_refused_where_they_are_read(
    tmp_path: Path, comment: str, message: str
) -> None:
    path = _xyz(tmp_path / "a.xyz", "", comment)
    for read in (read_frames, read_systems):
        with pytest.raises(DataError, match=rf"a\.xyz: frame 1: {message}.*: correct it"):
            read(path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"charge": np.r_[np.zeros(3), np.full(5, np.nan)]}, "frame 3: charge is nan; expected a finite"),
        ({"multiplicity": 1.5}, r"frame 0: multiplicity is 1.5; expected 2S \+ 1"),
        ({"charge": np.arange(8) % 2}, r"frames differ in charge \(0, 1\); expected one system: split"),
        (
            {"charge": np.zeros((8, 3))},
            r"key charge is of type float64 and shape \(8, 3\); expected one number",
        ),
        ({"total_charge": "neutral"}, "key total_charge is of type <U7"),
    ],
)
def test_arrays_of_impossible_values_are_refused(tmp_path: Path, more: dict, message: str) -> None:
    with pytest.raises(DataError, match=rf"a\.npz: {message}"):
        read_contents(_npz(tmp_path / "a.npz", **more))


def test_arrays_of_one_state(tmp_path: Path) -> None:
    frames = read_contents(_npz(tmp_path / "a.npz", total_charge=np.ones(8), total_spin=2)).frames
    assert (frames.charge, frames.multiplicity) == (1.0, 2)
    spins_of_atoms = _npz(tmp_path / "b.npz", charge=-1, spin=np.zeros((8, 3)))
    frames = read_contents(spins_of_atoms).frames
    assert (frames.charge, frames.multiplicity) == (-1.0, None)


def test_frames_of_two_charges_in_a_file_are_two_systems(tmp_path: Path) -> None:
    neutral, cation = "total_charge=0 total_spin=1", "total_charge=1 total_spin=2"
    path = _xyz(tmp_path / "a.xyz", neutral, cation, neutral)
    first, second = (contents.frames for contents in read_systems(path))
    assert (len(first), first.charge, first.multiplicity) == (2, 0.0, 1)
    assert (len(second), second.charge, second.multiplicity) == (1, 1.0, 2)
    assert second.name == "a.xyz (H2O, charge 1, multiplicity 2)"
    assert "total_charge" not in first.info
    with pytest.raises(DataError, match="frame 1 has charge 1, frame 0 has 0; expected one system"):
        read_frames(path)


def test_singlets_and_triplets_are_two_systems(tmp_path: Path) -> None:
    path = _xyz(tmp_path / "a.xyz", "charge=0 spin=1", "charge=0 spin=3")
    assert [contents.frames.multiplicity for contents in read_systems(path)] == [1, 3]


def test_a_state_of_some_frames_holds_for_all_unless_there_are_two(tmp_path: Path) -> None:
    (contents,) = read_systems(_xyz(tmp_path / "a.xyz", "charge=1", ""))
    assert contents.frames.charge == 1.0
    assert "only 1 of 2 frames have charge" in contents.notes[0]
    with pytest.raises(DataError, match="frame 1: no charge is stated, but frames of the same atoms have"):
        read_systems(_xyz(tmp_path / "a.xyz", "charge=1", "", "charge=0"))
    states = [State(0.0), State(1.0, 2), State(1.0)]
    assert complete_states(["a"] * 3, states, str) == [State(0.0), State(1.0, 2), State(1.0, 2)]


def test_files_of_two_charges_are_joined_by_system(ethanol: FrameSet, tmp_path: Path) -> None:
    for number, charge in enumerate((None, 0.0, 2.0)):
        own = ethanol.select(slice(10 * number, 10 * number + 10))
        write_extxyz(replace(own, charge=charge), tmp_path / f"run{number}.xyz")
    with pytest.raises(DataError, match=r"run2\.xyz: charge 2\.0, but 0\.0 in .*run1\.xyz"):
        read_frames(tmp_path)  # the first file states none
    with pytest.raises(DataError, match=r"run0\.xyz: no charge is stated"):
        read_systems(tmp_path)
    (tmp_path / "run2.xyz").unlink()
    assert read_frames(tmp_path).frames.charge == 0.0
    write_extxyz(replace(ethanol.select(slice(0, 10)), charge=2.0), tmp_path / "run0.xyz")
    systems = [contents.frames for contents in read_systems(tmp_path)]
    assert [(frames.name, frames.charge) for frames in systems] == [("run0.xyz", 2.0), ("run1.xyz", 0.0)]


@pytest.mark.h5py
def test_hdf5(tmp_path: Path) -> None:
    import h5py

    charges = np.array([0, 1, 1, 0, 1])
    path = save(
        tmp_path / "a.h5", {"a": CONFORMATIONS | {"charge": charges, "spin_multiplicity": 2 - charges % 2}}
    )
    systems = [contents.frames for contents in read_systems(path)]
    assert [(len(f), f.charge, f.multiplicity, f.name) for f in systems] == [
        (2, 0.0, 2, "a.h5#a (charge 0, multiplicity 2)"),
        (3, 1.0, 1, "a.h5#a (charge 1, multiplicity 1)"),
    ]
    assert systems[1].info["frame_in_file"].tolist() == [1, 2, 4]
    with pytest.raises(DataError, match=r"group /a: frames differ in charge \(0, 1\); expected one system"):
        read_frames(path)
    path = save(tmp_path / "b.h5", {"a": CONFORMATIONS})
    with h5py.File(path, "a") as file:
        file["a"].attrs["total_charge"] = -1
    assert read_frames(path).frames.charge == -1.0


@pytest.mark.parametrize(("spin", "multiplicity"), [(2, 2), (0, None)])
def test_deepmd(tmp_path: Path, spin: int, multiplicity: int | None) -> None:
    folder = make_system(tmp_path / "water")
    np.savetxt(folder / "charge_spin.raw", np.tile([1, spin], (N_FRAMES, 1)))
    frames = read_contents(folder).frames
    assert (frames.charge, frames.multiplicity) == (1.0, multiplicity)
    np.savetxt(folder / "charge_spin.raw", [[n % 2, 1] for n in range(N_FRAMES)])
    with pytest.raises(DataError, match=r"water: charge_spin: frames differ in charge \(0, 1\)"):
        read_contents(folder)
