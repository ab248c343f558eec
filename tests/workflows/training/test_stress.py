"""A training on frames with stresses: its record, its errors, and `mdaug evaluate` and `mdaug info`."""

import json

import pytest

from mdaug.cli.app import main
from mdaug.data import write_extxyz
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.train import train_force_field
from tests.crystals import copper

SMALL = {
    "split": {"train": 14, "validation": 3, "test": 3},
    "augment": {"enabled": False},
    "model": {
        "n_atom_basis": 8,
        "n_filters": 8,
        "n_interactions": 1,
        "n_gaussians": 8,
        "n_knots": 16,
        "cutoff": 3.0,
    },
    "training": {"epochs": 2, "batch_size": 7, "loss": "mse"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run folder of a training on copper, and its file of frames."""
    folder = tmp_path_factory.mktemp("stress")
    write_extxyz(copper(20, repeat=2, shear=0.0, noise=0.1), folder / "copper.xyz")
    config = load_config(changes=SMALL | {"data": {"source": str(folder / "copper.xyz")}})
    train_force_field(config, folder / "run", device="cpu")
    return folder


def test_results_have_the_error_of_stresses(run):
    results = json.loads((run / "run" / "results.json").read_text())
    assert results["test"]["stress_mae_GPa"] == pytest.approx(
        160.2177 * results["test"]["stress_mae_eV_A3"], rel=1e-5
    )


def test_evaluate_and_info_show_it(run, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    arguments = [str(run / "run"), str(run / "copper.xyz"), "--out", str(run / "evaluated")]
    assert main(["evaluate", *arguments]) == 0
    assert "stress (GPa)" in capsys.readouterr().out
    evaluated = json.loads((run / "evaluated" / "evaluate.json").read_text())
    assert (
        0
        < evaluated["stress_mae_GPa"]
        <= evaluated["stress_rmse_GPa"]
        <= evaluated["stress_largest_error_GPa"]
    )
    assert main(["info", str(run / "run")]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "frames have stresses yes" in shown
    assert "stress MAE (GPa)" in shown
