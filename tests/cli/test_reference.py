"""`mdaug reference` as a user types it."""

import csv
import json
import sys

import ase.io
import numpy as np
import pytest
from ase.build import molecule

from mdaug.cli.app import main

pytestmark = pytest.mark.pyscf

QUICK = ["--method=hf", "--basis=sto-3g", "--workers=1"]


@pytest.fixture
def water(tmp_path):
    path = tmp_path / "water.xyz"
    ase.io.write(path, molecule("H2O"))
    return str(path)


def test_scans_give_curves_points_and_a_figure(water, tmp_path, capsys):
    out = tmp_path / "scans"
    scans = ["--scan=bond:0-1=0.8:1.8:0.25", "--scan=angle:1-0-2=90:110:10"]
    scans.append("--scan=bond:0-1=0.9:1.1:0.1+bond:0-2=0.9:1.1:0.1")
    assert main(["reference", water, *scans, *QUICK, f"--out={out}"]) == 0
    with (out / "bond-O0-H1.csv").open() as file:
        rows = list(csv.DictReader(file))
    energies = [float(row["energy_kcal_mol"]) for row in rows]
    assert len(rows) == 5 and energies[0] > energies[1] < energies[2] < energies[3] < energies[4]
    assert [bool(row["spin_square"]) for row in rows] == [False, False, True, True, True]
    points = ase.io.read(out / "bond-O0-H1.xyz", ":")
    start = ase.io.read(out / "start.xyz").get_potential_energy()
    assert (points[4].get_potential_energy() - start) * 23.0605 == pytest.approx(energies[4], abs=1e-3)
    assert (out / "scan.png").read_bytes().startswith(b"\x89PNG")
    report = json.loads((out / "reference.json").read_text())
    assert (report["level"], report["n_unknown"]) == ("HF/sto-3g", 0)
    assert list(report["scans"].values())[2] == "bond-O0-H1+bond-O0-H2"


def test_an_interrupted_command_goes_on_and_a_finished_one_is_kept(water, tmp_path, monkeypatch, capsys):
    out, command = tmp_path / "out", ["reference", water, "--scan=bond:0-1=0.9:1.1:0.1", *QUICK]

    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("mdaug.quantum.single_point_jobs.single_point", interrupted)
        assert main([*command, f"--out={out}"]) == 130
    assert main([*command, f"--out={out}"]) == 0
    assert main([*command, f"--out={out}"]) == 1
    assert "finished run" in capsys.readouterr().err
    again = ["--workers=0", f"--points={out / 'points.jsonl'}", f"--out={tmp_path / 'again'}"]
    assert main([*command[:-1], *again]) == 0
    assert (tmp_path / "again" / "bond-O0-H1.csv").read_text() == (out / "bond-O0-H1.csv").read_text()


def test_frames_get_energies_forces_and_a_comparison(tmp_path, capsys):
    frames, out = tmp_path / "frames.xyz", tmp_path / "out"
    rng, images = np.random.default_rng(0), []
    for _ in range(3):
        atoms = molecule("H2O")
        atoms.positions += rng.normal(scale=0.05, size=(3, 3))
        images.append(atoms)
    _with_energies(images, frames)
    assert main(["reference", str(frames), *QUICK, "--forces", f"--out={out}"]) == 0
    computed = ase.io.read(out / "frames.xyz", ":")
    assert len(computed) == 3 and np.abs(computed[0].get_forces().sum(axis=0)).max() < 1e-4
    assert computed[0].info["level_of_theory"] == "HF/sto-3g"
    few = tmp_path / "few"
    partly = ["--forces", "--forces-first=1", "--restricted"]
    assert main(["reference", str(frames), *QUICK, *partly, f"--out={few}"]) == 0
    first, *rest = ase.io.read(few / "frames.xyz", ":")
    np.testing.assert_allclose(first.get_forces(), computed[0].get_forces(), atol=1e-8)
    assert [set(atoms.calc.results) for atoms in rest] == [{"energy"}] * 2
    again = tmp_path / "again"
    assert main(["reference", str(out / "frames.xyz"), *QUICK, f"--out={again}"]) == 0
    assert json.loads((again / "reference.json").read_text())["rms_difference_kcal_mol"] < 1e-3
    assert "0/0" not in capsys.readouterr().err  # a bar of nothing


def _with_energies(images, path):
    from ase.calculators.emt import EMT

    for atoms in images:
        atoms.calc = EMT()
        atoms.get_forces()
    ase.io.write(path, images)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--scan=bond:1-2"], "not a bond of the structure"),
        (
            ["--scan=bond:0-1", "--method=ccsd", "--forces"],
            "use --method hf, mp2, df-mp2 or a density functional",
        ),
        (["--scan=bond:0-1", "--method=hf", "--basis=none", "--workers=1"], "basis 'none'"),
    ],
)
def test_wrong_usage_is_one_line(water, tmp_path, capsys, arguments, message):
    assert main(["reference", water, *arguments, f"--out={tmp_path / 'o'}"]) == 1
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert message in error


def test_without_pyscf_it_says_what_to_install(water, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pyscf.gto", None)
    assert main(["reference", water, "--scan=bond:0-1", f"--out={tmp_path / 'o'}"]) == 1
    assert "pip install 'mdaug[reference]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ("[OH-]", "[OH-] has charge -1, the level 0; add --charge=-1"),
        ("[CH3]", "9 electrons with charge +0 cannot have multiplicity 1"),
    ],
)
def test_a_charge_is_not_lost(data, complaint, tmp_path, capsys):
    assert main(["reference", data, "--scan=bond:0-1", *QUICK, f"--out={tmp_path / 'r'}"]) == 1
    assert complaint in capsys.readouterr().err
