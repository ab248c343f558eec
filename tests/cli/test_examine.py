"""`mdaug examine` from the command line to examination.json and the report."""

import json
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.io import write

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames

EMT_OPTIONS = ["--calculator", "ase.calculators.emt:EMT"]
QUICK = ["--parts", "accuracy", "symmetry", "gradient", "--minutes", "1"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a start structure, and frames of EMT whose energies are 5 eV higher."""
    monkeypatch.chdir(tmp_path)
    water = molecule("H2O")
    write("water.xyz", water)
    shaken = water.positions + np.random.default_rng(1).normal(scale=0.03, size=(6, 3, 3))
    empty = FrameSet(water.numbers, shaken, np.zeros(6), np.zeros((6, 3, 3)), temperature_K=300.0)
    energies, forces = calculate_frames(EMT(), empty)
    frames = FrameSet(water.numbers, shaken, energies + 5.0, forces, temperature_K=300.0)
    write_extxyz(frames, tmp_path / "frames.xyz")
    return tmp_path


def load(path):
    return json.loads(path.read_text())


def test_a_calculator_is_examined(folder, capsys):
    assert main(["examine", "frames.xyz", *EMT_OPTIONS, *QUICK, "--out", "examined"]) == 0
    content = load(folder / "examined" / "examination.json")
    assert [verdict["name"] for verdict in content["verdicts"]] == ["accuracy", "symmetry", "gradient"]
    assert {verdict["verdict"] for verdict in content["verdicts"]} == {"ok"}
    accuracy = content["force_fields"]["EMT"]["accuracy"]
    assert accuracy["verdict"] == "passes"
    assert accuracy["figures"]["as_they_are"]["energy_mean_error_kcal_mol"] == pytest.approx(-115.3, abs=0.1)
    assert "examination.json" in capsys.readouterr().out
    page = (folder / "examined" / "report.html").read_text()
    assert "Force and stress as the slope of the energy" in page


def test_without_frames_a_calculator_needs_a_structure(folder, capsys):
    assert main(["examine", *EMT_OPTIONS, "--out", "refused"]) == 2
    assert "give one with --structure" in capsys.readouterr().err
    assert main(["examine", *EMT_OPTIONS, *QUICK, "--structure", "water.xyz", "--out", "examined"]) == 0
    content = load(folder / "examined" / "examination.json")
    assert content["force_fields"]["EMT"]["accuracy"]["verdict"] == "not run"
    assert "There are no held-out frames" in content["verdicts"][0]["text"]
    assert content["verdicts"][0]["verdict"] == "cannot tell"  # and not ok


def test_resume_runs_what_was_not_run(folder, capsys):
    arguments = [
        "examine",
        "frames.xyz",
        *EMT_OPTIONS,
        "--parts",
        "symmetry",
        "gradient",
        "--out",
        "examined",
    ]
    assert main([*arguments, "--minutes", "1e-9"]) == 1
    assert "no part of EMT was run" in capsys.readouterr().err
    content = load(folder / "examined" / "examination.json")
    assert {part["verdict"] for part in content["force_fields"]["EMT"].values()} == {"not run"}
    del content["about"]["sha256"]  # records of earlier versions have none
    (folder / "examined" / "examination.json").write_text(json.dumps(content))
    assert main([*arguments, "--resume"]) == 0
    content = load(folder / "examined" / "examination.json")
    assert {part["verdict"] for part in content["force_fields"]["EMT"].values()} == {"passes"}
    capsys.readouterr()
    assert main([*arguments, "--seed", "1", "--resume"]) == 1
    assert "an examination with seed 0, not 1" in capsys.readouterr().err
    for option, was in (
        ('--calculator-arguments={"asap_cutoff": true}', "calculator {"),
        ("--temperature=77", "temperature_K 300.0, not 77.0"),
    ):
        assert main([*arguments, option, "--resume"]) == 1
        assert f"an examination with {was}" in capsys.readouterr().err
    write_extxyz(load_frames(folder / "frames.xyz").select(slice(3)), folder / "frames.xyz")
    assert main([*arguments, "--resume"]) == 1
    assert "an examination with other contents of the model or DATA" in capsys.readouterr().err
    (folder / "examined" / "examination.json").write_text("[]")
    assert main([*arguments, "--resume"]) == 1
    assert "examination.json" in capsys.readouterr().err


def test_bonds_that_were_not_scanned_in_the_time_are_scanned_by_resume(folder, monkeypatch):
    arguments = ["examine", "frames.xyz", *EMT_OPTIONS, "--parts", "bonds", "--out", "examined"]
    path = folder / "examined" / "examination.json"
    with monkeypatch.context() as patched:
        patched.setattr("mdaug.examination.bond_scans.time", SimpleNamespace(monotonic=lambda: np.inf))
        main(arguments)
    figures = load(path)["force_fields"]["EMT"]["bonds"]["figures"]
    assert (figures["n_scanned"], figures["n_bonds"]) == (1, 2)
    main([*arguments, "--resume"])
    assert load(path)["force_fields"]["EMT"]["bonds"]["figures"]["n_scanned"] == 2
    assert not list((folder / "examined").rglob("bonds.json"))


def test_what_is_refused(folder, capsys):
    assert main(["examine", *EMT_OPTIONS, "--structure", "water.xyz", "--units", "eV"]) == 2
    assert "--units: no effect without DATA" in capsys.readouterr().err
    assert main(["examine", "frames.xyz", "--charge", "1"]) == 2
    assert "--charge: no effect without --calculator" in capsys.readouterr().err
    assert main(["examine", "frames.xyz", "--parts", "bonds", "bond"]) == 2
    assert "error: --parts: Input should be" in capsys.readouterr().err


def test_protocols_alone_are_run_where_they_are_named(folder):
    arguments = ["examine", "frames.xyz", *EMT_OPTIONS, "--protocol", "ramp", "stable", "--minutes", "1e-6"]
    assert main([*arguments, "--out", "examined"]) == 1  # not one of them was run
    parts = load(folder / "examined" / "examination.json")["force_fields"]["EMT"]
    assert {name: part["verdict"] for name, part in parts.items()} == {"stable": "not run", "ramp": "not run"}
    assert "Protocol: StABlE" in (folder / "examined" / "report.html").read_text()


def test_a_model_and_a_calculator_side_by_side(folder, monkeypatch, capsys):
    def calculator(path, device="cpu", dtype=None, strict=None):
        made = EMT()
        made.manifest = {"cutoff_A": 3.0, "training": {"temperature_K": 300.0}}
        return made

    engine = ModuleType("mdaug.calculators.ase_calculator")
    engine.MDAugCalculator = calculator
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    (folder / "own.pt").touch()
    assert main(["examine", "own.pt", "frames.xyz", *EMT_OPTIONS, *QUICK, "--out", "both"]) == 0
    content = load(folder / "both" / "examination.json")
    assert list(content["force_fields"]) == ["own", "EMT"]
    assert content["verdicts"][0]["name"] == "accuracy (own)"
    shown = capsys.readouterr().out
    assert shown.count("passes") == 6
