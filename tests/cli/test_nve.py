import json
import re

import numpy as np
import pytest
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator, all_changes
from ase.io import write

from mdaug.cli.app import main
from mdaug.deployment import export_model


class PairSprings(Calculator):
    """E = Σ ½ k (d_ij − d⁰_ij)² over all pairs."""

    implemented_properties = ("energy", "forces")

    def __init__(self, rest) -> None:
        super().__init__()
        self.rest = rest.get_all_distances() + np.eye(len(rest))

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes):
        super().calculate(atoms, properties, system_changes)
        vectors = self.atoms.positions[None] - self.atoms.positions[:, None]
        distances = np.linalg.norm(vectors, axis=2) + np.eye(len(self.atoms))
        strain = distances - self.rest
        self.results = {
            "energy": 0.25 * 10.0 * np.sum(strain**2),
            "forces": np.einsum("ij,ijx->ix", 10.0 * strain / distances, vectors),
        }


@pytest.fixture
def model(monkeypatch, tmp_path):
    """Replace the calculator of a model.pt by springs between the atoms of its reference structure."""
    from mdaug.workflows import dynamics

    path = tmp_path / "a model.pt"
    path.write_bytes(b"weights 1")

    def load(name, device="cpu", dtype=None, strict=None):
        atoms = molecule("CH3OH")
        calculator = PairSprings(atoms)
        reference = {"atomic_numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
        calculator.manifest = {
            "weights_sha256": name.read_bytes().hex(),
            "training": {"reference_structure": reference},
        }
        return calculator

    monkeypatch.setattr(dynamics, "MDAugCalculator", load)
    return path


def test_run_and_resume_with_more_steps(model, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    arguments = ["nve", str(model), "--steps", "60", "--equilibration", "0.01", "--seed", "3"]
    assert main([*arguments, "--out", str(out)]) == 0
    capsys.readouterr()
    assert main(["nve", "--resume", "--steps", "100", "--out", str(out)]) == 0
    assert "100 steps, 0.05 ps" in capsys.readouterr().out
    written = json.loads((out / "nve.json").read_text())
    assert written["completed_steps"] == 100
    assert written["options"]["seed"] == 3
    steps = np.genfromtxt(out / "thermo.csv", delimiter=",", names=True)["step"]
    assert np.array_equal(steps, np.arange(0, 101, 10))
    for name in ("trajectory.dcd", "topology.pdb", "restart.npz", "run.json"):
        assert (out / name).exists()


def test_resuming_with_another_model_or_step_is_refused(model, tmp_path, capsys) -> None:
    out = str(tmp_path / "out")
    assert main(["nve", str(model), "--steps", "20", "--equilibration", "0", "--out", out]) == 0
    assert main(["nve", "--resume", "--timestep", "0.1", "--out", out]) == 1
    assert "cannot resume with timestep 0.1: it was 0.5" in capsys.readouterr().err
    assert main(["nvt", "--resume", "--out", out]) == 1
    assert "holds a run of `mdaug nve`; resume it with that command" in capsys.readouterr().err
    model.write_bytes(b"weights 2")
    assert main(["nve", "--resume", "--steps", "40", "--out", out]) == 1
    assert "not the model that this run began with" in capsys.readouterr().err


def real_model(make_model, folder):
    atoms = molecule("CH3OH")
    reference = {"atomic_numbers": atoms.numbers.tolist(), "positions": atoms.positions.tolist()}
    return export_model(make_model(), folder / "m.pt", training={"reference_structure": reference})


def test_engines_and_replicas(make_model, tmp_path, capsys) -> None:
    """A real model of random weights: with the core unless ASE is asked for, alone or in a batch."""
    path, crystal = real_model(make_model, tmp_path), tmp_path / "crystal.xyz"
    write(crystal, bulk("C"))
    arguments = ["nve", str(path), "--steps", "20", "--equilibration", "0", "--no-guard", "--timestep", "0.1"]

    def run(name, *more):
        assert main([*arguments, *more, "--out", str(tmp_path / name)]) == 0
        return tmp_path / name

    def about(folder):
        return json.loads((folder / "config.json").read_text())["about"]

    assert about(run("core"))["engine"] == "core"
    assert about(run("ase", "--engine", "ase"))["engine"] == "ase"
    tables = [np.loadtxt(tmp_path / n / "thermo.csv", delimiter=",", skiprows=1) for n in ("core", "ase")]
    np.testing.assert_allclose(*tables, rtol=1e-9)
    both = run("both", "--replicas", "2")
    assert (both / "replica-0" / "thermo.csv").read_bytes() == (tmp_path / "core" / "thermo.csv").read_bytes()
    assert main(["nve", "--resume", "--steps", "40", "--out", str(both)]) == 0
    assert json.loads((both / "nve.json").read_text())["completed_steps"] == [40, 40]
    assert "20 steps" in capsys.readouterr().out
    for command, more, message in (
        (
            "nve",
            ["--engine", "core", "--structure", str(crystal)],
            "--engine core cannot run this system: .*periodic",
        ),
        ("nve", ["--replicas", "2", "--engine", "ase"], "--replicas needs the C.. core"),
        ("nvt", ["--engine", "lammps"], "engine lammps takes one run at constant energy"),
    ):
        assert main([command, *arguments[1:], *more, "--out", str(tmp_path / "no")]) == 1
        assert re.search(message, capsys.readouterr().err)


def test_nvt_keeps_the_temperature_and_resumes(make_model, tmp_path, capsys) -> None:
    """With the core, alone or in a batch, and with ASE the same; drift says that it does not apply."""
    path = real_model(make_model, tmp_path)
    arguments = ["--equilibration", "0", "--no-guard", "--timestep", "0.1", "--friction", "50", "--seed", "2"]

    def run(name, steps, *more):
        given = [] if "--resume" in more else [str(path), *arguments]
        assert main(["nvt", *given, "--steps", str(steps), *more, "--out", str(tmp_path / name)]) == 0
        return np.loadtxt(tmp_path / name / "thermo.csv", delimiter=",", skiprows=1)

    core, ase = run("core", 40), run("ase", 40, "--engine", "ase")
    np.testing.assert_allclose(core, ase, rtol=1e-9)
    told = json.loads((tmp_path / "core" / "nvt.json").read_text())
    assert (told["options"]["ensemble"], told["options"]["friction"]) == ("nvt", 50.0)
    run("parts", 20)
    assert np.array_equal(run("parts", 40, "--resume"), core)
    assert (
        main(
            [
                "nvt",
                str(path),
                *arguments,
                "--steps",
                "40",
                "--replicas",
                "2",
                "--out",
                str(tmp_path / "both"),
            ]
        )
        == 0
    )
    one, other = (tmp_path / "both" / f"replica-{k}" / "thermo.csv" for k in range(2))
    assert one.read_bytes() == (tmp_path / "core" / "thermo.csv").read_bytes() != other.read_bytes()
    assert main(["drift", str(tmp_path / "core"), "--out", str(tmp_path / "drift")]) == 1
    assert "a run at constant temperature, whose thermostat changes the energy" in capsys.readouterr().err


def test_start_structure(model, tmp_path, capsys) -> None:
    atoms = molecule("CH3OH")
    atoms.positions += 3.0
    write(tmp_path / "start.xyz", atoms)
    arguments = ["nve", str(model), "--structure", str(tmp_path / "start.xyz"), "--steps", "0"]
    assert main([*arguments, "--equilibration", "0", "--out", str(tmp_path / "out")]) == 0
    assert capsys.readouterr().err == ""  # no bar where no step is taken
    start = json.loads((tmp_path / "out" / "config.json").read_text())["start"]
    assert np.array(start["positions"]) == pytest.approx(atoms.positions, abs=1e-6)


def test_a_run_that_blows_up_is_no_error(model, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    assert main(["nve", str(model), "--timestep", "20", "--equilibration", "0", "--out", str(out)]) == 0
    assert json.loads((out / "nve.json").read_text())["stopped_because"]
    assert "stopped: " in capsys.readouterr().err


def test_a_run_that_falls_and_heats_up_is_told(model, tmp_path, capsys) -> None:
    strained = molecule("CH3OH")
    strained.positions *= 1.05
    write(tmp_path / "strained.xyz", strained)
    run = ["nve", str(model), "--steps=200", "--equilibration=0", "--temperature=100"]
    assert main([*run, f"--structure={tmp_path / 'strained.xyz'}", f"--out={tmp_path / 'hot'}"]) == 0
    assert "much hotter than the 100 K of the equilibration" in capsys.readouterr().err
    assert main([*run, f"--out={tmp_path / 'cool'}"]) == 0
    assert "hotter" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["--timestep", "-1"], 2), (["--structure", "nofile.xyz"], 1), (["--ensemble", "nvt"], 2)],
)
def test_wrong_options_are_one_line(model, tmp_path, capsys, arguments, code) -> None:
    assert main(["nve", str(model), *arguments, "--out", str(tmp_path / "out")]) == code
    assert capsys.readouterr().err.strip().count("\n") == 0
    assert not (tmp_path / "out").exists()
