"""Any ASE calculator instead of a model, or beside it: scan, relax, evaluate, nve, nvt and stability."""

import json
import sys
from types import ModuleType

import numpy as np
import pytest
from ase.build import molecule
from ase.calculators.emt import EMT
from ase.io import write

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.files import write_text
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames

NAME = "ase.calculators.emt:EMT"
EMT_OPTIONS = ["--calculator", NAME]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working folder with a start structure and frames of EMT, whose energies are 5 eV higher."""
    monkeypatch.chdir(tmp_path)
    write("water.xyz", molecule("H2O"))
    water = molecule("H2O")
    shaken = water.positions + np.random.default_rng(1).normal(scale=0.03, size=(6, 3, 3))
    frames = FrameSet(water.numbers, shaken, np.zeros(6), np.zeros((6, 3, 3)), temperature_K=300.0)
    energies, forces = calculate_frames(EMT(), frames)
    write_extxyz(
        FrameSet(water.numbers, shaken, energies + 5.0, forces, temperature_K=300.0), tmp_path / "frames.xyz"
    )
    return tmp_path


@pytest.fixture
def model(folder, monkeypatch):
    """A model.pt that is EMT too, with a start structure of its own."""
    water = molecule("H2O")

    def calculator(path, device="cpu", dtype=None, strict=None):
        made = EMT()
        reference = {"atomic_numbers": water.numbers.tolist(), "positions": water.positions.tolist()}
        made.manifest = {"cutoff_A": 3.0, "training": {"reference_structure": reference}}
        return made

    engine = ModuleType("mdaug.calculators.ase_calculator")
    engine.MDAugCalculator = calculator
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    write_text(folder / "own.pt", "")
    return "own.pt"


def load(path):
    return json.loads(path.read_text())


def test_relax_and_scan_of_a_calculator(folder):
    assert main(["relax", *EMT_OPTIONS, "--structure", "water.xyz", "--out", "relaxed"]) == 0
    assert load(folder / "relaxed" / "relax.json")["converged"]
    scan = ["scan", *EMT_OPTIONS, "--bond", "0", "1", "--step", "0.2"]
    assert main([*scan, "--structure", "relaxed/relaxed.xyz", "--out", "scanned"]) == 0
    found = load(folder / "scanned" / "scan.json")
    assert (found["label"], found["training_range_A"], found["reference"]) == ("EMT", None, None)


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (["relax", "--structure", "water.xyz"], ""),
        (["evaluate", "frames.xyz"], "on frame 2 of frames.xyz; "),
    ],
)
def test_an_error_in_a_calculator_is_not_called_a_fault_of_mdaug(folder, monkeypatch, capsys, command, where):
    calculate = EMT.calculate
    third = load_frames(folder / "frames.xyz").positions[2]

    def fail(self, atoms, *arguments):
        if not where or atoms.get_distance(0, 1) >= 1.399 or np.allclose(atoms.positions, third):
            raise KeyError("no license")
        calculate(self, atoms, *arguments)

    monkeypatch.setattr(EMT, "calculate", fail)
    assert main([*command, *EMT_OPTIONS, "--out", "failed"]) == 1
    told = capsys.readouterr().err
    assert f"the calculator EMT failed with KeyError: 'no license' ({where}--debug" in told
    assert "fault of mdaug" not in told


def test_scan_compares_a_model_with_a_calculator(model, folder):
    arguments = [model, *EMT_OPTIONS, "--bond", "0", "1", "--step", "0.2"]
    assert main(["scan", *arguments, "--out", "scanned"]) == 0
    own, emt = load(folder / "scanned" / "scan.json")["models"]
    assert [own["label"], emt["label"]] == ["own", "EMT"]
    assert own["zero_distance_A"] == pytest.approx(emt["zero_distance_A"], abs=1e-6)


@pytest.mark.parametrize("wrong", ["error", "nan"])
def test_points_of_a_scan_at_which_the_calculator_fails_are_left_out(
    model, folder, monkeypatch, capsys, wrong
):
    class Fails(EMT):
        """Has no parameters for long bonds."""

        longest = 1.5

        def calculate(self, atoms=None, *arguments):
            super().calculate(atoms, *arguments)
            if atoms.get_distance(0, 1) > self.longest:
                if wrong == "error":
                    raise KeyError("no license")
                self.results["energy"] = np.nan

    module = ModuleType("failing")
    module.Fails = Fails
    monkeypatch.setitem(sys.modules, "failing", module)
    scan = ["scan", "--calculator", "failing:Fails", "--bond", "0", "1", "--range", "0.8", "1.9"]
    assert main([*scan, model, "--step", "0.2", "--out", "both"]) == 0
    reason = "KeyError: 'no license'" if wrong == "error" else "energy or forces are not finite"
    assert f"Fails fails at O0-H1 lengths of 1.6 Å ({reason}), 1.8 Å" in capsys.readouterr().err
    own, failing = load(folder / "both" / "scan.json")["models"]
    assert (own["n_points"], failing["n_points"]) == (7, 4)
    assert (folder / "both" / "scan-Fails.csv").read_text().splitlines()[-1].startswith("1.4")
    Fails.longest = 0.5
    assert main([*scan, "--structure", "water.xyz", "--out", "none"]) == 1
    assert "no curve is left" in capsys.readouterr().err


def test_evaluate_removes_the_mean_of_a_calculator(model, folder, capsys):
    assert main(["evaluate", "frames.xyz", *EMT_OPTIONS, "--out", "alone"]) == 0
    alone = load(folder / "alone" / "evaluate.json")
    assert (alone["calculator"], alone["n_frames"]) == (NAME, 6)
    assert alone["energy_mean_error_kcal_mol"] == pytest.approx(-5 * 23.0605, rel=1e-4)
    shown = next(line for line in capsys.readouterr().out.splitlines() if "without its mean" in line)
    assert all(abs(float(value.replace("−", "-"))) < 1e-6 for value in shown.split()[-4:])
    assert main(["evaluate", model, "frames.xyz", *EMT_OPTIONS, "--out", "both"]) == 0
    assert len(load(folder / "both" / "evaluate.json")["models"]) == 2
    assert (folder / "both" / "parity-EMT.png").exists()


@pytest.mark.parametrize("ensemble", ["nve", "nvt"])
def test_dynamics_of_a_calculator_resumes_bit_for_bit(folder, ensemble, capsys):
    arguments = [ensemble, *EMT_OPTIONS, "--structure", "water.xyz", "--equilibration", "0", "--seed", "3"]
    assert main([*arguments, "--steps", "60", "--out", "whole"]) == 0
    assert main([*arguments, "--steps", "30", "--out", "parts"]) == 0
    resume = [ensemble, "--resume", "--steps", "60", "--out", "parts"]
    assert main(resume) == 1
    assert "name it again with these options if you trust it" in capsys.readouterr().err
    assert main([*resume, "--calculator", "ase.calculators.lj:LennardJones"]) == 1
    assert f"began with --calculator {NAME}, not with" in capsys.readouterr().err
    assert main([*resume, *EMT_OPTIONS]) == 0
    tables = [(folder / name / "thermo.csv").read_bytes() for name in ("whole", "parts")]
    assert tables[0] == tables[1]


@pytest.mark.tblite
def test_dynamics_of_xtb_resumes_from_its_record(folder):
    arguments = ["nve", "--calculator", "GFN2-xTB", "--structure", "water.xyz", "--equilibration", "0"]
    assert main([*arguments, "--steps", "10", "--out", "run"]) == 0
    assert main(["nve", "--resume", "--steps", "20", "--out", "run"]) == 0
    assert load(folder / "run" / "nve.json")["completed_steps"] == 20


def test_stability_of_a_calculator_run(folder, capsys):
    arguments = ["nve", *EMT_OPTIONS, "--structure", "water.xyz", "--equilibration", "0", "--steps", "40"]
    assert main([*arguments, "--out", "run"]) == 0
    assert main(["stability", "run"]) == 1
    assert f"which has no training frames; give --calculator {NAME}" in capsys.readouterr().err
    assert main(["stability", "run", *EMT_OPTIONS, "--out", "judged"]) == 0
    assert load(folder / "judged" / "stability.json")["time_to_failure_ps"] is None
    assert "from its length in the minimum of" in capsys.readouterr().out
    assert "training" not in (folder / "judged" / "report.html").read_text().split("<h1")[1]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["relax", *EMT_OPTIONS], 2, "a calculator has no start structure of its own"),
        (["nve", *EMT_OPTIONS], 2, "give one with --structure"),
        (["relax", "own.pt", *EMT_OPTIONS], 2, "expected one of the two"),
        (["nvt", "own.pt", *EMT_OPTIONS], 2, "expected one of the two"),
        (["relax", *EMT_OPTIONS, "--strict"], 2, "--strict: no effect with --calculator"),
        (["nve", "--charge", "1"], 2, "--charge: no effect without --calculator"),
        (["evaluate", *EMT_OPTIONS], 1, "has no test frames of its own; name frames as DATA"),
        (["nve", *EMT_OPTIONS, "--structure", "water.xyz", "--replicas", "2"], 1, "--replicas needs"),
        (["relax", "--calculator", "EMT", "--structure", "water.xyz"], 1, "expected one of GFN2-xTB"),
        (
            ["relax", "--calculator", "json:JSONDecoder", "--structure", "water.xyz"],
            1,
            "expected an ASE calc",
        ),
        (
            ["relax", *EMT_OPTIONS, "--calculator-arguments", '{"no": 1}', "--structure", "water.xyz"],
            0,
            "",
        ),
        (["relax", *EMT_OPTIONS, "--calculator-arguments", "[1]"], 1, "expected a JSON object"),
        (["relax", *EMT_OPTIONS, "--charge", "1", "--structure", "water.xyz"], 1, "does not accept charge"),
    ],
)
def test_what_is_refused(folder, capsys, arguments, code, message):
    assert main([*arguments, "--out", "refused"]) == code
    assert message in capsys.readouterr().err
