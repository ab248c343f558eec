"""`mdaug springs` and `mdaug augment` from files to files."""

import json

import numpy as np
import pytest

from mdaug.cli.app import main
from mdaug.data import load_frames, write_extxyz
from mdaug.frames import FrameSet
from mdaug.springs import Springs

LENGTHS, STIFFNESSES = np.array([0.96, 0.96, 1.52]), np.array([48.0, 48.0, 10.0])  # Å, eV/Å²


@pytest.fixture
def water(tmp_path):
    rng = np.random.default_rng(0)
    molecule = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    positions = molecule + 0.03 * rng.standard_normal((40, 3, 3))
    vectors = positions[:, [1, 2, 2]] - positions[:, [0, 0, 1]]
    d = np.linalg.norm(vectors, axis=-1)
    pull = (STIFFNESSES * (d - LENGTHS) / d)[..., None] * vectors
    forces = np.stack([pull[:, 0] + pull[:, 1], pull[:, 2] - pull[:, 0], -pull[:, 1] - pull[:, 2]], axis=1)
    energies = 0.5 * np.sum(STIFFNESSES * (d - LENGTHS) ** 2, axis=1)
    write_extxyz(FrameSet(np.array([8, 1, 1]), positions, energies, forces), tmp_path / "water.xyz")
    return str(tmp_path / "water.xyz")


def test_springs_writes_file_figure_and_table(water, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["springs", water, "--temperature", "300", "--components", "O-H=1", "H-H=1", "--out", str(out)]
    assert main(command) == 0
    content = json.loads((out / "springs.json").read_text())
    assert {pair: len(rows) for pair, rows in content["pairs"].items()} == {"H-H": 1, "H-O": 1}
    assert (out / "springs.png").exists()
    assert content["virial_temperature_K"] > 0
    assert set(content["mean_bond_forces_kcal_mol_A"]) == {"O0-H1", "O0-H2"}
    shown = capsys.readouterr().out
    assert "H-O" in shown
    assert "virial temperature" in shown


def test_springs_of_unknown_temperature_name_the_option(water, tmp_path, capsys):
    assert main(["springs", water, "--out", str(tmp_path / "run")]) == 1
    assert "--temperature" in capsys.readouterr().err


def test_wrong_components_are_wrong_usage(water, capsys):
    assert main(["springs", water, "--components", "O-H"]) == 2
    assert "H-C=3" in capsys.readouterr().err


def augment(data, out, options):
    """Run `mdaug augment` with options given as in a shell."""
    return main(["augment", data, *options.split(), "--out", str(out)])


def test_augment_writes_frames_and_the_springs_used(water, tmp_path):
    out = tmp_path / "run"
    options = "--temperature 300 --n-frames 7 --n-stretched 0 --rule projected --springs.components O-H=1"
    assert augment(water, out, options) == 0
    made = load_frames(out / "augmented.xyz")
    assert len(made) == 7
    assert set(made.info["rule"]) == {"projected"}
    assert len(Springs.read(out / "springs.json").pairs["H-O"].k) == 1


def test_augment_takes_springs_from_a_file(water, tmp_path):
    rows = [{"distance": 1.0, "k": 100.0, "weight": 1.0}]
    path = tmp_path / "springs.json"
    path.write_text(json.dumps({"temperature_K": 300, "units": "", "pairs": {"H-H": rows, "H-O": rows}}))
    out = tmp_path / "run"
    # the file holds the temperature, so that the frames need none
    few = "--rule gradient --n-frames 3 --n-stretched 0"
    assert augment(water, out, f"{few} --springs-file {path}") == 0
    assert Springs.read(out / "springs.json").to_json()["pairs"]["H-O"][0]["k"] == pytest.approx(100.0)


def test_augment_with_more_copies_than_frames_says_what_to_do(water, tmp_path, capsys):
    assert augment(water, tmp_path / "run", "--temperature 300 --n-frames 41 --no-replacement") == 1
    assert "(--replacement)" in capsys.readouterr().err


def test_augment_by_a_matched_field_makes_all_kinds_of_copies(water, tmp_path, capsys):
    out = tmp_path / "run"
    options = (
        "--temperature 300 --rule force-matched --n-frames 4 --n-stretched 6 --n-impulses 3 "
        "--stretch-range 0.7 2.0 --error-scale 2 --weight 1 --epsilon 0.1 --springs.components H-O=1 H-H=1"
    )
    assert augment(water, out, options) == 0
    made = load_frames(out / "augmented.xyz")
    assert made.info["kind"].tolist() == ["displacement"] * 4 + ["stretch"] * 6 + ["impulse"] * 3
    assert np.all(made.info["force_error"] > 0)
    assert np.all((made.weights > 0) & (made.weights < 1))
    assert "a bond stretched" in capsys.readouterr().out
