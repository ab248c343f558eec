"""`mdaug check`: verdicts, exit codes, and frames that are left out."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames
from mdaug.data.origin import FRAME_IN_FILE
from mdaug.data.write import write_extxyz, write_npz

KEYS = {"name", "verdict", "value", "limit", "text", "frames"}


def _verdicts(folder: Path) -> dict[str, dict]:
    content = json.loads((folder / "check.json").read_text())
    assert all(set(verdict) == KEYS for verdict in content["verdicts"])
    return {verdict["name"]: verdict for verdict in content["verdicts"]}


@pytest.fixture
def frames_file(tmp_path: Path) -> Path:
    """Two hundred ethanol frames, of which three have forces of zero."""
    frames = load_frames("ethanol").select(slice(0, 200))
    forces = frames.forces.copy()
    forces[[5, 9, 11]] = 0.0
    write_npz(replace(frames, forces=forces, group=np.arange(200)), tmp_path / "frames.npz")
    return tmp_path / "frames.npz"


def test_good_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "ethanol", "--every", "4", "--out", str(tmp_path / "out")]) == 0
    verdicts = _verdicts(tmp_path / "out")
    assert {verdict["verdict"] for verdict in verdicts.values()} <= {"ok", "cannot tell"}
    assert verdicts["energies against forces"]["value"] == pytest.approx(1, abs=0.15)
    printed = capsys.readouterr().out
    assert printed.startswith("ethanol: 250 frames of C2H6O, GFN2-xTB, 500 K\n")
    assert "✓" in printed
    assert "✗" not in printed


def test_systems_of_a_file_are_checked_one_by_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_extxyz(load_frames("tests/data/methanol.npz").select(slice(0, 40)), tmp_path / "methanol.xyz")
    ethanol = load_frames("ethanol").select(slice(0, 40))
    write_extxyz(replace(ethanol, energies=-ethanol.energies), tmp_path / "ethanol.xyz")
    atom = "1\nconfig_type=IsolatedAtom energy=-10.7 Properties=species:S:1:pos:R:3\nH 0 0 0\n"
    parts = [atom, *((tmp_path / name).read_text() for name in ("methanol.xyz", "ethanol.xyz"))]
    (tmp_path / "mixed.xyz").write_text("".join(parts))
    assert main(["check", str(tmp_path / "mixed.xyz"), "--out", str(tmp_path / "out")]) == 1
    verdicts = json.loads((tmp_path / "out" / "check.json").read_text())["verdicts"]
    assert {verdict["system"] for verdict in verdicts if verdict["verdict"] == "error"} == {"mixed-C2H6O"}
    of_methanol = {v["name"]: v for v in verdicts if v["system"] == "mixed-CH4O"}
    assert of_methanol["energies against forces"]["verdict"] == "ok"
    assert "frames of isolated atoms (H) are left out" in of_methanol["reading"]["text"]
    assert "mixed.xyz (C2H6O): 40 frames" in capsys.readouterr().out


def test_an_error_gives_exit_code_1_and_names_the_frames(frames_file: Path, tmp_path: Path) -> None:
    assert main(["check", str(frames_file), "--out", str(tmp_path / "out")]) == 1
    verdict = _verdicts(tmp_path / "out")["frames without forces"]
    assert (verdict["verdict"], verdict["frames"]) == ("error", [5, 9, 11])


def test_outliers_are_left_out_and_named(frames_file: Path, tmp_path: Path) -> None:
    assert main(["check", str(frames_file), "--drop-outliers", "--out", str(tmp_path / "out")]) == 0
    assert _verdicts(tmp_path / "out")["frames without forces"]["verdict"] == "ok"
    with pytest.warns(UserWarning, match=r"3 of 200 frames left out as outliers \(frames 5, 9, 11\)"):
        frames = load_frames(frames_file, drop_outliers=True)
    assert len(frames) == 197
    assert np.setdiff1d(np.arange(200), frames.info[FRAME_IN_FILE]).tolist() == [5, 9, 11]


def test_a_file_that_cannot_be_used_at_all(tmp_path: Path) -> None:
    frames = load_frames("ethanol").select(slice(0, 30))
    energies = frames.energies.copy()
    energies[3] = np.nan
    write_npz(replace(frames, energies=energies), tmp_path / "nan.npz")
    assert main(["check", str(tmp_path / "nan.npz"), "--out", str(tmp_path / "out")]) == 1
    verdict = _verdicts(tmp_path / "out")["shapes, elements, numbers and cells"]
    assert "frame 3: energies hold NaN" in verdict["text"]
