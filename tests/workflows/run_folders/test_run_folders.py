"""Every run folder is explained by its README.txt and holds no file that its command does not own."""

import json
import tomllib
from pathlib import Path

import pytest

from mdaug.cli import app
from mdaug.workflows.run_folders.run_files import FILES, files_below, matches
from mdaug.workflows.settings.config import load_config, save_config

pytestmark = pytest.mark.slow

BOOKKEEPING = {"run.json", "README.txt", "environment.json"}


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """A folder with a tiny model in `model`, trained by the command line."""
    top = tmp_path_factory.mktemp("runs of all commands")
    save_config(tiny.replace({"training": {"epochs": 1}}), top / "tiny.toml")
    assert app.main(["train", "--config", str(top / "tiny.toml"), "--out", str(top / "model")]) == 0
    moves = ["--steps", "400", "--frames-every", "50", "--equilibration", "0", "--no-guard", "--extxyz"]
    assert app.main(["nve", str(top / "model"), *moves, "--out", str(top / "nve")]) == 0
    return top


COMMANDS = {
    "augment": ["water.xyz", "--rule", "gradient", "--n-frames", "3", "--n-stretched", "0"],
    "drift": ["nve"],
    "evaluate": ["model"],
    "nvt": ["model", "--steps", "20", "--equilibration", "0", "--replicas", "2", "--no-guard"],
    "relax": ["model", "--max-steps", "2"],
    "scan": ["model", "--bond", "0", "1", "--points", "3", "--structure", "start.xyz", "--reference", "none"],
    "springs": ["water.xyz", "--bootstrap", "0"],
    "stability": ["nve", "--model", "model"],
}


@pytest.mark.parametrize("command", ["train", "nve", *COMMANDS])
def test_files_are_declared_and_explained(command, folder, water, monkeypatch):
    monkeypatch.chdir(folder)
    out = {"train": Path("model")}.get(command, Path(command))
    if command in COMMANDS:
        Path("water.xyz").write_bytes(water.read_bytes())
        Path("start.xyz").write_text("3\n\nO 0 0 0\nH 0.96 0 0\nH -0.24 0.93 0\n")
        assert app.main([command, *COMMANDS[command], "--out", command]) == 0
    files = set(files_below(out, out))
    assert {name for name in files - BOOKKEEPING if not matches(name, FILES[command])} == set()
    assert set(json.loads((out / "run.json").read_text())["files"]) == files
    readme = (out / "README.txt").read_text()
    assert f"mdaug {command}" in readme
    for name in files:
        assert any(
            matches(name, [line.split("  ")[0]]) for line in readme.splitlines() if line and line[0] != " "
        ), name
    (line,) = json.loads((out / "environment.json").read_text())["commands"]
    assert line.startswith(f"mdaug {command} ")


def test_a_trajectory_as_extended_xyz_has_the_times_and_positions_of_the_dcd(folder):
    import ase.io

    from mdaug.analysis.trajectory import open_trajectory

    frames = ase.io.read(folder / "nve" / "trajectory.xyz", ":")
    trajectory = open_trajectory(folder / "nve").trajectory
    assert len(frames) == len(trajectory) > 3
    assert [atoms.info["time_fs"] for atoms in frames] == pytest.approx(
        [1000 * one.time for one in trajectory]
    )
    assert frames[-1].positions == pytest.approx(trajectory[-1].positions, abs=1e-5)
    assert frames[0].get_chemical_formula() == "H2O"


def test_a_configuration_trains_again_from_any_folder(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = folder / "model" / "config.toml"
    data = tomllib.loads(config.read_text())["data"]
    assert Path(data["source"]).is_absolute()
    assert len(load_config(config).data.load_frames()) == 40
    again = ["train", "--config", str(config), "--epochs", "1", "--out", "again"]
    assert app.main(again) == 0
    assert (tmp_path / "again" / "model.pt").is_file()


def test_data_that_have_changed_are_refused(folder, water, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("frames.xyz").write_bytes(water.read_bytes())
    Path("mine.toml").write_text(f'[data]\nsource = "frames.xyz"\nsha256 = "{"0" * 64}"\n')
    monkeypatch.chdir("/")
    assert app.main(["train", "--config", str(tmp_path / "mine.toml"), "--out", str(tmp_path / "a")]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert f"{tmp_path / 'frames.xyz'}: not the file that this configuration was made with" in error
    assert not (tmp_path / "a").exists()
