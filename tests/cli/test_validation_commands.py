"""`mdaug scan`, `relax`, `evaluate` and `stability` from the command line to their files.

The model is GFN2-xTB dressed as a model.pt, so that every number is known.
"""

import csv
import json
import sys
from types import ModuleType

import numpy as np
import pytest
from ase.build import molecule
from ase.io import read, write

import mdaug.workflows.dynamics  # noqa: F401 - before a test replaces the class of its models
from mdaug.cli.app import main
from mdaug.data import write_extxyz
from mdaug.data.splits import Split
from mdaug.files import write_json, write_text
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames, calculator_factory

pytestmark = pytest.mark.tblite

MANIFEST = {
    "training": {
        "data": "own.xyz",
        "level_of_theory": "GFN2-xTB",
        "distance_range_A": {"H-O": [0.9, 2.7]},
        "bonds": [
            {"atoms": [0, 1], "mean_A": 0.96, "std_A": 0.03, "range_A": [0.88, 1.06]},
            {"atoms": [0, 2], "mean_A": 0.96, "std_A": 0.03},
        ],
        "reference_structure": {
            "atomic_numbers": [8, 1, 1],
            "positions": [[0.0, 0.0, 0.0], [0.99, 0.0, 0.0], [-0.25, 0.9, 0.0]],
        },
    }
}


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A run folder whose model.pt is GFN2-xTB, with twelve water frames of its own."""

    def calculator(path, device="cpu", dtype=None, strict=None):
        made = calculator_factory("GFN2-xTB")()
        made.manifest = MANIFEST
        return made

    monkeypatch.setattr("mdaug.workflows.stability.read_manifest", lambda path: MANIFEST)
    engine = ModuleType("mdaug.calculators.ase_calculator")
    engine.MDAugCalculator = calculator
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "xtb"
    folder.mkdir()
    write_extxyz(water_frames(), tmp_path / "own.xyz")
    write_text(folder / "model.pt", "")
    write_text(folder / "config.toml", '[data]\nsource = "own.xyz"\n')
    split = Split(np.arange(8), np.arange(8, 10), np.arange(10, 12))
    write_json(folder / "split.json", split.to_json())
    return folder


def water_frames() -> FrameSet:
    water = molecule("H2O")
    shaken = water.positions + np.random.default_rng(1).normal(scale=0.03, size=(12, 3, 3))
    frames = FrameSet(water.numbers, shaken, np.zeros(12), np.zeros((12, 3, 3)), temperature_K=300.0)
    energies, forces = calculate_frames(calculator_factory("GFN2-xTB")(), frames)
    energies[10] += 0.1  # the first of the two test frames is mislabelled
    return FrameSet(water.numbers, shaken, energies, forces, temperature_K=300.0)


def load(path):
    return json.loads(path.read_text())


def test_relax_writes_the_minimum_and_three_frequencies(model, capsys):
    assert main(["relax", "xtb", "--out", "relaxed"]) == 0
    found = load(model.parent / "relaxed" / "relax.json")
    assert found["converged"]
    assert len(found["frequencies_cm1"]) == 3
    assert 1400 < found["frequencies_cm1"][0] < 1700
    relaxed = read(model.parent / "relaxed" / "relaxed.xyz")
    assert relaxed.get_distance(0, 1) == pytest.approx(found["bond_lengths_A"]["O0-H1"], abs=1e-6)
    assert "frequency" in capsys.readouterr().out


def test_relax_says_when_it_gave_up(model, capsys):
    assert main(["relax", "xtb", "--out", "relaxed", "--max-steps", "1"]) == 0
    assert "not relaxed" in capsys.readouterr().err
    assert not load(model.parent / "relaxed" / "relax.json")["converged"]


def test_scan_of_one_model_with_its_default_reference(model):
    arguments = ["--bond", "0", "1", "--range", "0.7", "1.9", "--step", "0.1", "--out", "scanned"]
    assert main(["scan", "xtb", *arguments]) == 0
    folder = model.parent / "scanned"
    with (folder / "scan.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        "distance_A",
        "energy_kcal_mol",
        "force_along_bond_kcal_mol_A",
        "reference_kcal_mol",
    ]
    assert [float(row["distance_A"]) for row in rows] == pytest.approx(np.arange(0.7, 1.91, 0.1))
    found = load(folder / "scan.json")
    assert found["training_range_A"] == [0.88, 1.06]
    assert found["reference"]["label"] == "GFN2-xTB"
    assert found["reference"]["rmse_kcal_mol"] == pytest.approx(0.0, abs=1e-3)
    assert (folder / "scan.png").stat().st_size > 10_000


def test_scan_of_two_models_from_a_given_structure_against_a_file(model):
    write("start.xyz", molecule("H2O"))
    points = "\n".join(f"{d:.2f},{(d - 1) ** 2}" for d in np.arange(0.5, 2.1, 0.1))
    write_text("curve.csv", "distance_A,energy_kcal_mol\n" + points)
    arguments = ["--bond", "0", "2", "--range", "0.8", "1.5", "--points", "8", "--structure", "start.xyz"]
    assert main(["scan", "xtb", "xtb", *arguments, "--reference", "curve.csv", "--out", "scanned"]) == 0
    folder = model.parent / "scanned"
    found = load(folder / "scan.json")["models"]
    assert [scan["label"] for scan in found] == ["xtb-1", "xtb-2"]
    assert found[0]["zero_distance_A"] == pytest.approx(molecule("H2O").get_distance(0, 2))
    assert found[0]["training_range_A"] == pytest.approx([0.87, 1.05])
    assert found[0]["n_points"] == 8
    assert found[0]["reference"]["label"] == "curve"
    assert {path.name for path in folder.glob("*.csv")} == {"scan-xtb-1.csv", "scan-xtb-2.csv"}


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["xtb"], 2, "--bond"),
        (["xtb", "--bond", "0", "7"], 1, "from 0 to 2"),
        (["xtb", "--bond", "1", "2"], 1, "not a bond"),
        (["nowhere", "--bond", "0", "1"], 1, "no model at"),
    ],
)
def test_scan_refuses(model, capsys, arguments, code, message):
    assert main(["scan", *arguments, "--out", "scanned"]) == code
    assert message in capsys.readouterr().err
    assert not (model.parent / "scanned").exists()


def test_evaluate_without_data_takes_the_held_out_frames(model, capsys):
    assert main(["evaluate", "xtb", "--out", "evaluated"]) == 0
    found = load(model.parent / "evaluated" / "evaluate.json")
    assert found["n_frames"] == 2
    assert found["energy_mae_kcal_mol"] == pytest.approx(0.5 * 0.1 * 23.0605, rel=1e-4)
    assert found["force_mae_kcal_mol_A"] == pytest.approx(0.0, abs=1e-3)
    assert found["part"] == "test"
    assert (model.parent / "evaluated" / "parity.png").stat().st_size > 10_000
    assert "MAE" in capsys.readouterr().out


def test_evaluate_on_named_data_takes_all_and_warns_of_its_own(model, capsys):
    assert main(["evaluate", "xtb", "own.xyz", "--units", "eV", "--out", "evaluated"]) == 0
    assert load(model.parent / "evaluated" / "evaluate.json")["n_frames"] == 12
    assert "trained on part of a file of the same name, own.xyz; if it is this one" in capsys.readouterr().err


def test_evaluate_takes_frames_without_forces(model, capsys):
    frames = read(model.parent / "own.xyz", ":")
    for atoms in frames:
        atoms.info["REF_energy"] = atoms.get_potential_energy()
        atoms.calc = None
        atoms.arrays.pop("forces", None)
    write(model.parent / "energies.xyz", frames, format="extxyz")
    assert main(["evaluate", "xtb", "energies.xyz", "--units", "eV", "--out", "evaluated"]) == 0
    errors = load(model.parent / "evaluated" / "evaluate.json")
    assert (errors["n_frames"], errors["force_mae_kcal_mol_A"]) == (12, None)
    assert "energies only" in capsys.readouterr().out
    assert main(["train", "energies.xyz", "--out", "trained"]) == 1
    assert "frame 0 has no forces" in capsys.readouterr().err


def test_evaluate_of_a_lone_file_asks_for_data(model, capsys):
    (model / "split.json").unlink()
    assert main(["evaluate", "xtb"]) == 1
    assert "name frames as DATA" in capsys.readouterr().err


def breaking_trajectory(path):
    frames = [molecule("H2O") for _ in range(6)]
    for k, atoms in enumerate(frames):
        atoms.set_distance(0, 1, 0.96 + max(0, k - 2) * 0.4, fix=0)
    write(path, frames, format="xyz")


def test_stability_against_the_training_frames_of_a_model(model, capsys):
    breaking_trajectory("run.xyz")
    assert main(["stability", "run.xyz", "--model", "xtb", "--frame-time", "10", "--out", "judged"]) == 0
    found = load(model.parent / "judged" / "stability.json")
    assert found["time_to_failure_ps"] == pytest.approx(0.04)
    assert found["first_broken_bond"] == "O0-H1"
    assert found["max_bond_deviation_A"] == pytest.approx(1.2, abs=0.05)
    assert found["distance_histogram_error"] > 0
    assert (model.parent / "judged" / "stability.png").stat().st_size > 10_000
    assert "O0-H1 broke at 0.04 ps" in capsys.readouterr().out


def test_stability_of_a_lone_model_file_watches_bonds_only(model, capsys):
    breaking_trajectory("run.xyz")
    (model / "split.json").unlink()
    assert main(["stability", "run.xyz", "--model", "xtb", "--frame-time", "10", "--out", "judged"]) == 0
    found = load(model.parent / "judged" / "stability.json")
    assert found["first_broken_bond"] == "O0-H1"
    assert found["distance_histogram_error"] is None
    assert "bonds only" in capsys.readouterr().err


def test_stability_against_named_data(model):
    breaking_trajectory("run.xyz")
    arguments = ["--data", "own.xyz", "--frame-time", "10", "--tolerance", "2", "--out", "judged"]
    assert main(["stability", "run.xyz", *arguments]) == 0
    assert load(model.parent / "judged" / "stability.json")["time_to_failure_ps"] is None


def test_stability_without_any_training_frames_says_what_to_do(model, capsys):
    breaking_trajectory("run.xyz")
    assert main(["stability", "run.xyz", "--frame-time", "10"]) == 1
    assert "--data" in capsys.readouterr().err


def test_stability_of_a_missing_trajectory_does_not_ask_for_a_model(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "training").mkdir()
    assert main(["stability", "training"]) == 1
    assert (
        "training/trajectory.dcd: no such file; expected a folder of `mdaug nve`" in capsys.readouterr().err
    )
