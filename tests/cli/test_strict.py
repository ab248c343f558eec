"""A structure unlike the training frames of a model: a warning, recorded, or refused by ``--strict``."""

import json

import numpy as np
import pytest
from ase.build import molecule
from ase.io import write

from mdaug.cli.app import main
from mdaug.data import write_extxyz
from mdaug.deployment import export_model
from mdaug.frames import FrameSet
from mdaug.workflows.training.summary import summarize_training

UNLIKE = "trained on C2H6O; this is C3H6O: a model of one molecule describes only that molecule"


def frames_of(name: str) -> FrameSet:
    atoms = molecule(name)
    positions = atoms.positions + np.random.default_rng(0).normal(scale=0.02, size=(8, len(atoms), 3))
    return FrameSet(atoms.numbers, positions, np.zeros(8), np.zeros((8, len(atoms), 3)), temperature_K=300.0)


@pytest.fixture
def folder(make_model, tmp_path, monkeypatch):
    """A folder with a model of ethanol (random weights), and a structure and frames of acetone."""
    monkeypatch.chdir(tmp_path)
    export_model(make_model(), tmp_path / "model.pt", training=summarize_training(frames_of("CH3CH2OH"), 4.0))
    write("acetone.xyz", molecule("CH3COCH3"))
    write("ethanol.xyz", molecule("CH3CH2OH"))
    write_extxyz(frames_of("CH3COCH3"), tmp_path / "frames.xyz")
    return tmp_path


DYNAMICS = ["--steps", "5", "--equilibration", "0", "--timestep", "0.01", "--no-guard", "--structure"]
SCAN = ["--bond", "0", "1", "--range", "1.1", "1.3", "--step", "0.1", "--reference", "none", "--structure"]
COMMANDS = {
    "nve": ["nve", "model.pt", *DYNAMICS, "acetone.xyz"],
    "nvt": ["nvt", "model.pt", *DYNAMICS, "acetone.xyz"],
    "relax": ["relax", "model.pt", "--max-steps", "2", "--structure", "acetone.xyz"],
    "scan": ["scan", "model.pt", *SCAN, "acetone.xyz"],
    "evaluate": ["evaluate", "model.pt", "frames.xyz", "--units", "eV"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_another_molecule_gives_one_warning_and_is_recorded(folder, capsys, command):
    assert main([*COMMANDS[command], "--out", "result"]) == 0
    err = " ".join(capsys.readouterr().err.split())
    assert err.count(UNLIKE) == 1
    assert json.loads((folder / "result" / f"{command}.json").read_text())["unlike_training"][0] == UNLIKE


@pytest.mark.parametrize("command", COMMANDS)
def test_strict_refuses_another_molecule(folder, capsys, command):
    assert main([*COMMANDS[command], "--strict", "--out", "result"]) == 1
    assert UNLIKE in " ".join(capsys.readouterr().err.split())
    assert not (folder / "result" / f"{command}.json").exists()


@pytest.mark.parametrize("command", ["nve", "relax"])
def test_strict_takes_the_molecule_of_the_training(folder, capsys, command):
    arguments = [word.replace("acetone", "ethanol") for word in COMMANDS[command]]
    assert main([*arguments, "--strict", "--out", "result"]) == 0
    assert "trained on" not in capsys.readouterr().err
    assert json.loads((folder / "result" / f"{command}.json").read_text())["unlike_training"] == []


@pytest.mark.parametrize("strict", [False, True])
def test_a_trajectory_of_an_isomer_is_seen(folder, capsys, strict):
    ether = molecule("CH3OCH3")[[0, 2, 1, 3, 4, 5, 6, 7, 8]]  # in the order of ethanol's elements
    assert ether.symbols.get_chemical_formula(mode="reduce") == "C2OH6"
    write("isomer.xyz", [ether] * 3, format="xyz")
    arguments = ["stability", "isomer.xyz", "--model", "model.pt", "--frame-time", "1", "--out", "result"]
    assert main([*arguments, *(["--strict"] if strict else [])]) == int(strict)
    assert "trained on C2H6O" in " ".join(capsys.readouterr().err.split())
    assert (folder / "result").exists() is not strict
    if not strict:
        (difference,) = json.loads((folder / "result" / "stability.json").read_text())["unlike_training"]
        assert "an isomer" in difference
