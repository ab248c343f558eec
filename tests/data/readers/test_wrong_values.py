"""Values of the wrong kind: the message names the file, the frame, the key, and what was expected."""

from pathlib import Path

import numpy as np
import pytest

from mdaug.data.load import read_frames
from mdaug.errors import DataError
from tests.data.readers.test_deepmd import make_system
from tests.fuzz.samples import WATER

PROPERTIES = "Properties=species:S:1:pos:R:3:forces:R:3"
ROWS = "O 0 0 0 0 0 0\nH 0.96 0 0 0 0 0\nH -0.24 0.93 0 0 0 0\n"


def _xyz(path: Path, comment: str, rows: str = ROWS) -> Path:
    """Write two frames, the second with `comment` and `rows`."""
    path.write_text(f"3\n{PROPERTIES} energy=-1.5\n{ROWS}3\n{PROPERTIES} {comment}\n{rows}")
    return path


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("energy=-137,89", r"frame 1: the energy \(energy\) is '.*'; expected one number"),
        ('energy="-1.5 eV"', r"frame 1: the energy \(energy\) is '-1.5 eV'; expected one number"),
        ("energy=-1.5D+00", r"frame 1: the energy \(energy\) is '-1.5D\+00'; expected one number"),
        ("energy=-1.5 charge=neutral", "frame 1: charge is 'neutral'; expected one number"),
        ('energy=-1.5 charge="0.1 0.2 0.3"', r"frame 1: charge is '\[.*\]'; expected one number"),
        ("energy=-1.5 multiplicity=singlet", "frame 1: multiplicity is 'singlet'; expected one number"),
        ('energy=-1.5 temperature_K="300 K"', "frame 1: temperature_K is '300 K'; expected one number"),
        ("energy=-1.5 weight=heavy", "frame 1: weight is 'heavy'; expected one number"),
    ],
)
def test_records_that_are_no_numbers(tmp_path: Path, comment: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"frames\.xyz: {message}"):
        read_frames(_xyz(tmp_path / "frames.xyz", comment))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.96", "0,96", "could not convert string to float: '0,96'; expected numbers with a decimal point"),
        ("0.96", "******", "expected numbers with a decimal point"),
        ("O 0", "O1 0", "'O1' is no symbol of an element"),
    ],
)
def test_the_frame_of_a_broken_line_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(DataError, match=rf"frames\.xyz: frame 1: .*{message}"):
        read_frames(_xyz(tmp_path / "frames.xyz", "energy=-1.5", ROWS.replace(old, new)))


def test_a_key_with_two_values_is_refused(tmp_path: Path) -> None:
    path = _xyz(tmp_path / "frames.xyz", 'energy=-1.5 note="energy=3 energy=4" energy=-2.5')
    with pytest.raises(DataError, match=r"frames\.xyz: frame 1: key energy has two values .* -1.5 and -2.5"):
        read_frames(path)
    assert len(read_frames(_xyz(path, "energy=-1.5 energy=-1.5")).frames) == 2


def test_frames_are_counted_with_those_of_isolated_atoms(tmp_path: Path) -> None:
    path = _xyz(tmp_path / "frames.xyz", "energy=-1.5 charge=neutral")
    path.write_text(f"1\n{PROPERTIES} energy=-0.5\nH 0 0 0 0 0 0\n{path.read_text()}")
    with pytest.raises(DataError, match=r"frames\.xyz: frame 2: charge is 'neutral'"):
        read_frames(path)


def test_groups_may_have_names(tmp_path: Path) -> None:
    path = tmp_path / "frames.xyz"
    frame = "3\n{} energy=-1.5 group={}\n{}"
    path.write_text("".join(frame.format(PROPERTIES, name, ROWS) for name in ("run-b", "run-a", "run-b")))
    assert read_frames(path).frames.group.tolist() == [1, 0, 1]


@pytest.mark.parametrize("names", [("total_energy", "potential_energy"), ("potential_energy", "TotEnergy")])
def test_a_potential_energy_is_preferred_to_a_total_one(tmp_path: Path, names: tuple[str, str]) -> None:
    energies = {name: -3.0 if "otential" in name else -2.0 for name in names}
    comment = " ".join(f"{name}={energy}" for name, energy in energies.items())
    path = tmp_path / "frames.xyz"
    path.write_text(f"3\n{PROPERTIES} {comment}\n{ROWS}")
    contents = read_frames(path)
    assert contents.frames.energies.tolist() == [-3.0]
    assert "tot" in contents.notes[0].lower()


@pytest.mark.parametrize(
    ("encoding", "message"), [("utf-16", "UTF-16"), ("latin-1", "0xc5, which is not UTF-8")]
)
def test_text_that_is_not_utf_8(tmp_path: Path, encoding: str, message: str) -> None:
    path = tmp_path / "frames.xyz"
    path.write_bytes(f'3\n{PROPERTIES} energy=-1.5 note="in Å"\n{ROWS}'.encode(encoding))
    with pytest.raises(DataError, match=rf"frames\.xyz: .*{message}.*iconv"):
        read_frames(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": np.array([8.5, 1, 1])}, "atomic numbers: 8.5 is no whole number"),
        ({"z": np.array(["O", "H", "H"])}, "atomic numbers: .*'O'.* is no whole number"),
        ({"E": WATER.energies + 0j}, "energies of type complex128; expected real numbers"),
        ({"cells": np.repeat(9.0 * np.eye(3)[None], 8, axis=0)}, "key cells without a key pbc"),
        ({"temperature": np.array("hot")}, "key temperature has values as .*hot.*; expected a number"),
        ({"group": np.array(["a"] * 8)}, "group: .*'a'.* is no whole number"),
    ],
)
def test_arrays_of_the_wrong_kind(tmp_path: Path, change: dict, message: str) -> None:
    arrays = {"z": WATER.atomic_numbers, "R": WATER.positions, "E": WATER.energies, "F": WATER.forces}
    np.savez(tmp_path / "frames.npz", **(arrays | change))
    with pytest.raises(DataError, match=rf"frames\.npz: {message}"):
        read_frames(tmp_path / "frames.npz")


@pytest.mark.parametrize("temperature", [0.0, -300.0, np.inf])
def test_temperatures_are_positive(tmp_path: Path, temperature: float) -> None:
    path = tmp_path / "frames.xyz"
    path.write_text(f"3\n{PROPERTIES} energy=-1.5 temperature_K={temperature}\n{ROWS}")
    with pytest.raises(DataError, match=r"a temperature of .* K; expected more than 0"):
        read_frames(path)
    assert read_frames(path, temperature_K=300.0).frames.temperature_K == 300.0


@pytest.mark.parametrize("name", ["frames.xyz", "water"])
@pytest.mark.parametrize("option", ["energy_key", "forces_key"])
def test_keys_of_formats_without_names_are_refused(tmp_path: Path, name: str, option: str) -> None:
    if name == "water":
        make_system(tmp_path / name)
    else:
        (tmp_path / name).write_text(f"3\n-1.5\n{ROWS}")
    stated = f"--{option.replace('_', '-')} U0"
    with pytest.raises(DataError, match=rf"{name}: {stated}: no effect with .*: leave it out"):
        read_frames(tmp_path / name, **{option: "U0"})
    assert read_frames(tmp_path / name).frames.n_atoms == 3
