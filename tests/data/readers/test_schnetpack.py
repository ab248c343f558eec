"""Databases of SchNetPack 2, and xyz of sGDML."""

import gzip
from pathlib import Path

import ase.db
import numpy as np
import pytest
from ase import Atoms, units

from mdaug.data.load import read_frames
from mdaug.data.stated_units import StatedUnits
from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

RNG = np.random.default_rng(0)
R, E, F = RNG.normal(size=(4, 3, 3)), RNG.normal(size=4), RNG.normal(size=(4, 3, 3))
UNITS = {"energy": "kcal/mol", "forces": "kcal/mol/Ang"}


def save(path: Path, units: dict, *, length: str = "Ang", **more: list) -> Path:
    """Write a database as SchNetPack's ASEAtomsData does."""
    with ase.db.connect(path) as database:
        database.metadata = {"_property_unit_dict": units, "_distance_unit": length, "atomrefs": {}}
        for n in range(4):
            data = {"energy": E[n : n + 1], "forces": F[n]} | {key: values[n] for key, values in more.items()}
            database.write(Atoms("OH2", R[n]), data={key: data[key] for key in units})
    return path


def test_units_are_those_of_the_metadata(tmp_path: Path) -> None:
    contents = read_contents(save(tmp_path / "md17.db", UNITS))
    assert contents.units == StatedUnits.of_energy("kcal/mol")
    assert contents.frames.energies.tolist() == E.tolist()
    assert contents.frames.forces.tolist() == F.tolist()
    in_bohr = {"energy": "Ha", "forces": "Ha/Bohr"}
    contents = read_contents(save(tmp_path / "bohr.db", in_bohr, length="Bohr"))
    assert contents.units == StatedUnits("Hartree", "Hartree", "Bohr", "Bohr")


def test_labels_of_another_name(tmp_path: Path) -> None:
    units = UNITS | {"energy_U0": "eV", "dipole_moment": "Debye"}
    more = {"energy_U0": list(E[:, None] - 1), "dipole_moment": list(R[:, 0])}
    path = save(tmp_path / "qm9.db", units, **more)
    assert read_contents(path).units.energy == "kcal/mol"
    only = read_contents(path, energy_key="energy_U0", forces_optional=True)
    assert (only.units.energy, only.frames.has_forces) == ("eV", False)
    assert only.frames.energies == pytest.approx(E - 1)


def test_unknown_units_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metadata: energy: unknown energy unit 'erg'"):
        read_contents(save(tmp_path / "a.db", UNITS | {"energy": "erg"}))


def test_reading_leaves_the_database_as_it_is(tmp_path: Path) -> None:
    path = save(tmp_path / "a.db", UNITS)
    before = path.read_bytes()
    read_contents(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.db"]


@pytest.mark.parametrize(
    ("name", "unit", "factor"),
    [
        ("stress", "eV/Ang/Ang/Ang", 1.0),
        ("stress", "GPa", units.GPa),
        ("stress", "kcal/mol/Ang^3", units.kcal / units.mol),
        ("stress", "", units.kcal / units.mol),  # the energy unit of the file
        ("virial", "eV", -1 / 1000.0),
    ],
)
def test_stresses_of_crystals_are_in_their_own_unit(tmp_path: Path, name: str, unit: str, factor: float):
    tensors = RNG.normal(size=(4, 1, 3, 3))
    tensors = tensors + tensors.swapaxes(2, 3)
    path = tmp_path / "crystal.db"
    with ase.db.connect(path) as database:
        units_of = {"energy": "kcal/mol", "forces": "kcal/mol/Ang", name: unit}
        database.metadata = {"_property_unit_dict": units_of, "_distance_unit": "Ang", "atomrefs": {}}
        for n in range(4):
            atoms = Atoms("OH2", R[n], cell=[10.0, 10, 10], pbc=True)
            database.write(atoms, data={"energy": E[n : n + 1], "forces": F[n], name: tensors[n]})
    frames = read_frames(path).frames
    np.testing.assert_allclose(frames.stresses, factor * tensors[:, 0])


def test_a_stress_of_unknown_unit_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"metadata: stress: unknown stress unit 'atm3'"):
        read_contents(save(tmp_path / "a.db", UNITS | {"stress": "atm3"}, stress=[np.eye(3)] * 4))


def sgdml_text(n_frames: int = 4, comment: str = "{energy!r}") -> str:
    text = ""
    for energy, positions, forces in zip(E[:n_frames].tolist(), R, F, strict=False):
        rows = np.hstack([positions, forces]).tolist()
        atoms = [f"{s} {' '.join(map(repr, row))}" for s, row in zip("OHH", rows, strict=True)]
        text += "\n".join(("3", comment.format(energy=energy), *atoms, ""))
    return text


def test_xyz_of_sgdml_is_in_kcal_mol(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text(sgdml_text())
    contents = read_contents(tmp_path / "a.xyz")
    assert contents.units == StatedUnits.of_energy("kcal/mol")
    assert contents.frames.energies.tolist() == E.tolist()
    assert contents.frames.positions.tolist() == R.tolist()
    assert contents.frames.forces.tolist() == F.tolist()
    assert contents.frames.atomic_numbers.tolist() == [8, 1, 1]


def test_compressed_files_are_unpacked(tmp_path: Path) -> None:
    (tmp_path / "a.xyz.gz").write_bytes(gzip.compress(sgdml_text().encode()))
    assert read_frames(tmp_path / "a.xyz.gz", units="eV").frames.energies.tolist() == E.tolist()
    database = save(tmp_path / "a.db", UNITS)
    (tmp_path / "b.db.gz").write_bytes(gzip.compress(database.read_bytes()))
    assert read_contents(tmp_path / "b.db.gz").units.energy == "kcal/mol"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (sgdml_text()[:-40] + "\n", "frame 3: "),
        (sgdml_text(3) + "3\n", "no whole number of frames"),
        (sgdml_text().replace("H", "D"), "'D' is no element"),
        (sgdml_text(2) + sgdml_text(1).replace("O", "S"), "frame 2 has other atoms"),
        (sgdml_text(1) + sgdml_text(1, "no energy"), "frame 1: .* expected the energy"),
    ],
)
def test_broken_xyz_of_sgdml(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.xyz").write_text(text)
    with pytest.raises(DataError, match=message):
        read_contents(tmp_path / "a.xyz")
