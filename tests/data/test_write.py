"""What is written is read back, by us and by ASE."""

from dataclasses import replace
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.data.origin import FILE_NAME, FRAME_IN_FILE
from mdaug.data.write import write_npz
from mdaug.errors import DataError
from mdaug.frames import PER_FRAME, FrameSet


@pytest.fixture
def labeled(ethanol: FrameSet) -> FrameSet:
    """Frames with all that a FrameSet can say."""
    some = ethanol.select(slice(0, 25))
    info = {
        "parent": np.arange(25) // 5,
        "rule": np.array(["gradient"] * 25),
        "displacement": np.random.default_rng(0).normal(size=(25, 9, 3)).round(6),
    }
    records = {"charge": 0.0, "multiplicity": 1, "temperature_K": 450.0}
    of_atoms = frozenset({"displacement"})
    return replace(some, group=np.arange(25) // 5, info=info, of_atoms=of_atoms, **records)


def test_a_vector_of_a_frame_with_as_many_numbers_as_atoms_is_none_of_the_atoms(labeled, tmp_path) -> None:
    """Such as the dipole of water; a column would give each atom one of its components."""
    vectors = np.random.default_rng(1).normal(size=(25, 9)).round(6)
    frames = replace(labeled, info={"polarizability": vectors, "shifts": 2 * vectors}, of_atoms={"shifts"})
    for _ in range(2):  # also of what was read
        write_extxyz(frames, tmp_path / "f.xyz")
        frames = load_frames(tmp_path / "f.xyz")
        atoms = ase.io.read(tmp_path / "f.xyz", index=3)
        assert atoms.info["polarizability"] == pytest.approx(vectors[3])
        assert atoms.arrays["shifts"] == pytest.approx(2 * vectors[3])
        assert frames.info["polarizability"] == pytest.approx(vectors)


def test_ase_reads_energies_and_forces(labeled: FrameSet, tmp_path: Path) -> None:
    write_extxyz(labeled, tmp_path / "f.xyz")
    atoms = ase.io.read(tmp_path / "f.xyz", index=3)
    assert atoms.get_potential_energy() == pytest.approx(labeled.energies[3], abs=1e-9)
    assert atoms.get_forces() == pytest.approx(labeled.forces[3], abs=1e-8)
    assert atoms.info["group"] == 0


def test_stresses_in_some_files_only_are_left_out(chain: FrameSet, tmp_path: Path) -> None:
    half = len(chain) // 2
    write_extxyz(chain.select(slice(0, half)), tmp_path / "1.xyz")
    write_extxyz(replace(chain.select(slice(half, None)), stresses=None), tmp_path / "2.xyz")
    with pytest.warns(UserWarning, match="only 1 of 2 files have stresses, which are not used"):
        frames = load_frames(tmp_path)
    assert (len(frames), frames.stresses) == (len(chain), None)


@pytest.mark.parametrize("write", [write_extxyz, write_npz], ids=["xyz", "npz"])
@pytest.mark.parametrize("name", ["labeled", "chain"])
def test_everything_comes_back(name, write, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    frames = request.getfixturevalue(name)
    frames = replace(frames, weights=np.linspace(0.5, 1.0, len(frames)))
    write(frames, tmp_path / "frames")
    back = load_frames(tmp_path / "frames")
    assert back.of_atoms == frames.of_atoms
    assert set(back.info) - {FRAME_IN_FILE} == set(frames.info)
    same_to = 0.0 if write is write_npz else 1e-8  # the digits of the text
    for key in ("atomic_numbers", *PER_FRAME):
        values, expected = getattr(back, key), getattr(frames, key)
        assert (values is None) == (expected is None), key
        assert values is None or np.abs(values - expected).max() <= same_to, key
    for key, expected in frames.info.items():
        assert back.info[key].tolist() == expected.tolist(), key
    for key in ("pbc", "temperature_K", "level_of_theory", "charge", "multiplicity"):
        assert getattr(back, key) == getattr(frames, key), key


def test_an_npz_does_not_say_where_its_frames_are_from(labeled: FrameSet, tmp_path: Path) -> None:
    """Else messages would name frames of another file."""
    elsewhere = {FRAME_IN_FILE: np.arange(25) + 100, FILE_NAME: np.array(["other.xyz"] * 25)}
    write_npz(replace(labeled, info=elsewhere), tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as arrays:
        assert not any(key.startswith("frame_record_") for key in arrays)
        stated = {f"frame_record_{key}": values for key, values in elsewhere.items()}
        np.savez(tmp_path / "b.npz", **arrays, **stated)
    read = load_frames(tmp_path / "b.npz").info
    assert set(read) == {FRAME_IN_FILE}
    assert read[FRAME_IN_FILE].tolist() == list(range(25))


def test_npz_keeps_notes_and_is_as_before_without_weights(labeled: FrameSet, tmp_path: Path) -> None:
    write_npz(replace(labeled, info={}), tmp_path / "f.npz", {"seed": 3})
    with np.load(tmp_path / "f.npz") as arrays:
        assert arrays["seed"] == 3
        own = "type name z R E F r_unit e_unit group temperature theory charge multiplicity seed"
        assert set(arrays) == set(own.split())


@pytest.mark.parametrize(
    ("key", "values", "message"),
    [
        (
            "weights",
            np.ones((25, 2)),
            r"key weights of type float64 and shape \(25, 2\); expected .* \(25,\)",
        ),
        ("weights", np.array(["much"] * 25), "key weights of type <U4"),
        ("atom_record_shift", np.ones((25, 3)), "key atom_record_shift of shape"),
    ],
)
def test_arrays_of_another_shape_are_refused(labeled, tmp_path, key, values, message) -> None:
    arrays = {"z": labeled.atomic_numbers, "R": labeled.positions, "E": labeled.energies}
    np.savez(tmp_path / "f.npz", F=labeled.forces, **arrays, **{key: values})
    with pytest.raises(DataError, match=message):
        load_frames(tmp_path / "f.npz")
