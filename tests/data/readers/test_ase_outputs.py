"""What ASE reads: its own files and the outputs of AIMD codes (small samples in each code's words)."""

import sqlite3
from contextlib import closing
from pathlib import Path

import ase.db
import ase.io
import numpy as np
import pytest
from ase import Atoms, units
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

POSITIONS = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.98]])
GRADIENT = 0.0251  # Hartree/Bohr on the hydrogen


@pytest.fixture
def images() -> list[Atoms]:
    """Two frames of a periodic copper cell with energies, forces and stresses."""
    made = []
    for z in (1.8, 1.85):
        atoms = Atoms("Cu2", [[0, 0, 0], [1.8, 0, z]], cell=[3.6, 3.6, 3.6], pbc=True)
        atoms.calc = EMT()
        results = {
            "energy": atoms.get_potential_energy(),
            "forces": atoms.get_forces(),
            "stress": atoms.get_stress(),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        made.append(atoms)
    return made


def _equal(path: Path, images: list[Atoms]) -> None:
    contents = read_contents(path)
    assert contents.units.energy == "eV"
    assert contents.frames.energies == pytest.approx([atoms.get_potential_energy() for atoms in images])
    assert contents.frames.forces == pytest.approx(
        np.array([atoms.get_forces() for atoms in images]), abs=1e-7
    )
    assert contents.frames.stresses is not None
    assert contents.frames.stresses[1] == pytest.approx(images[1].get_stress(voigt=False))


@pytest.mark.parametrize("suffix", ["db", "json"])
def test_databases(tmp_path: Path, images: list[Atoms], suffix: str) -> None:
    with ase.db.connect(tmp_path / f"a.{suffix}") as database:
        for atoms in images:
            database.write(atoms, temperature_K=300.0)
    path = (tmp_path / f"a.{suffix}").rename(tmp_path / "frames")
    _equal(path, images)
    assert read_contents(path).frames.temperature_K == 300.0


def test_trajectory(tmp_path: Path, images: list[Atoms]) -> None:
    ase.io.write(tmp_path / "frames", images, format="traj")
    _equal(tmp_path / "frames", images)


def _beside(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    "statements",
    [
        ["CREATE TABLE places (name TEXT)", "INSERT INTO places VALUES ('Rome')"],
        ["CREATE TABLE systems (name TEXT)", "CREATE TABLE places (name TEXT)"],
        ["PRAGMA journal_mode=WAL", "CREATE TABLE places (name TEXT)"],
        ["PRAGMA user_version=1"],
    ],
)
def test_a_database_of_another_kind_is_refused_and_left_as_it_is(
    tmp_path: Path, statements: list[str]
) -> None:
    """ASE adds its 16 tables to any SQLite database that it opens."""
    path = tmp_path / "places.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    before = _beside(tmp_path)
    with pytest.raises(DataError, match=r"SQLite database without ASE's table of systems; its tables: "):
        read_contents(path)
    assert _beside(tmp_path) == before


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_an_ase_database_is_not_written_to(tmp_path: Path, images: list[Atoms], mode: str) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
    with ase.db.connect(path) as database:
        for atoms in images:
            database.write(atoms)
    before = _beside(tmp_path)
    tmp_path.chmod(0o555)
    try:
        _equal(path, images)
    finally:
        tmp_path.chmod(0o755)
    assert _beside(tmp_path) == before


def test_rows_that_are_only_in_the_journal_are_read(tmp_path: Path, images: list[Atoms]) -> None:
    """While another process writes, the newest rows are in a file beside the database."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE keeps_the_journal (name TEXT)")
        connection.commit()
        with ase.db.connect(path) as database:
            for atoms in images:
                database.write(atoms)
        assert path.with_name("a.db-wal").stat().st_size > 0
        _equal(path, images)


def test_a_broken_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"SQLite format 3\x00 and no more")
    with pytest.raises(DataError, match=r"looks like ASE database \(SQLite\) but ASE cannot read it"):
        read_contents(tmp_path / "a.db")


def _vasprun_step(z: float, force: float, energy: float) -> str:
    basis = "<crystal><varray name='basis'><v>10 0 0</v><v>0 10 0</v><v>0 0 10</v></varray></crystal>"
    energies = f"<energy><i name='e_fr_energy'>{energy}</i><i name='e_0_energy'>{energy + 0.01}</i></energy>"
    return (
        f"<calculation><scstep>{energies}</scstep><structure>{basis}"
        f"<varray name='positions'><v>0 0 0</v><v>0 0 {z / 10}</v></varray></structure>"
        f"<varray name='forces'><v>0 0 {-force}</v><v>0 0 {force}</v></varray>{energies}</calculation>"
    )


def test_vasprun(tmp_path: Path) -> None:
    basis = "<crystal><varray name='basis'><v>10 0 0</v><v>0 10 0</v><v>0 0 10</v></varray></crystal>"
    species = "<array name='atoms'><set><rc><c>O </c><c>1</c></rc><rc><c>H </c><c>2</c></rc></set></array>"
    (tmp_path / "run.xml").write_text(
        "<?xml version='1.0'?><modeling>"
        "<kpoints><varray name='kpointlist'/><varray name='weights'/></kpoints>"
        f"<atominfo>{species}</atominfo><structure name='initialpos'>{basis}"
        "<varray name='positions'><v>0 0 0</v><v>0 0 .1</v></varray></structure>"
        f"{_vasprun_step(0.97, 0.5, -7.0)}{_vasprun_step(1.00, -1.5, -6.9)}</modeling>"
    )
    frames = read_contents(tmp_path / "run.xml").frames
    assert frames.energies.tolist() == [-7.0, -6.9]  # the free energy: the forces are its gradient
    assert frames.forces[1, 1].tolist() == [0, 0, -1.5]
    assert frames.positions[1, 1, 2] == pytest.approx(1.0)
    assert frames.pbc == (True, True, True)


def test_outcar(tmp_path: Path) -> None:
    """ASE ships a real one."""
    sample = Path(ase.__file__).parent / "test" / "testdata" / "vasp" / "OUTCAR_example_1"
    path = tmp_path / "renamed"
    path.write_bytes(sample.read_bytes())
    frames = read_contents(path).frames
    assert frames.energies.tolist() == [-68.22868532]  # free energy TOTEN
    assert frames.n_atoms == 18


def _orca(atoms: str = "O 0.0 0.0 0.0\nH 0.0 0.0 0.98\n") -> str:
    return (
        "                                 *****************\n"
        "                                 * O   R   C   A *\n"
        "Number of atoms                             ...      2\n"
        f"CARTESIAN COORDINATES (ANGSTROEM)\n---------------------------------\n{atoms}\n"
        "FINAL SINGLE POINT ENERGY       -75.5\n"
        "CARTESIAN GRADIENT\n------------------\n\n"
        f"   1   O   :    0.0    0.0   {-GRADIENT}\n   2   H   :    0.0    0.0    {GRADIENT}\n\n"
        "                             ****ORCA TERMINATED NORMALLY****\n"
    )


def test_orca(tmp_path: Path) -> None:
    (tmp_path / "job").write_text(_orca() + _orca())
    frames = read_contents(tmp_path / "job").frames
    assert frames.energies == pytest.approx([-75.5 * units.Hartree] * 2)
    assert frames.forces[1, 1, 2] == pytest.approx(-GRADIENT * units.Hartree / units.Bohr)


def test_an_unfinished_orca_job_is_told(tmp_path: Path) -> None:
    (tmp_path / "job").write_text(_orca().replace("TERMINATED NORMALLY", "…"))
    with pytest.raises(
        DataError, match=r"looks like ORCA output but ASE cannot read it .* is the run finished"
    ):
        read_contents(tmp_path / "job")


def _gaussian(orientation: str) -> str:
    rule = " " + "-" * 69 + "\n"
    return (
        " Entering Gaussian System, Link 0=g16\n"
        f"                          {orientation} orientation:                          \n{rule}"
        " Center     Atomic      Atomic             Coordinates (Angstroms)\n"
        f" Number     Number       Type             X           Y           Z\n{rule}"
        "      1          8           0        0.000000    0.000000    0.000000\n"
        f"      2          1           0        0.000000    0.000000    0.980000\n{rule}"
        " SCF Done:  E(UB3LYP) =  -75.5     A.U. after   10 cycles\n"
        f" Center     Atomic                   Forces (Hartrees/Bohr)\n"
        f" Number     Number              X              Y              Z\n{rule}"
        f"      1        8           0.000000000    0.000000000    {GRADIENT:.9f}\n"
        f"      2        1           0.000000000    0.000000000   {-GRADIENT:.9f}\n{rule}"
    )


def test_gaussian(tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text(_gaussian("Input"))
    frames = read_contents(tmp_path / "job.log").frames
    assert frames.energies == pytest.approx([-75.5 * units.Hartree])
    assert frames.forces[0, 1, 2] == pytest.approx(-GRADIENT * units.Hartree / units.Bohr)


def test_gaussian_in_a_turned_frame_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.log").write_text(_gaussian("Standard"))
    with pytest.raises(DataError, match="run Gaussian with NoSymm"):
        read_contents(tmp_path / "job.log")
