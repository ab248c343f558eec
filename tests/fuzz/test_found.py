"""What the mutations found, one test a kind of fault; all of these once ended in a fault of mdaug."""

import io
import re

import numpy as np
import pytest

from tests.fuzz import samples
from tests.fuzz.commands import commands_for, complaint, put
from tests.fuzz.mutations import pack


def _npz(**changes) -> bytes:
    path = io.BytesIO()
    held = {"z": samples.NUMBERS, "R": samples.WATER.positions, "E": samples.WATER.energies}
    np.savez(path, **held | {"F": samples.WATER.forces} | changes)
    return path.getvalue()


FOUND = {
    "npz: a number for the positions": ("npz", _npz(R=np.float64(1.0))),
    "npz: structured array": ("npz", _npz(z=np.zeros(3, [("a", "f8"), ("b", "i4")]))),
    "npz: bytes for numbers": ("npz", _npz(E=np.full(8, b"\xff\xfe"))),
    "npz: cells without pbc": ("npz", _npz(cells=np.zeros((8, 3, 3)))),
    "npz: text as temperature": ("npz", _npz(temperature=np.array("warm"))),
    "nff: broken directory of the zip": (
        "nff",
        pack({"data.pkl": np.zeros(1)})[:-60] + b"PK\x05\x06" + bytes(60),
    ),
    "extxyz: a long row of zeros": ("extxyz", b"1\nenergy=1\nH 0 0 " + b"\0" * 3000 + b" 0 0 0\n"),
    "curve: infinity": ("reference curve", b"distance_A,energy_kcal_mol\n" + b"1,0\n2,inf\n3,1\n4,2\n5,3\n"),
    "curve: absurd": (
        "reference curve",
        b"distance_A,energy_kcal_mol\n" + b"1,0\n2,1e308\n3,1\n4,-1e308\n5,3\n",
    ),
    "structure: a cell without end": (
        "structure",
        b'3\nLattice="1e12 0 0 0 9 0 0 0 9" pbc="T T T"\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n',
    ),
    "results: a list for a number": ("results.json", b'{"training": {"epochs": [3], "seconds": {}}}'),
}


@pytest.mark.parametrize("name", FOUND)
def test_found(name, house, capsys) -> None:
    kind, content = FOUND[name]
    file = put(kind, content, house.path / "found", house)
    argv = commands_for(kind, file, house)[0]
    assert complaint(argv, file, house, capsys) is None
    assert house.counts == {"exit 1": 1}


def test_an_atom_lost_far_away(house, capsys) -> None:
    """It ended the process: vesin divided by zero."""
    text = b"3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 1e12 0\n"
    file = put("structure", text, house.path / "found", house)
    for argv in commands_for("structure", file, house):
        assert complaint(argv, file, house, capsys) is None


def test_fewer_forces_than_atoms(house, capsys) -> None:
    text = house.good("Gaussian").read_text().splitlines(keepends=True)
    last_force = max(k for k, line in enumerate(text) if line.startswith("   3   1"))
    del text[last_force]
    file = put("Gaussian", "".join(text).encode(), house.path / "found", house)
    assert complaint(commands_for("Gaussian", file, house)[0], file, house, capsys) is None


def test_a_time_step_that_is_no_number(house, capsys) -> None:
    for word in ("true", "e", "1e5e5", "-"):
        text = house.good("LAMMPS log").read_text().replace("timestep 0.0005", f"timestep {word}")
        file = put("LAMMPS log", text.encode(), house.path / "found", house)
        assert complaint(commands_for("LAMMPS log", file, house)[0], file, house, capsys) is None


def test_a_log_of_no_atoms_or_of_endless_numbers(house, capsys) -> None:
    good = house.good("LAMMPS log").read_text()
    atoms = re.sub(r"with \d+ atoms", "with 0 atoms", good)
    timestep = good.replace("timestep 0.0005", "timestep 1e999")
    energies = re.sub(r"(?m)^(\s*\d+ .*)\S$", r"\g<1>e250", good)
    for text in (atoms, timestep, energies):
        assert text != good
        file = put("LAMMPS log", text.encode(), house.path / "found", house)
        assert complaint(commands_for("LAMMPS log", file, house)[0], file, house, capsys) is None


@pytest.mark.parametrize("word", ["1e308", "NaN", "Infinity"])
@pytest.mark.parametrize("key", ["k", "distance", "weight", "temperature_K"])
def test_springs_of_endless_numbers(key, word, house, capsys) -> None:
    text = re.sub(rf'"{key}": [-+.\deE]+', f'"{key}": {word}', house.good("springs.json").read_text())
    file = put("springs.json", text.encode(), house.path / "found", house)
    for argv in commands_for("springs.json", file, house):
        assert complaint(argv, file, house, capsys) is None
