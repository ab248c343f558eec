"""Folders and patterns: which files are read, and how their frames are joined."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.data import load_frames, write_extxyz
from mdaug.data.load import read_frames
from mdaug.data.sources import beside, in_full
from mdaug.data.write import write_npz
from mdaug.errors import DataError
from mdaug.frames import FrameSet


@pytest.fixture
def folder(ethanol: FrameSet, tmp_path: Path) -> Path:
    """Three files of ten frames, and a hidden one."""
    folder = tmp_path / "frames"
    for number in (1, 2, 10):
        write_extxyz(ethanol.select(slice(10 * number, 10 * number + 10)), folder / f"run{number}.xyz")
    (folder / ".hidden").write_text("no frames")
    return folder


@pytest.mark.parametrize("data", ["frames", "frames/run*.xyz", "**/run*.xyz"])
def test_files_are_joined_in_natural_order(
    data: str, folder: Path, ethanol: FrameSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    frames = load_frames(data)
    expected = np.r_[10:20, 20:30, 100:110]
    assert frames.energies == pytest.approx(ethanol.energies[expected], abs=1e-9)
    assert frames.info["file"].tolist() == ["run1.xyz"] * 10 + ["run2.xyz"] * 10 + ["run10.xyz"] * 10
    assert frames.temperature_K == 500
    assert load_frames(data, every=15).energies == pytest.approx(ethanol.energies[[10, 25]], abs=1e-9)


def test_groups_of_different_files_are_kept_apart(folder: Path, ethanol: FrameSet) -> None:
    for name in ("run1.xyz", "run2.xyz"):
        write_extxyz(replace(ethanol.select(slice(0, 4)), group=np.array([7, 7, 8, 8])), folder / name)
    (folder / "run10.xyz").unlink()
    assert read_frames(folder).frames.group.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]


def test_what_cannot_be_joined_is_named(folder: Path, ethanol: FrameSet) -> None:
    write_npz(ethanol.select(slice(0, 4)), folder / "run1.xyz")  # in eV, too: the format is no obstacle
    assert len(read_frames(folder).frames) == 24
    write_extxyz(replace(ethanol.select(slice(0, 4)), level_of_theory="PBE"), folder / "run2.xyz")
    with pytest.raises(DataError, match=r"run2.xyz: level_of_theory PBE, but GFN2-xTB in .*run1.xyz"):
        read_frames(folder)
    other = replace(ethanol.select(slice(0, 4)), atomic_numbers=ethanol.atomic_numbers[::-1])
    write_extxyz(other, folder / "run2.xyz")
    with pytest.raises(DataError, match=r"run2.xyz: the atoms in another order than .*run1.xyz"):
        read_frames(folder)
    arrays = {"z": ethanol.atomic_numbers, "R": ethanol.positions, "E": ethanol.energies, "F": ethanol.forces}
    np.savez(folder / "run2.npz", **arrays)
    (folder / "run2.xyz").unlink()
    with pytest.raises(DataError, match=r"run2.npz: units kcal/mol and .*, but eV"):
        read_frames(folder)


def test_other_temperatures_are_unknown(folder: Path, ethanol: FrameSet) -> None:
    write_extxyz(replace(ethanol.select(slice(0, 4)), temperature_K=300.0), folder / "run2.xyz")
    contents = read_frames(folder)
    assert contents.frames.temperature_K is None
    assert any("temperatures differ between files" in note for note in contents.notes)


@pytest.mark.parametrize(
    ("data", "message"),
    [("nothing/*.xyz", r"nothing/\*.xyz: no file matches"), ("empty", "empty: the folder holds no file")],
)
def test_nothing_to_read(data: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=message):
        load_frames(data)


def test_paths_in_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert in_full("frames") == str(folder)
    assert in_full("frames/*.xyz") == str(folder / "*.xyz")
    (folder.parent / "ethanol").mkdir()
    assert in_full("ethanol") == "ethanol"  # the set, not the folder
    assert beside(folder.parent, "ethanol") == "ethanol"
    assert beside(folder, "run*.xyz") == str(folder / "run*.xyz")
    assert beside(folder, "missing.xyz") == "missing.xyz"
