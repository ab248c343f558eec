"""`mdaug train --dry-run`: counts, estimates, and nothing written."""

from pathlib import Path

import pytest

from mdaug.cli.app import main
from mdaug.data import write_extxyz
from mdaug.workflows.dry_run import dry_run
from mdaug.workflows.settings.config import load_config
from mdaug.workflows.training.sets import TrainingCallbacks
from tests.crystals import copper

SMALL = ["--every=20", "--augment.n-frames=6", "--augment.n-stretched=8", "--augment.n-impulses=4"]
SMALL += ["--springs.bootstrap=0", "--model.n-atom-basis=8", "--model.n-filters=8", "--training.batch-size=5"]
SMALL += ["--split.train=30", "--split.validation=12", "--split.test=8"]


@pytest.mark.slow
def test_frames_steps_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "ethanol", "--dry-run", "--epochs=7", *SMALL]) == 0
    printed = capsys.readouterr().out
    assert "30 raw and 18 augmented for training, 12 validation, 8 test" in printed
    assert "7 (with a baseline) or 10 an epoch, 7 epochs" in printed
    assert "minutes in all" in printed and "GB" in printed
    assert not list(tmp_path.iterdir())


def test_epochs_depend_on_the_baseline() -> None:
    changes = {
        "data": {"source": "ethanol", "every": 20},
        "split": {"train": 30, "validation": 12, "test": 8},
        "augment": {"n_frames": 0, "n_stretched": 1, "n_impulses": 0},
        "springs": {"bootstrap": 0},
        "model": {"n_atom_basis": 8, "n_filters": 8, "baseline": "auto"},
    }
    outcome = dry_run(load_config(None, changes), device="cpu")
    assert (outcome.epochs, outcome.n_augmented, outcome.steps_per_epoch) == ((1000, 800), 1, (2, 2))
    assert min(outcome.seconds_per_epoch) > 0 and 0.05 < outcome.memory_GB < 100
    assert "1000 (with a baseline) or 800 epochs" in outcome.lines[1]
    assert "(with a baseline) or" in outcome.lines[2]


def test_a_crystal_has_neither_baseline_nor_augmented_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No force field can label them, so that none are made, which one line says."""
    write_extxyz(copper(12, repeat=2), tmp_path / "copper.xyz")
    changes = {
        "data": {"source": str(tmp_path / "copper.xyz"), "temperature": 300.0},
        "split": {"train": 8, "validation": 2, "test": 2},
        "augment": {"n_frames": 20, "n_stretched": 0, "n_impulses": 0},
        "springs": {"bootstrap": 0},
        "model": {"n_atom_basis": 8, "n_filters": 8},
        "training": {"batch_size": 4},
    }
    monkeypatch.delattr("mdaug.augmentation.generate.AugmentedFrameMaker")
    lines: list[str] = []
    outcome = dry_run(
        load_config(None, changes), device="cpu", callbacks=TrainingCallbacks(stage=lines.append)
    )
    assert (outcome.n_raw, outcome.n_augmented, outcome.steps_per_epoch) == (8, 0, (2, 2))
    (why,) = [line for line in lines if "augmented" in line]
    assert why.startswith("no augmented frames: copper.xyz: the cell is 6.8 Å wide")
    assert "with a baseline" not in "".join(outcome.lines)


@pytest.mark.parametrize("option", ["--resume", "--out=runs/a", "--overwrite"])
def test_options_that_would_write_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "ethanol", "--dry-run", option]) == 2
    assert "no effect with --dry-run" in capsys.readouterr().err


@pytest.mark.slow
def test_what_delta_learning_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tblite")
    changes = {
        "data": {"source": "ethanol", "every": 20},
        "split": {"train": 30, "validation": 12, "test": 8},
        "augment": {"n_frames": 6, "n_stretched": 8, "n_impulses": 4},
        "model": {"n_atom_basis": 8, "n_filters": 8},
        "training": {"batch_size": 2, "epochs": 334},  # 8016 steps
    }
    config = load_config(None, changes)
    default = load_config(None, changes | {"training": {"batch_size": 2}})  # 16,000 steps with a baseline
    assert dry_run(default, device="cpu").delta.startswith("if it is used, 32")
    expected = "if it is used, 16032 steps in all, and 1042 labels by GFN2-xTB"
    assert dry_run(config, device="cpu").delta == expected
    for change in (
        {"delta": {"method": "none"}},
        {"training": {"epochs": 300}},
        {"model": {"baseline": "none"}},
    ):
        assert dry_run(config.replace(change), device="cpu").delta is None
