"""sGDML, MD17 and rMD17 files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

RNG = np.random.default_rng(0)
Z, R = np.array([8, 1, 1], dtype=np.uint8), RNG.normal(size=(4, 3, 3))
E, F = RNG.normal(size=(4, 1)), RNG.normal(size=(4, 3, 3))


def _save(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


@pytest.mark.parametrize(
    "arrays",
    [
        {"z": Z, "R": R, "E": E, "F": F},
        {"z": np.repeat(Z[None], 4, axis=0), "R": R, "E": E[:, 0], "F": F},
        {"nuclear_charges": Z, "coords": R, "energies": E[:, 0], "forces": F},
    ],
    ids=["sGDML", "numbers per frame", "rMD17"],
)
def test_known_keys_are_in_kcal_mol(tmp_path: Path, arrays: dict) -> None:
    contents = read_contents(_save(tmp_path / "any.dat.npz", **arrays))
    assert contents.units == StatedUnits.of_energy("kcal/mol")
    assert contents.frames.atomic_numbers.tolist() == [8, 1, 1]
    assert np.array_equal(contents.frames.positions, R)
    assert np.array_equal(contents.frames.energies, E[:, 0])
    assert np.array_equal(contents.frames.forces, F)


def test_content_decides_not_the_suffix(tmp_path: Path) -> None:
    path = _save(tmp_path / "frames.npz", z=Z, R=R, E=E, F=F).rename(tmp_path / "frames.xyz")
    assert len(read_contents(path).frames) == 4


def test_stated_units_are_taken(tmp_path: Path) -> None:
    assert read_contents(_save(tmp_path / "a.npz", z=Z, R=R, E=E, F=F, e_unit="eV")).units.energy == "eV"
    in_bohr = read_contents(_save(tmp_path / "b.npz", z=Z, R=R, E=E, F=F, r_unit="bohr", e_unit="Ry"))
    assert in_bohr.units == StatedUnits("Ry", "Ry", "Bohr", "Bohr")
    with pytest.raises(DataError, match=r"key e_unit: unknown energy unit 'erg'; expected eV, kcal/mol"):
        read_contents(_save(tmp_path / "c.npz", z=Z, R=R, E=E, F=F, e_unit="erg"))


def test_sgdml_lattice_vectors_are_columns(tmp_path: Path) -> None:
    lattice = np.array([[5.0, 1.0, 0], [0, 6.0, 0], [0, 0, 7.0]])
    frames = read_contents(_save(tmp_path / "a.npz", z=Z, R=R, E=E, F=F, lattice=lattice)).frames
    assert frames.pbc == (True, True, True)
    assert frames.cells is not None
    assert frames.cells[2].tolist() == lattice.T.tolist()


@pytest.mark.parametrize("missing", ["z", "R", "E", "F"])
def test_missing_arrays_are_named(tmp_path: Path, missing: str) -> None:
    arrays = {"z": Z, "R": R, "E": E, "F": F}
    del arrays[missing]
    with pytest.raises(DataError, match=f"expected key {missing} or .*, it has {', '.join(arrays)}"):
        read_contents(_save(tmp_path / "a.npz", **arrays))


def test_mismatched_shapes(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="do not match"):
        read_contents(_save(tmp_path / "a.npz", z=Z, R=R, E=E, F=F[:3]))


def test_another_order_of_atoms(tmp_path: Path) -> None:
    numbers = np.repeat(Z[None], 4, axis=0)
    numbers[2] = [1, 8, 1]
    with pytest.raises(DataError, match="frame 2 has the atoms in another order than frame 0"):
        read_contents(_save(tmp_path / "a.npz", z=numbers, R=R, E=E, F=F))


class _Trap:
    """Unpickled, it would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.touch, (self.path,)


def test_pickled_arrays_are_not_loaded(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    energies = np.array([_Trap(sprung)] * 4, dtype=object)
    with pytest.raises(DataError, match="arrays of Python objects are never loaded"):
        read_contents(_save(tmp_path / "a.npz", z=Z, R=R, E=energies, F=F))
    assert not sprung.exists()
