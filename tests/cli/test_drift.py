import json

import numpy as np
import pytest

from mdaug.cli.app import main


@pytest.fixture
def runs(tmp_path):
    """Two runs of 4000 rows, 1 and 0.5 fs, whose fluctuation obeys Δt²."""
    folders = []
    for timestep in (1.0, 0.5):
        rng, n = np.random.default_rng(0), 4000
        energy = -300.0 + 1e-3 * timestep**2 * rng.standard_normal(n)
        rows = ["step,time_fs,potential_eV,kinetic_eV,total_eV,temperature_K"]
        rows += [f"{10 * i},{10 * i * timestep},{e - 0.2},0.2,{e},300" for i, e in enumerate(energy)]
        folder = tmp_path / f"run-{timestep} fs"
        folder.mkdir()
        (folder / "thermo.csv").write_text("\n".join(rows) + "\n")
        (folder / "topology.pdb").write_text("HETATM\n" * 9)
        folders.append(folder)
    return folders


def test_one_run(runs, tmp_path, capsys) -> None:
    assert main(["drift", str(runs[0] / "thermo.csv"), "--out", str(tmp_path / "out")]) == 0
    content = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert set(content) >= {
        "slope_meV_per_atom_ps",
        "slope_ci95_meV_per_atom_ps",
        "rms_fluctuation_meV_per_atom",
        "drift_ratio",
        "n_atoms",
        "duration_ps",
    }
    assert content["n_atoms"] == 9
    assert content["rms_fluctuation_meV_per_atom"] == pytest.approx(1 / 9, rel=0.05)
    page = (tmp_path / "out" / "drift.html").read_text()
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("http://www.w3.org", "")
    printed = capsys.readouterr().out
    assert "energy drift" in printed and "meV/atom/ps" in printed
    assert f"{runs[0] / 'thermo.csv'}: rms fluctuation" in printed
    assert "next:" in printed


@pytest.mark.parametrize("content", ['{"stopped_because": "atoms collided"}', "[]", "no JSON"])
def test_a_run_that_its_guard_stopped_is_told(runs, tmp_path, capsys, content) -> None:
    (runs[0] / "nve.json").write_text(content)
    assert main(["drift", str(runs[0]), str(runs[1]), "--out", str(tmp_path / "out")]) == 0
    told = f"{runs[0]}: the guard stopped this run: atoms collided"
    assert (told in " ".join(capsys.readouterr().err.split())) == ("stopped" in content)


def test_several_time_steps(runs, tmp_path, capsys) -> None:
    assert main(["drift", *map(str, runs), "--out", str(tmp_path / "out")]) == 0
    content = json.loads((tmp_path / "out" / "drift.json").read_text())
    assert len(content["runs"]) == 2
    assert content["timestep_scaling"]["exponent"] == pytest.approx(2.0, abs=0.1)


def test_bad_input_is_one_line(tmp_path, capsys) -> None:
    (tmp_path / "x.csv").write_text("nonsense\n")
    assert main(["drift", str(tmp_path / "x.csv"), "--out", str(tmp_path / "out")]) == 1
    assert "neither a thermo.csv" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
