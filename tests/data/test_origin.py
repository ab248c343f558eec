"""Messages name frames by their numbers in their files, whatever is left out before."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames, load_systems, write_extxyz
from mdaug.data.load import read_frames
from mdaug.data.origin import shown
from mdaug.frames import FrameSet

WITHOUT_FORCES = (4, 12, 20)


@pytest.fixture
def spoiled(ethanol: FrameSet) -> FrameSet:
    """Forty frames of ethanol, of which three have forces of zero."""
    frames = ethanol.select(slice(0, 40))
    forces = frames.forces.copy()
    forces[list(WITHOUT_FORCES)] = 0.0
    return replace(frames, forces=forces)


def _verdict(data: Path, out: Path, *options: str) -> dict:
    assert main(["check", str(data), f"--out={out}", *options]) == 1
    verdicts = json.loads((out / "check.json").read_text())["verdicts"]
    (verdict,) = (v for v in verdicts if v["name"] == "frames without forces" and v["verdict"] == "error")
    return verdict


def test_frames_of_a_file_of_two_compositions(spoiled: FrameSet, tmp_path: Path) -> None:
    """Methanol and ethanol in turn: frame n of ethanol is frame 2n + 1 of the file."""
    write_extxyz(load_frames("tests/data/methanol.npz").select(slice(0, 40)), tmp_path / "m.xyz")
    write_extxyz(spoiled, tmp_path / "e.xyz")
    lines = {name: (tmp_path / f"{name}.xyz").read_text().splitlines(keepends=True) for name in "me"}
    both = [lines["m"][8 * n : 8 * n + 8] + lines["e"][11 * n : 11 * n + 11] for n in range(40)]
    (tmp_path / "mixed.xyz").write_text("".join(line for block in both for line in block))
    verdict = _verdict(tmp_path / "mixed.xyz", tmp_path / "out")
    assert verdict["frames"] == [9, 25, 41]
    assert "(frames 9, 25, 41)" in verdict["text"]
    with pytest.warns(
        UserWarning, match=r"\(C2H6O\): 3 of 40 frames left out as outliers \(frames 9, 25, 41"
    ):
        load_systems(tmp_path / "mixed.xyz", drop_outliers=True)


def test_thinned_frames_of_two_files(spoiled: FrameSet, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    write_extxyz(spoiled.select(slice(0, 11)), folder / "a.xyz")
    write_extxyz(spoiled.select(slice(11, 40)), folder / "b.xyz")
    verdict = _verdict(folder, tmp_path / "out", "--every=2")
    assert verdict["frames"] == [4, 1, 9]
    assert verdict["files"] == ["a.xyz", "b.xyz", "b.xyz"]
    assert "(frames 4 of a.xyz, 1, 9 of b.xyz)" in verdict["text"]


def test_numbers_of_an_earlier_file_do_not_count(spoiled: FrameSet, tmp_path: Path) -> None:
    write_extxyz(spoiled, tmp_path / "a.xyz")
    write_extxyz(read_frames(tmp_path / "a.xyz", every=3).frames, tmp_path / "b.xyz")
    assert read_frames(tmp_path / "b.xyz").frames.info["frame_in_file"].tolist() == list(range(14))


def test_many_frames_are_counted(ethanol: FrameSet) -> None:
    assert shown(ethanol, np.arange(3, 4)) == "frame 3"
    assert shown(ethanol, range(20)) == "frames 0, 1, 2, 3, 4, 5, 6, 7, … (20 in all)"
