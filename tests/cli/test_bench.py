"""`mdaug bench` leaves bench.json and bench.png, and tells what it cannot do in a line."""

import json
import shlex

import pytest

from mdaug.cli.app import main

TINY = shlex.split(
    "--width 16 --interactions 1 --gaussians 8 --knots 32 --rounds 1 --block 0.001 --frames 4 --batch-size 2 "
    "--inference 2 --replicas 2 --bulk-atoms 60"
)


def test_files_and_tables(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("mdaug.bench.timing.WARM_UP_CALLS", 1)
    monkeypatch.setattr("mdaug.bench.bulk.SWEEP_BYTES", 4096)
    monkeypatch.setenv("COLUMNS", "200")  # long times of a busy machine must not wrap the names of rows
    assert main(["bench", *TINY, "--bulk", "--out", str(tmp_path / "run")]) == 0
    content = json.loads((tmp_path / "run" / "bench.json").read_text())
    assert content["environment"]["packages"]["torch"]
    assert content["options"]["threads"] == [1]
    assert content["options"]["parts"] == ["molecule", "training", "inference", "bulk"]
    assert (tmp_path / "run" / "bench.png").exists()
    shown = capsys.readouterr().out
    assert "bare matrix products" in shown
    assert "Periodic boxes" in shown


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([*TINY, "--device", "cuda"], "torch sees no CUDA device"),
        ([*TINY, "--baseline-python", "/nowhere/python"], "--baseline-python /nowhere/python"),
        (["nowhere.pt"], "no model at nowhere.pt"),
    ],
)
def test_what_cannot_be_done(tmp_path, capsys, monkeypatch, arguments, complaint):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert main(["bench", *arguments, "--out", str(tmp_path / "run")]) == 1
    assert complaint in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "run").exists()
