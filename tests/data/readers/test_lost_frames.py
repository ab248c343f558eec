"""No frame is lost without a word, and no label is taken from another calculation."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from mdaug.errors import DataError
from tests.data.readers.one_system import read_contents

HEADER = "Properties=species:S:1:pos:R:3:forces:R:3"
ATOMS = ("O 0 0 0 0 0 0.1", "H 0 0 0.97 0 0 -0.1")


def _frame(comment: str = f"{HEADER} energy=-1.5", atoms: tuple[str, ...] = ATOMS) -> str:
    return "\n".join((str(len(atoms)), comment, *atoms, ""))


def _write(path: Path, *frames: str) -> Path:
    path.write_text("".join(frames), encoding="utf-8")
    return path


def test_blank_lines_between_concatenated_files_end_nothing(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xyz", _frame() * 30, "\n", " \n", _frame() * 30, "\n")
    assert len(read_contents(path).frames) == 60


def test_text_between_frames_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.xyz", _frame(), "end of part one\n", _frame())
    with pytest.raises(DataError, match=r"line 5: 'end of part one'; expected the number of atoms"):
        read_contents(path)


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert len(read_contents(_write(tmp_path / "a.xyz", "\ufeff", _frame())).frames) == 1


@pytest.mark.parametrize(
    "columns", ["pos:R:3:species:S:1:forces:R:3", "id:I:1:species:S:1:pos:R:3:forces:R:3"]
)
def test_columns_in_any_order(tmp_path: Path, columns: str) -> None:
    atoms = ("0 0 0 O 0 0 0.1", "0 0 0.97 H 0 0 -0.1")
    if columns.startswith("id"):
        atoms = ("1 O 0 0 0 0 0 0.1", "2 H 0 0 0.97 0 0 -0.1")
    frames = read_contents(_write(tmp_path / "a", _frame(f"Properties={columns} energy=-1", atoms))).frames
    assert frames.atomic_numbers.tolist() == [8, 1]
    assert frames.positions[0, 1].tolist() == [0, 0, 0.97]


def test_a_long_comment_line(tmp_path: Path) -> None:
    long = f'note="{"x" * 100_000}" {HEADER} energy=-1'
    assert read_contents(_write(tmp_path / "a", _frame(long))).frames.energies.tolist() == [-1]


def test_compressed_files(tmp_path: Path) -> None:
    path = tmp_path / "frames.xyz.gz"
    path.write_bytes(gzip.compress((_frame() * 3).encode()))
    contents = read_contents(path)
    assert (len(contents.frames), contents.frames.name) == (3, "frames.xyz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"frames.xyz.gz: broken gzip file"):
        read_contents(path)


def test_deuterium_is_hydrogen(tmp_path: Path) -> None:
    contents = read_contents(_write(tmp_path / "a.xyz", _frame(atoms=(ATOMS[0], ATOMS[1].replace("H", "D")))))
    assert contents.frames.atomic_numbers.tolist() == [8, 1]
    assert contents.notes == ("1 atoms D or T are read as H, which have the same potential",)


def test_energy_and_forces_of_two_calculations_are_no_pair(tmp_path: Path) -> None:
    comment = "Properties=species:S:1:pos:R:3:REF_forces:R:3 energy=-2.5"
    path = _write(tmp_path / "a.xyz", _frame(comment))
    with pytest.raises(
        DataError, match=r"energies energy and forces REF_forces are of different names; .*-key"
    ):
        read_contents(path)
    assert read_contents(path, energy_key="energy", forces_key="REF_forces").frames.energies.tolist() == [
        -2.5
    ]


def test_one_of_two_pairs_is_chosen_and_named(tmp_path: Path) -> None:
    atoms = ("O 0 0 0 0 0 0.1 0 0 0.2", "H 0 0 0.97 0 0 -0.1 0 0 -0.2")
    path = _write(tmp_path / "a.xyz", _frame(f"{HEADER}:REF_forces:R:3 energy=-1 REF_energy=-2", atoms))
    contents = read_contents(path)
    assert contents.frames.energies.tolist() == [-1]
    assert "the file also has REF_energy with REF_forces" in contents.notes[0]
    chosen = read_contents(path, energy_key="REF_energy", forces_key="REF_forces").frames
    assert (chosen.energies[0], chosen.forces[0, 0, 2]) == (-2, 0.2)
    with pytest.raises(DataError, match=r"--energy-key E: no such key; it has energy, REF_energy"):
        read_contents(path, energy_key="E")


@pytest.mark.parametrize(("key", "values"), [("charge", (0, 1)), ("level_of_theory", ("PBE", "CCSD"))])
def test_records_that_differ_are_refused(tmp_path: Path, key: str, values: tuple) -> None:
    frames = [_frame(f"{HEADER} energy=-1 {key}={value}") for value in values]
    with pytest.raises(
        DataError, match=rf"frame 1 has {key} {values[1]}, frame 0 has {values[0]}; expected one"
    ):
        read_contents(_write(tmp_path / "a.xyz", *frames))


def test_temperatures_that_differ_are_unknown(tmp_path: Path) -> None:
    frames = [_frame(f"{HEADER} energy=-1 temperature_K={value}") for value in (300, 900)]
    contents = read_contents(_write(tmp_path / "a.xyz", *frames))
    assert contents.frames.temperature_K is None
    assert "temperatures differ between frames (300 K, frame 1: 900 K)" in contents.notes[0]


def test_a_restart_of_cp2k_repeats_steps_and_loses_none(tmp_path: Path) -> None:
    lines: dict[str, list[str]] = {"pos": [], "frc": []}
    for n, step in enumerate([*range(20), *range(20)]):
        comment = f" i = {step:8d}, time = {step / 2:12.3f}, E = {-17.0 - n:20.10f}"
        lines["pos"] += ["2", comment, f"O 0.0 0.0 {0.01 * n:.6f}", "H 0.0 0.0 1.2"]
        lines["frc"] += ["2", comment, f"O 0.0 0.0 {0.001 * n:.6f}", "H 0.0 0.0 0.1"]
    for kind, text in lines.items():
        (tmp_path / f"oh-{kind}-1.xyz").write_text("\n".join(text) + "\n")
    with pytest.warns(UserWarning, match="no oh-1.cell beside it"):
        contents = read_contents(tmp_path / "oh-pos-1.xyz")
    assert len(contents.frames) == 40
    assert np.diff(contents.frames.energies) == pytest.approx(-1)
    assert np.diff(contents.frames.forces[:, 0, 2]) == pytest.approx(0.001)
    (tmp_path / "oh-frc-1.xyz").write_text("\n".join(lines["frc"][:120]) + "\n")
    with pytest.warns(UserWarning, match="no oh-1.cell beside it"):
        notes = read_contents(tmp_path / "oh-pos-1.xyz").notes
    assert notes[0].startswith(
        "30 of 40 frames read; 10 left out, as oh-frc-1.xyz has no forces of their steps"
    )


def test_a_record_of_some_frames_only_is_told(tmp_path: Path) -> None:
    frames = [_frame(f"{HEADER} energy=-1 charge=1"), _frame(f"{HEADER} energy=-1")]
    contents = read_contents(_write(tmp_path / "a.xyz", *frames))
    assert contents.frames.charge == 1
    assert "only 1 of 2 frames have charge (1), which is taken for all" in contents.notes[0]
