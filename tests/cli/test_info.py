"""`mdaug info`: the manifest and the training, as tables and as JSON."""

import json

import pytest

from mdaug.cli.app import main
from mdaug.deployment import export_model, read_manifest
from mdaug.files import write_json, write_text

TRAINING = {
    "data": "frames.xyz",
    "level_of_theory": "CCSD(T)/cc-pVTZ",
    "temperature_K": 500.0,
    "n_train": 852,
    "distance_range_A": {"H-O": [0.8776, 3.717]},
    "bonds": [{"atoms": [0, 1], "mean_A": 0.9776, "std_A": 0.03638}],
    "reference_structure": {"symbols": ["O", "H", "H"]},
    "augmented": True,
}
RESULTS = {
    "test": {"energy_mae_kcal_mol": 0.04188, "force_mae_kcal_mol_A": 0.2661, "n_frames": 98},
    "validation": None,
    "training": {"best_epoch": 782, "epochs": 800, "seconds": 468.4, "n_augmented_frames": 217},
}


@pytest.fixture
def run(make_model, tmp_path, monkeypatch):
    """A run folder with a model of random weights."""
    monkeypatch.setenv("COLUMNS", "120")
    export_model(make_model(prior="none"), tmp_path / "model.pt", training=TRAINING)
    write_json(tmp_path / "results.json", RESULTS)
    return tmp_path


def shown(capsys) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_why_there_are_no_augmented_frames(run, capsys):
    why = {"used": False, "reason": "copper: the cell is 6.8 Å wide; trained on the raw frames alone"}
    write_json(run / "results.json", RESULTS | {"augmentation": why})
    assert main(["info", str(run)]) == 0
    assert f"augmented frames none: {why['reason']}" in shown(capsys)


def test_tables_of_a_run_folder(run, capsys):
    assert main(["info", str(run)]) == 0
    lines = shown(capsys)
    for expected in (
        "elements H C O",
        "cutoff (Å) 4",
        "width 12",
        "prior none",
        "precision float64",
        "level of theory CCSD(T)/cc-pVTZ",
        "training frames 852",
        "augmented frames 217",
        "best epoch 782",
        "training time (s) 468.4",
        "H-O 0.8776 3.717",
        "O0 – H1 0 1 0.9776 0.03638",
        "held out 98 0.04188 0.2661",
    ):
        assert expected in lines
    assert not any(line.startswith("frames by Δ-learning") for line in lines)
    assert any(line.startswith("SHA-256 of the weights") and len(line.split()[-1]) == 64 for line in lines)


def test_frames_by_delta_learning_are_counted_apart(run, capsys):
    training = RESULTS["training"] | {"n_delta_frames": 200}
    write_json(run / "results.json", RESULTS | {"training": training})
    assert main(["info", str(run)]) == 0
    lines = shown(capsys)
    assert "augmented frames 217" in lines and "frames by Δ-learning 200" in lines


def test_a_narrow_terminal_shows_the_whole_hash(run, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    assert main(["info", str(run)]) == 0
    said = "".join(capsys.readouterr().out.split())
    assert "…" not in said and read_manifest(run / "model.pt")["weights_sha256"] in said


def test_a_prior_is_named(make_model, tmp_path, capsys):
    path = export_model(make_model(prior="pair"), tmp_path / "model.pt", training={})
    assert main(["info", str(path)]) == 0
    assert "prior pair" in shown(capsys)


def test_json_holds_everything(run, capsys):
    assert main(["info", str(run / "model.pt"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["manifest"]["training"] == TRAINING
    assert told["manifest"]["elements"] == ["H", "C", "O"]
    assert told["results"] == RESULTS


def test_a_model_alone_has_no_results(run, capsys):
    (run / "results.json").unlink()
    assert main(["info", str(run)]) == 0
    lines = shown(capsys)
    assert "augmented frames yes" in lines
    assert not any("MAE" in line for line in lines)


@pytest.mark.parametrize("text", ["{", "[]", '{"test": 3}', '{"training": [1]}'])
def test_broken_results_are_one_line(run, capsys, text):
    write_text(run / "results.json", text)
    assert main(["info", str(run)]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "results.json" in err
    assert "unexpected" not in err
