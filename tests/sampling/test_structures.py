"""Starting structures from files and SMILES strings."""

import importlib
from pathlib import Path

import pytest
from ase import Atoms

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
