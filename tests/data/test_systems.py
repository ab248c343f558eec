"""Frames of several systems in one file, in a folder, or in an HDF5 file: one set of frames for each."""

import json
from dataclasses import replace
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mdaug.cli.app import main
from mdaug.data import load_frames, load_systems, write_extxyz
from mdaug.data.isolated_atoms import is_isolated, isolated_energies, separate_isolated_atoms
from mdaug.data.isomers import _are_apart, split_isomers
from mdaug.data.write import write_npz
from mdaug.errors import DataError
from mdaug.frames import FrameSet
from mdaug.geometry.bond_graphs import frame_bond_graphs
from mdaug.geometry.bonds import find_bonds


def _frames(name: str, n: int, seed: int = 0) -> list[Atoms]:
    """Return frames of a molecule with EMT's energies and forces."""
    rng, images = np.random.default_rng(seed), []
    for _ in range(n):
        atoms = molecule(name)
        atoms.positions += rng.normal(scale=0.03, size=atoms.positions.shape)
        atoms.calc = EMT()
        results = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces()}
        atoms.calc = SinglePointCalculator(atoms, **results)
        images.append(atoms)
    return images


@pytest.fixture
def mixed() -> list[Atoms]:
    """Return 12 frames of methanol and 9 of water, one after the other as long as there are both."""
    methanol, water = _frames("CH3OH", 12), _frames("H2O", 9)
    pairs = [atoms for both in zip(methanol, water, strict=False) for atoms in both]
    return [*pairs, *methanol[9:]]


def _check(systems: list[FrameSet], mixed: list[Atoms]) -> None:
    assert [(len(frames), frames.n_atoms) for frames in systems] == [(12, 6), (9, 3)]
    for frames in systems:
        own = [atoms for atoms in mixed if len(atoms) == frames.n_atoms]
        np.testing.assert_allclose(frames.positions, [atoms.positions for atoms in own], atol=1e-7)
        np.testing.assert_allclose(frames.energies, [atoms.get_potential_energy() for atoms in own])
        np.testing.assert_allclose(frames.forces, [atoms.get_forces() for atoms in own], atol=1e-7)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_file_of_two_compositions(mixed, tmp_path):
    path = tmp_path / "mixed.xyz"
    ase.io.write(path, mixed, format="extxyz")
    systems = load_systems(path)
    _check(systems, mixed)
    assert [frames.name for frames in systems] == ["mixed.xyz (CH4O)", "mixed.xyz (H2O)"]
    assert [len(frames) for frames in load_systems(path, every=3)] == [4, 3]
    assert {frames.temperature_K for frames in load_systems(path, temperature_K=321.0)} == {321.0}
    with pytest.raises(DataError, match=r"frame 1 has other atoms \(H2O, not CH4O\)"):
        load_frames(path)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_an_ase_database_of_two_compositions(mixed, tmp_path):
    with ase.db.connect(tmp_path / "mixed.db") as database:
        for atoms in mixed:
            database.write(atoms)
    _check(load_systems(tmp_path / "mixed.db"), mixed)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_files_of_a_folder_are_joined_by_system(mixed, tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    for n, part in enumerate((mixed[:4], mixed[4:12], mixed[12:])):
        ase.io.write(folder / f"{n}.xyz", part, format="extxyz")
    systems = load_systems(folder)
    _check(systems, mixed)
    assert all(len(set(frames.group.tolist())) == len(frames) for frames in systems)


@pytest.mark.h5py
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_groups_of_an_hdf5_file(mixed, tmp_path):
    import h5py

    with h5py.File(tmp_path / "mixed.h5", "w") as file:
        for name, size in (("a", 6), ("b", 3)):
            own = [atoms for atoms in mixed if len(atoms) == size]
            group = file.create_group(name)
            group["atomic_numbers"] = own[0].numbers
            group["positions"] = [atoms.positions for atoms in own]
            group["energies"] = [atoms.get_potential_energy() for atoms in own]
            group["forces"] = [atoms.get_forces() for atoms in own]
    systems = load_systems(tmp_path / "mixed.h5")
    _check(systems, mixed)
    assert [frames.name for frames in systems] == ["mixed.h5#a", "mixed.h5#b"]


def test_a_file_of_one_system_is_read_as_ever(ethanol: FrameSet, tmp_path: Path):
    write_extxyz(ethanol.select(slice(0, 40)), tmp_path / "e.xyz")
    (found,) = load_systems(tmp_path / "e.xyz", every=2)
    expected = load_frames(tmp_path / "e.xyz", every=2)
    assert found.name == expected.name
    for key in ("positions", "energies", "forces", "group", "weights"):
        np.testing.assert_array_equal(getattr(found, key), getattr(expected, key))
    (named,) = load_systems("ethanol")
    assert repr(named) == repr(load_frames("ethanol"))


def test_atoms_of_one_molecule_in_two_orders_are_refused(mixed, tmp_path):
    shuffled = mixed[2][[1, 0, 2, 3, 4, 5]]
    shuffled.calc = SinglePointCalculator(
        shuffled, energy=mixed[2].get_potential_energy(), forces=mixed[2].get_forces()[[1, 0, 2, 3, 4, 5]]
    )
    ase.io.write(tmp_path / "mixed.xyz", [*mixed, shuffled], format="extxyz")
    with pytest.raises(DataError, match="frame 21 has the atoms of frame 0, with the same bonds, in another"):
        load_systems(tmp_path / "mixed.xyz")


def test_a_missing_label_names_the_frame_of_the_file(mixed, tmp_path):
    del mixed[5].calc.results["forces"]
    ase.io.write(tmp_path / "mixed.xyz", mixed, format="extxyz")
    with pytest.raises(DataError, match="frame 5 has no forces"):
        load_systems(tmp_path / "mixed.xyz")


def test_single_atoms_beside_molecules_are_left_out(mixed, tmp_path):
    atoms = [Atoms(symbol, info={"energy": energy, "config_type": "IsolatedAtom"}) for symbol, energy in
             (("H", -13.6), ("O", -432.0), ("C", -1027.0))]  # fmt: skip
    ase.io.write(tmp_path / "mixed.xyz", [*atoms, *mixed], format="extxyz")
    with pytest.warns(
        UserWarning, match=r"mixed.xyz \(CH4O\): frames of isolated atoms \(H, O, C\) are left out"
    ):
        systems = load_systems(tmp_path / "mixed.xyz")
    _check(systems, mixed)
    others, alone = separate_isolated_atoms(load_systems(tmp_path / "mixed.xyz", isolated_atoms=True))
    _check(others, mixed)
    assert isolated_energies(alone) == pytest.approx({"H": -13.6, "O": -432.0, "C": -1027.0})


def test_single_atoms_beside_frames_of_one_molecule_are_left_out(mixed, tmp_path):
    one = [atoms for atoms in mixed if str(atoms.symbols) == str(mixed[0].symbols)]
    ase.io.write(tmp_path / "one.xyz", [Atoms("H", info={"energy": -13.6}), *one], format="extxyz")
    with pytest.warns(UserWarning, match=r"frames of isolated atoms \(H\) are left out; `mdaug train` takes"):
        assert len(load_frames(tmp_path / "one.xyz")) == len(one)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", ["frames.traj", "frames.db", "schnetpack.db", "frames.h5"])
def test_single_atoms_are_left_out_of_every_format(name, mixed, tmp_path):
    methanol = [atoms for atoms in mixed if len(atoms) == 6]
    atom = Atoms("H", calculator=SinglePointCalculator(Atoms("H"), energy=-13.6, forces=np.zeros((1, 3))))
    _write(tmp_path / name, [atom, *methanol])
    with pytest.warns(UserWarning, match=r"frames of isolated atoms \(H\) are left out"):
        frames = load_frames(tmp_path / name)
    assert (len(frames), frames.n_atoms) == (12, 6)
    np.testing.assert_allclose(frames.energies, [atoms.get_potential_energy() for atoms in methanol])
    alone = separate_isolated_atoms(load_systems(tmp_path / name, isolated_atoms=True))[1]
    assert isolated_energies(alone) == {"H": pytest.approx(-13.6)}


def _write(path: Path, images: list[Atoms]) -> None:
    """Write frames, the first of a single atom, in the format that the name says; two lack its forces."""
    if path.suffix == ".traj":
        ase.io.write(path, images)
    elif path.suffix == ".h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as file:
            for n, own in enumerate((images[:1], images[1:])):
                file[f"{n}/atomic_numbers"] = own[0].numbers
                file[f"{n}/positions"] = [atoms.positions for atoms in own]
                file[f"{n}/energies"] = [atoms.get_potential_energy() for atoms in own]
                if n:
                    file[f"{n}/forces"] = [atoms.get_forces() for atoms in own]
    else:
        with ase.db.connect(path) as database:
            if path.name == "schnetpack.db":
                units = {"energy": "eV", "forces": "eV/Ang"}
                database.metadata = {"_property_unit_dict": units, "_distance_unit": "Ang"}
            for atoms in images:
                labels = {"energy": np.array([atoms.get_potential_energy()]), "forces": atoms.get_forces()}
                if len(atoms) == 1 and path.name == "schnetpack.db":
                    database.write(Atoms("H"), data={"energy": labels["energy"]})
                else:
                    database.write(atoms, data=labels)


def test_single_atoms_need_no_forces_in_systems_of_deepmd(mixed, tmp_path):
    methanol = [atoms for atoms in mixed if len(atoms) == 6]
    for name, own in (("h", [Atoms("H")]), ("methanol", methanol)):
        folder = tmp_path / "data" / name / "set.000"
        folder.mkdir(parents=True)
        symbols = sorted(set(own[0].get_chemical_symbols()))
        (folder.parent / "type_map.raw").write_text("\n".join(symbols))
        (folder.parent / "type.raw").write_text("\n".join(str(symbols.index(s)) for s in own[0].symbols))
        (folder.parent / "nopbc").touch()
        np.save(folder / "coord.npy", [atoms.positions.ravel() for atoms in own])
        if name == "methanol":
            np.save(folder / "energy.npy", [atoms.get_potential_energy() for atoms in own])
            np.save(folder / "force.npy", [atoms.get_forces().ravel() for atoms in own])
        else:
            np.save(folder / "energy.npy", [-13.6])
    systems, alone = separate_isolated_atoms(load_systems(tmp_path / "data", isolated_atoms=True))
    assert [len(frames) for frames in systems] == [12]
    assert isolated_energies(alone) == {"H": -13.6}
    (tmp_path / "data" / "methanol" / "set.000" / "force.npy").unlink()
    with pytest.raises(DataError, match="expected the forces of every frame"):
        load_systems(tmp_path / "data")


@pytest.mark.parametrize(
    ("cell", "config_type", "expected"),
    [(None, "", True), (3.0, "", False), (3.0, "IsolatedAtom", True), (8.0, "", True)],
)
def test_which_single_atoms_are_isolated(cell, config_type, expected):
    """Atoms of a primitive cell are not, unless the file says so."""
    atoms = Atoms("Cu", info={"config_type": config_type}, cell=cell and [cell] * 3, pbc=cell is not None)
    assert is_isolated(atoms) == expected


def test_two_energies_of_one_atom_are_refused():
    energies = np.array([-13.6, -12.0])
    two = FrameSet(np.array([1]), np.zeros((2, 1, 3)), energies, np.zeros((2, 1, 3)), name="h")
    with pytest.raises(DataError, match=r"h: isolated atoms H have the energies -13.6 \(in h\) and -12 eV"):
        isolated_energies([two])


def test_molecules_and_boxes_of_the_same_atoms_are_two_systems(ethanol: FrameSet, tmp_path: Path):
    frames = ethanol.select(slice(0, 12))
    cells = np.tile(30.0 * np.eye(3), (12, 1, 1))
    write_extxyz(frames, tmp_path / "a.xyz")
    write_extxyz(replace(frames, cells=cells, pbc=(True, True, True)), tmp_path / "b.xyz")
    both = tmp_path / "both.xyz"
    both.write_text((tmp_path / "a.xyz").read_text() + (tmp_path / "b.xyz").read_text())
    assert [frames.pbc for frames in load_systems(both)] == [(False,) * 3, (True,) * 3]


def isomers(n: int, seed: int = 0) -> list[Atoms]:
    """Return dimethyl ether and ethanol in turn, both with the atoms C, C, O, H…, with EMT's results."""
    rng = np.random.default_rng(seed)
    images = []
    for k in range(n):
        atoms = molecule("CH3CH2OH" if k % 2 else "CH3OCH3")
        atoms = atoms[sorted(range(9), key=lambda a: "COH".index(atoms.symbols[a]))]
        atoms.positions += 0.03 * rng.standard_normal((9, 3))
        calculator = EMT()
        energy, forces = calculator.get_potential_energy(atoms), calculator.get_forces(atoms)
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces)
        images.append(atoms)
    return images


def test_isomers_in_one_order_of_atoms_are_two_systems(tmp_path: Path):
    images = isomers(60)
    ase.io.write(tmp_path / "mixed.xyz", images, format="extxyz")
    found = load_systems(tmp_path / "mixed.xyz")
    assert [len(frames) for frames in found] == [30, 30]
    assert {frames.name for frames in found} == {"mixed.xyz, isomer 1", "mixed.xyz, isomer 2"}
    for frames in found:
        first = int(frames.energies[0] != pytest.approx(images[0].get_potential_energy(), abs=1e-6))
        np.testing.assert_allclose(frames.positions, [a.positions for a in images[first::2]], atol=1e-7)


def test_isomers_are_refused_where_one_system_is_expected(tmp_path: Path):
    """Whatever else the checks would say of frames of two molecules."""
    ase.io.write(tmp_path / "mixed.xyz", isomers(60), format="extxyz")
    with pytest.raises(DataError, match=r"2 isomers \(frames .*, … \(30 in all\); .*: split the file"):
        load_frames(tmp_path / "mixed.xyz")


@pytest.mark.parametrize("number", [0, 150])
def test_unknown_elements_are_refused_before_their_bonds_are_looked_for(
    number: int, ethanol: FrameSet, tmp_path: Path
):
    numbers = np.where(np.arange(9) == 0, number, ethanol.atomic_numbers)
    write_npz(replace(ethanol.select(slice(0, 40)), atomic_numbers=numbers), tmp_path / "a.npz")
    with pytest.raises(DataError, match=f"atom 0 has atomic number {number}; expected a chemical element"):
        load_systems(tmp_path / "a.npz")
    assert main(["check", str(tmp_path / "a.npz"), f"--out={tmp_path / 'out'}"]) == 1
    (reading, verdict) = json.loads((tmp_path / "out" / "check.json").read_text())["verdicts"]
    assert (reading["verdict"], verdict["verdict"]) == ("ok", "error")


def test_few_frames_of_each_isomer_are_systems_too():
    """Three frames are enough where no bonds prevail."""
    images = isomers(7)
    positions = np.array([atoms.positions for atoms in images])
    frames = FrameSet(images[0].numbers, positions, np.zeros(7), np.zeros((7, 9, 3)), name="few")
    parts = split_isomers(frames)
    assert [part.name for part in parts] == ["few, isomer 1", "few, isomer 2"]
    np.testing.assert_array_equal(parts[0].positions, positions[::2])
    # beside many of the other one, three are a reaction
    one = frames.select([0] * 13 + [1, 3, 5])
    assert split_isomers(one) == [one]


def test_check_names_only_those_of_many_systems_with_warnings(tmp_path: Path, capsys, monkeypatch):
    monkeypatch.setattr("mdaug.cli.check.SHOWN_IN_FULL", 1)
    monkeypatch.setattr("mdaug.cli.check.MANY_SYSTEMS", 1)
    images = isomers(12)
    images[1].calc.results["forces"] = images[1].calc.results["forces"] * 50
    ase.io.write(tmp_path / "mixed.xyz", images, format="extxyz")
    main(["check", str(tmp_path / "mixed.xyz"), f"--out={tmp_path / 'out'}"])
    out = capsys.readouterr().out
    assert "1 of 2 systems without warnings and errors" in out
    assert "isomer 1: 6 frames" not in out and "isomer 2: 6 frames" in out


def test_few_frames_between_two_orders_of_bonds_are_of_one_molecule():
    """A hydrogen that moves from carbon to carbon, with a frame on its way."""
    ends = [atoms.positions for atoms in isomers(8)]
    way = ends[0] + 0.5 * (ends[1] - ends[0])
    numbers = isomers(1)[0].numbers
    with_way = FrameSet(numbers, np.array([*ends, *[way] * 3]), np.zeros(11), np.zeros((11, 9, 3)))
    graphs = frame_bond_graphs(with_way)
    rows, member = np.unique(graphs.present, axis=0, return_inverse=True)
    own, other, between = member.reshape(-1)[[0, 1, 8]]
    assert _are_apart(with_way, graphs, rows, member.reshape(-1), (own, other))
    as_other = np.where(member.reshape(-1) == between, other, member.reshape(-1))
    assert not _are_apart(with_way, graphs, rows, as_other, (own, other))


def test_few_broken_molecules_are_no_isomers(ethanol: FrameSet):
    few = ethanol.select(slice(0, 10))
    positions = few.positions.copy()
    positions[:4, 8] += 3.0
    broken = replace(few, positions=positions)
    assert split_isomers(broken) == [broken]


def test_few_frames_with_exchanged_elements_are_no_isomers(ethanol: FrameSet, monkeypatch):
    """The checks refuse them, and name the atoms."""
    few = ethanol.select(slice(0, 10))
    oxygen = int(np.flatnonzero(few.atomic_numbers == 8)[0])
    bonds = find_bonds(few.structure(0))
    neighbor = next(int(b[b != oxygen][0]) for b in bonds if oxygen in b and 1 not in few.atomic_numbers[b])
    carbon = next(a for a in np.flatnonzero(few.atomic_numbers == 6) if a != neighbor)
    swapped = np.arange(few.n_atoms)
    swapped[[oxygen, carbon]] = swapped[[carbon, oxygen]]
    positions = few.positions.copy()
    positions[6:] = positions[6:, swapped]
    exchanged = replace(few, positions=positions)
    assert split_isomers(exchanged) == [exchanged]
    monkeypatch.setattr("mdaug.data.isomers.OTHER_LENGTH_A", 10.0)
    assert len(split_isomers(exchanged)) == 2


def test_what_makes_no_isomers(ethanol: FrameSet):
    """Hot frames, frames in which a few bonds are broken, and frames in which lengths are in Bohr."""
    assert split_isomers(ethanol) == [ethanol]
    unit = np.where(np.arange(len(ethanol)) % 3 == 0, 1 / 0.529177, 1.0)[:, None, None]
    in_bohr = replace(ethanol, positions=ethanol.positions * unit)
    assert split_isomers(in_bohr) == [in_bohr]
    positions = ethanol.positions.copy()
    positions[::30, 8] += 3.0
    broken = replace(ethanol, positions=positions)
    assert split_isomers(broken) == [broken]


def test_an_ion_is_no_isolated_atom() -> None:
    """A chloride ion beside a chlorine atom is no second energy of the element."""
    chlorine, chloride = (
        FrameSet(np.array([17]), np.zeros((1, 1, 3)), np.array([energy]), np.zeros((1, 1, 3)), charge=charge)
        for energy, charge in ((-120.0, 0.0), (-123.6, -1.0))
    )
    with pytest.warns(UserWarning, match=r"single ions Cl of charge -1 are left out"):
        assert isolated_energies([chloride, chlorine]) == {"Cl": -120.0}
    with pytest.warns(UserWarning, match=r"single ions Cl"):
        assert isolated_energies([chloride]) == {}
