"""Starting structures from files and SMILES strings."""

import importlib
import sqlite3
from contextlib import closing
from pathlib import Path

import ase.db
import pytest
from ase import Atoms
from ase.io import write

from mdaug.errors import DataError, MissingDependencyError
from mdaug.quantum.calculators import calculator_factory
from mdaug.sampling.structures import starting_structures


def _dimer() -> Atoms:
    return Atoms("OH", [[0, 0, 0], [0, 0, 0.97]])


@pytest.mark.tblite
def test_smiles_give_different_conformers_in_their_own_order() -> None:
    first, second = starting_structures("C(C)O", 2, seed=1)
    assert first.numbers.tolist() == [6, 6, 8, 1, 1, 1, 1, 1, 1]
    assert first.get_distance(0, 2) < 1.6 and first.get_distance(2, 8) < 1.1
    assert abs(first.get_all_distances() - second.get_all_distances()).max() > 0.01


def test_a_structure_file_is_copied(tmp_path: Path) -> None:
    _dimer().write(tmp_path / "oh.xyz")
    structures = starting_structures(tmp_path / "oh.xyz", 3)
    assert [atoms.positions.tolist() for atoms in structures] == [_dimer().positions.tolist()] * 3


@pytest.mark.tblite
@pytest.mark.parametrize("source", ["not a molecule", "C(C", ""])
def test_neither_file_nor_smiles(source: str) -> None:
    with pytest.raises(DataError, match="neither a structure file nor a SMILES string"):
        starting_structures(source, 1)


def test_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("nonsense")
    with pytest.raises(DataError, match="not a structure that ASE reads"):
        starting_structures(tmp_path / "a.xyz", 1)


@pytest.mark.parametrize("package", ["tblite.ase", "rdkit.Chem.AllChem"])
def test_missing_packages_say_how_to_install_them(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    imported = importlib.import_module

    def fail(name: str, *more):
        if name == package:
            raise ImportError(name)
        return imported(name, *more)

    monkeypatch.setattr(importlib, "import_module", fail)
    monkeypatch.setattr("mdaug.sampling.structures.import_module", fail)
    with pytest.raises(MissingDependencyError, match=r"pip install 'mdaug\[xtb\]'"):
        calculator_factory() if package == "tblite.ase" else starting_structures("CCO", 1)


@pytest.mark.parametrize("name", ["places.db", "places.sqlite", "places.xyz", "places"])
def test_a_database_of_another_program_is_not_changed(name: str, tmp_path: Path) -> None:
    """ASE would add its tables to it."""
    path = tmp_path / name
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE places (name TEXT)")
        connection.commit()
    before = path.read_bytes()
    with pytest.raises(DataError, match=rf"{name}: not a structure that ASE reads"):
        starting_structures(path, 1)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_the_last_structure_of_a_database_of_ase(tmp_path: Path) -> None:
    with ase.db.connect(tmp_path / "a.db") as database:
        for distance in (0.9, 1.1):
            atoms = _dimer()
            atoms.set_distance(0, 1, distance)
            database.write(atoms)
    (atoms,) = starting_structures(tmp_path / "a.db", 1)
    assert atoms.get_distance(0, 1) == pytest.approx(1.1)


def test_an_at_sign_in_a_name_is_part_of_it(tmp_path: Path) -> None:
    """ASE takes what follows for the number of a frame."""
    for name in ("run@300.xyz", "b@2", "c@0.traj"):
        write(tmp_path / name, [_dimer()], format="traj" if name.endswith("traj") else "extxyz")
        assert len(starting_structures(tmp_path / name, 1)[0]) == 2


@pytest.mark.parametrize(
    ("row", "lattice", "where"),
    [("H 0 nan 0.97", "9 0 0 0 9 0 0 0 9", "atom 1"), ("H 0 0 0.97", "9 0 0 0 inf 0 0 0 9", "its cell")],
)
def test_coordinates_that_are_no_numbers_are_refused(
    row: str, lattice: str, where: str, tmp_path: Path
) -> None:
    path = tmp_path / "start.xyz"
    path.write_text(f'2\nLattice="{lattice}" Properties=species:S:1:pos:R:3\nO 0 0 0\n{row}\n')
    with pytest.raises(DataError, match=rf"start\.xyz: {where} has NaN or infinite coordinates"):
        starting_structures(path, 1)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "start.xyz"
    path.write_bytes(b"2\n\nO 0 0 0\nH 0 0 \xb00.97\n")
    with pytest.raises(DataError, match=r"start\.xyz: not a structure that ASE reads \(UnicodeDecodeError"):
        starting_structures(path, 1)
