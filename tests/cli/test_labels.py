"""`mdaug labels` from frames to table, JSON and figure."""

import json

import numpy as np
from ase.calculators.morse import MorsePotential

from mdaug.cli.app import main
from mdaug.data import write_extxyz
from mdaug.frames import FrameSet
from mdaug.quantum.calculators import calculate_frames

MORSE = "ase.calculators.morse:MorsePotential"


def write_water(path, level):
    rng = np.random.default_rng(0)
    positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + 0.03 * rng.standard_normal((40, 3, 3))
    empty = FrameSet(np.array([8, 1, 1]), positions, np.zeros(40), np.zeros((40, 3, 3)), temperature_K=300.0)
    energies, forces = calculate_frames(MorsePotential(), empty, positions)
    made = FrameSet(
        empty.atomic_numbers, positions, energies, forces, temperature_K=300.0, level_of_theory=level
    )
    write_extxyz(made, path)


def run(tmp_path, *more, level=MORSE):
    write_water(tmp_path / "water.xyz", level)
    out = tmp_path / "run"
    command = ["labels", str(tmp_path / "water.xyz"), "--rules", "isotropic", "gradient", "--n-frames", "6"]
    command += ["--epsilons", "0.02", "0.05", "--out", str(out), *more]
    assert main(command) == 0
    return out, json.loads((out / "labels.json").read_text())


def test_table_json_and_figure(tmp_path, capsys):
    out, content = run(tmp_path, "--calculator", MORSE)
    assert content["exact"]
    assert [cell["kind"] for cell in content["cells"]] == ["displacement"] * 4 + ["stretch"]
    assert all(cell["n_frames"] == 6 for cell in content["cells"])
    assert (out / "labels.png").exists()
    assert (out / "frames.xyz").exists()
    shown = capsys.readouterr().out
    assert "0.05 Å, 3 atoms" in shown
    assert "true |ΔE|" in shown
    assert "floor" not in shown


def test_another_level_tells_its_floor_in_words(tmp_path, capsys):
    _, content = run(tmp_path, "--calculator", MORSE, level="PBE")
    assert not content["exact"]
    assert [cell["kind"] for cell in content["cells"]] == ["displacement"] * 4
    captured = capsys.readouterr()
    assert "not the level of theory of the data" in " ".join(captured.err.split())
    assert "floor" in captured.out


def test_an_unknown_rule_is_wrong_usage(capsys):
    assert main(["labels", "--rules", "magic"]) == 2
    assert "force-matched" in capsys.readouterr().err
