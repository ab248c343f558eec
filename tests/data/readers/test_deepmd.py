"""Systems of DeePMD-kit: npy and raw, one and many."""

from pathlib import Path

import numpy as np
import pytest

from mdaug.data.load import read_frames, read_systems
from mdaug.data.origin import numbers_in_file
from mdaug.data.sources import find_files
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

RNG = np.random.default_rng(0)
N_FRAMES = 6
COORD, FORCE = RNG.normal(size=(N_FRAMES, 9)), RNG.normal(size=(N_FRAMES, 9))
ENERGY = RNG.normal(size=N_FRAMES)
BOX, VIRIAL = np.tile(np.diag([5.0, 6.0, 7.0]).ravel(), (N_FRAMES, 1)), RNG.normal(size=(N_FRAMES, 9))


def make_system(folder: Path, *, molecule: bool = True, without: str = "", raw: bool = False) -> Path:
    """Write a system of two sets (or raw files) with OH2."""
    folder.mkdir(parents=True)
    (folder / "type.raw").write_text("1\n0\n0\n")
    (folder / "type_map.raw").write_text("H\nO\n")
    arrays = {"coord": COORD, "force": FORCE, "energy": ENERGY}
    if molecule:
        (folder / "nopbc").touch()
    else:
        arrays |= {"box": BOX, "virial": VIRIAL}
    arrays.pop(without, None)
    for name, values in arrays.items():
        if raw:
            np.savetxt(folder / f"{name}.raw", values.reshape(N_FRAMES, -1))
            continue
        for number, part in enumerate((slice(0, 4), slice(4, 6))):
            (folder / f"set.00{number}").mkdir(exist_ok=True)
            np.save(folder / f"set.00{number}" / f"{name}.npy", values[part].astype(np.float32))
    return folder


@pytest.mark.parametrize("raw", [False, True])
def test_a_molecule(tmp_path: Path, raw: bool) -> None:
    contents = read_contents(make_system(tmp_path / "water", raw=raw))
    frames = contents.frames
    assert frames.atomic_numbers.tolist() == [8, 1, 1]
    assert (contents.units.energy, contents.units.force, frames.pbc) == ("eV", "eV/Angstrom", (False,) * 3)
    assert frames.positions.reshape(N_FRAMES, 9) == pytest.approx(COORD, abs=1e-6)
    assert frames.forces.reshape(N_FRAMES, 9) == pytest.approx(FORCE, abs=1e-6)
    assert frames.energies == pytest.approx(ENERGY, abs=1e-6)


def test_virials_become_stresses(tmp_path: Path) -> None:
    frames = read_contents(make_system(tmp_path / "water", molecule=False)).frames
    assert frames.cells is not None and frames.stresses is not None
    assert frames.cells[0] == pytest.approx(np.diag([5.0, 6.0, 7.0]))
    assert frames.stresses.reshape(N_FRAMES, 9) == pytest.approx(-VIRIAL / 210, abs=1e-7)


def test_all_systems_below_a_folder_are_read(tmp_path: Path) -> None:
    for number in (10, 2):
        make_system(tmp_path / "data" / f"water.{number}")
    frames = read_frames(tmp_path / "data").frames
    assert frames.info["file"].tolist() == ["water.2"] * N_FRAMES + ["water.10"] * N_FRAMES
    assert len(set(frames.group.tolist())) == 2 * N_FRAMES


def test_energies_only_where_that_is_allowed(tmp_path: Path) -> None:
    folder = make_system(tmp_path / "water", without="force")
    with pytest.raises(DataError, match=r"water: no force.npy"):
        read_contents(folder)
    assert not read_contents(folder, forces_optional=True).frames.has_forces


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: (f / "type_map.raw").unlink(), "no type_map.raw"),
        (lambda f: (f / "type_map.raw").write_text("H\nQq\n"), "'Qq'; expected symbols"),
        (lambda f: (f / "type.raw").write_text("1\n0\n2\n"), "types beyond the 2 elements"),
        (lambda f: (f / "nopbc").unlink(), "no box.npy .* nopbc for a molecule"),
        (lambda f: (f / "set.001" / "energy.npy").unlink(), r"set.001/energy.npy: no such file"),
        (lambda f: np.save(f / "set.001" / "energy.npy", ENERGY), "10 frames in energy, but 6 in coord"),
        (lambda f: np.save(f / "set.000" / "force.npy", np.zeros(5)), "force is broken"),
        (lambda f: (f / "set.000" / "energy.npy").write_bytes(b"no array"), "energy is broken"),
        (
            lambda f: np.save(f / "set.000" / "real_atom_types.npy", np.zeros(3)),
            "real_atom_types.npy: no such",
        ),
    ],
)
def test_broken_systems(tmp_path: Path, change, message: str) -> None:
    folder = make_system(tmp_path / "water")
    change(folder)
    with pytest.raises(DataError, match=message):
        read_contents(folder)


def test_arrays_of_objects_are_never_loaded(tmp_path: Path) -> None:
    folder = make_system(tmp_path / "water")
    np.save(folder / "set.000" / "energy.npy", np.array([{}] * 4, dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="holds Python objects"):
        read_contents(folder)


def test_systems_behind_links_are_read_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    make_system(tmp_path / "elsewhere" / "water")
    (data / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "circle").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (data / "twice").symlink_to(tmp_path / "elsewhere" / "water", target_is_directory=True)
    assert find_files(data) == [data / "link" / "water"]
    assert len(read_frames(data).frames) == N_FRAMES


def make_mixed(folder: Path) -> Path:
    """Write two sets of frames of OH2 and of HO with a virtual atom, in turn."""
    make_system(folder, molecule=True)
    (folder / "type.raw").write_text("0\n0\n0\n")
    types = np.array([[1, 0, 0], [0, 1, -1]] * 3)
    for number, part in enumerate((slice(0, 4), slice(4, 6))):
        np.save(folder / f"set.00{number}" / "real_atom_types.npy", types[part])
    return folder


def test_systems_of_mixed_types(tmp_path: Path) -> None:
    water, hydroxyl = read_systems(make_mixed(tmp_path / "3"))
    assert (water.frames.name, hydroxyl.frames.name) == ("3 (H2O)", "3 (HO)")
    assert water.frames.atomic_numbers.tolist() == [8, 1, 1]
    assert hydroxyl.frames.atomic_numbers.tolist() == [1, 8]
    assert hydroxyl.frames.positions.reshape(3, 6) == pytest.approx(COORD[1::2, :6], abs=1e-6)
    assert hydroxyl.frames.forces.reshape(3, 6) == pytest.approx(FORCE[1::2, :6], abs=1e-6)
    assert hydroxyl.frames.energies == pytest.approx(ENERGY[1::2], abs=1e-6)
    assert numbers_in_file(hydroxyl.frames).tolist() == [1, 3, 5]


def test_mixed_types_are_no_single_system(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="other atoms"):
        read_frames(make_mixed(tmp_path / "3"))
